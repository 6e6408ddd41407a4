import { Acl, parsePasswordHash, parseScramCredential, saslprep } from '#libs/access';
import { StoredCredentials, credentialOfMosquitto } from '#libs/access-sources';
import { userImportItemSchema, type WireAclRule } from '#libs/api-contracts';
import type { Config } from '#libs/config';
import { faulty, wireRuleOf } from '../access-presenter.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { Definitions } from '../http/definitions.ts';
import { requireShallow } from '../http/json-depth.ts';
import { ProblemError } from '../http/problem-error.ts';
import { checkedItem } from '../http/request-check.ts';
import type { OperationKind, OperationParts } from '../operations/operation-kind.ts';
import { importRows, type ImportInput, type ImportTarget, type RowState } from './import-walk.ts';

/** A user as a row wants it; what is absent stays as it was. */
interface WantedUser {
  readonly id: string;
  readonly groups?: readonly string[] | undefined;
  readonly rules?: readonly WireAclRule[] | undefined;
  readonly password?: string | undefined;
  readonly scram: boolean;
  readonly credentials?: readonly string[] | undefined;
}

/** A hash takes 40 ms of a core: what is in hand ends within a second. */
const BATCH = 20;

const USERS = new Definitions('user');

/** Creates and changes stored users; its input has passwords. */
export const USER_IMPORTS: OperationKind<ImportInput> = {
  ...{ kind: 'user-imports', resultScope: 'users:write', isSecret: true },
  run: (input, run, parts) => importRows(input, run, userTarget(parts)),
};

function userTarget({
  cluster,
  config,
}: Pick<OperationParts, 'cluster' | 'config'>): ImportTarget<WantedUser> {
  const passwords = new StoredCredentials();
  const create = async (user: WantedUser): Promise<'created' | 'exists'> => {
    const credentials = await credentialsOf(user, passwords, config);
    const { id, groups = [], rules = [] } = user;
    const wanted = { kind: 'put-user', id, groups, rules, ...credentials } as const;
    const change = await cluster.inquire().change(wanted);
    if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
    if (change.kind === 'absent') throw USERS.refused('absent');
    return change.kind === 'stored' ? 'created' : 'exists';
  };
  const update = async (user: WantedUser): Promise<'updated'> => {
    const credentials = await credentialsOf(user, passwords, config);
    const before = (await cluster.inquire().read({ kind: 'user', id: user.id })).user;
    if (before === undefined) throw USERS.refused('absent');
    const { revision } = before;
    const { id, groups = before.groups, rules = before.rules } = user;
    const wanted = { kind: 'put-user', id, groups, rules, revision, ...credentials } as const;
    const change = await cluster.inquire().change(wanted);
    if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
    if (change.kind !== 'stored') throw USERS.refused(change.kind);
    return 'updated';
  };
  return {
    batch: BATCH,
    read: async (row) => {
      const item = wantedOf(row);
      return { key: item.id, item };
    },
    look: (users) => look(cluster, users),
    create: (users) => Promise.all(users.map((user) => tried(() => create(user)))),
    update: (user) => tried(() => update(user)),
  };
}

async function look(cluster: Cluster, users: readonly WantedUser[]): Promise<readonly RowState[]> {
  const filter = { names: users.map(({ id }) => id) };
  const { items } = await cluster.inquire().read({ kind: 'users', limit: BATCH, filter });
  const present = new Set(items.map(({ id }) => id));
  return users.map((user): RowState => {
    if (present.has(user.id)) return 'present';
    const isNew = user.password !== undefined || user.credentials !== undefined;
    return isNew ? 'absent' : faulty('/password', 'A new user needs a password, or credentials');
  });
}

/** What cannot be done is the outcome of one user; what may work later is thrown. */
async function tried<Outcome>(act: () => Promise<Outcome>): Promise<Outcome | ProblemError> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ProblemError && error.status !== 503) return error;
    throw error;
  }
}

async function credentialsOf(
  { password, scram, credentials }: WantedUser,
  passwords: StoredCredentials,
  { auth: { iterations, hashCost } }: Config,
): Promise<{ readonly credentials?: readonly string[] }> {
  if (credentials !== undefined) return { credentials };
  if (password === undefined) return {};
  const made = await passwords.make(password, { iterations, hashCost, scram });
  if (made.kind === 'refused') throw faulty('/password', `The password ${made.fault}`);
  if (made.kind === 'busy') {
    throw new ProblemError('overloaded', 'Too many passwords are being hashed');
  }
  return { credentials: made.credentials };
}

/** What a row wants. @throws ProblemError, without any value of it. */
function wantedOf(row: unknown): WantedUser {
  const { name, groups, acl, password, scram, credentials } = checkedItem(
    userImportItemSchema,
    withoutTexts(row),
  );
  const prepared = saslprep(name);
  if (prepared.kind === 'refused') throw faulty('/name', `The name ${prepared.fault}`);
  if (prepared.text === '') throw faulty('/name', 'The name is empty');
  const rules = acl?.map((rule) => wireRuleOf(rule));
  requireRules(rules);
  requirePassword(password);
  return {
    ...{ id: prepared.text, groups, rules, password, scram: scram ?? false },
    credentials: credentials?.map((text, index) => credentialOf(text, `/credentials/${index}`)),
  };
}

function requireRules(rules: readonly WireAclRule[] | undefined): void {
  try {
    void new Acl(rules ?? [], 'deny');
  } catch (error) {
    throw faulty('/acl', error instanceof Error ? error.message : 'A rule cannot be');
  }
}

function requirePassword(password: string | undefined): void {
  const prepared = saslprep(password ?? '');
  if (prepared.kind === 'refused') throw faulty('/password', `The password ${prepared.fault}`);
  if (password !== undefined && prepared.text === '') {
    throw faulty('/password', 'The password is empty');
  }
}

/** A hash as it is stored. @throws ProblemError for one of a kind that cannot be checked. */
function credentialOf(text: string, pointer: string): string {
  if (parsePasswordHash(text) !== undefined || parseScramCredential(text) !== undefined) {
    return text;
  }
  const converted = credentialOfMosquitto(text);
  if (converted?.kind === 'weak') {
    throw faulty(pointer, 'The hash has fewer than 4096 iterations: set a new password');
  }
  if (converted !== undefined) return converted.credential;
  throw faulty(
    pointer,
    'Only hashes of Skein ($scrypt$, SCRAM-SHA-…) and of mosquitto_passwd ($7$) can be checked: set a new password',
  );
}

/** What tables write as text: lists of groups and credentials, rules as JSON, flags. */
function withoutTexts(row: unknown): unknown {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return row;
  const { groups, credentials, acl, scram, ...others } = row as Readonly<Record<string, unknown>>;
  return {
    ...others,
    ...(groups !== undefined && { groups: listOf(groups, ';', '/groups') }),
    ...(credentials !== undefined && { credentials: listOf(credentials, ' ', '/credentials') }),
    ...(acl !== undefined && { acl: typeof acl === 'string' ? parsed(acl, '/acl') : acl }),
    ...(scram !== undefined && { scram: scram === 'true' || (scram === 'false' ? false : scram) }),
  };
}

function listOf(value: unknown, separator: string, pointer: string): unknown {
  if (typeof value !== 'string') return value;
  if (value.startsWith('[')) return parsed(value, pointer);
  return value
    .split(separator)
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function parsed(text: string, pointer: string): unknown {
  requireShallow(text, pointer);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw faulty(pointer, 'It is no JSON');
  }
}

import { readFile } from 'node:fs/promises';
import {
  SCRAM_MECHANISMS,
  deriveScramCredential,
  parseScramCredential,
  saltOf,
  saslprep,
  type AclRule,
  type KnownUser,
  type ScramCredential,
  type UserDirectory,
} from '#libs/access';
import { NodeScramCrypto } from './node-scram-crypto.ts';

/** A user as the configuration states it: the name, and one of the rest. */
export interface ConfiguredUser {
  readonly name: string;
  readonly password?: string;
  /** A file whose first line is the password. */
  readonly passwordFile?: string;
  /** Credentials in the form of formatScramCredential(), one for a mechanism. */
  readonly scram?: readonly string[];
  readonly groups?: readonly string[];
  /** Rules of the user. */
  readonly acl?: readonly AclRule[];
}

/** What credentials of passwords are made with. */
export interface ConfiguredUsersOptions {
  readonly iterations: number;
  readonly saltSecret: string;
}

/** What is wrong with a user; `field` is relative to the list, for example `[2].name`. No value is repeated. */
export interface UserFault {
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

type Failed = { readonly kind: 'failed'; readonly fault: UserFault };
type Made = { readonly kind: 'made'; readonly credentials: readonly ScramCredential[] } | Failed;

/** The users of the configuration, in memory; passwords are forgotten once their credentials are made. */
export class ConfiguredUsers implements UserDirectory {
  readonly #users: ReadonlyMap<string, KnownUser>;

  private constructor(users: ReadonlyMap<string, KnownUser>) {
    this.#users = users;
  }

  /** Reads the files and derives the credentials: some 10 ms of a core for a password. */
  static async open(
    users: readonly ConfiguredUser[],
    options: ConfiguredUsersOptions,
  ): Promise<
    | { readonly kind: 'opened'; readonly users: ConfiguredUsers }
    | { readonly kind: 'faulty'; readonly faults: readonly UserFault[] }
  > {
    const faults: UserFault[] = [];
    const names = new Set<string>();
    const known = new Map<string, KnownUser>();
    const makings: Promise<void>[] = [];
    for (const [index, user] of users.entries()) {
      const field = `[${String(index)}]`;
      const name = preparedName(user.name, `${field}.name`);
      if (name.kind === 'failed') {
        faults.push(name.fault);
      } else if (names.has(name.text)) {
        faults.push(duplicate(`${field}.name`));
      } else {
        names.add(name.text);
        const making = credentialsOf(user, { ...options, name: name.text, field }).then((made) => {
          if (made.kind === 'failed') faults.push(made.fault);
          else known.set(name.text, knownUser(name.text, user, made.credentials));
        });
        makings.push(making);
      }
    }
    await Promise.all(makings);
    if (faults.length > 0) return { kind: 'faulty', faults };
    return { kind: 'opened', users: new ConfiguredUsers(known) };
  }

  find(user: string): Promise<KnownUser | undefined> {
    return Promise.resolve(this.#users.get(user));
  }
}

function knownUser(
  user: string,
  { groups = [], acl: rules = [] }: ConfiguredUser,
  credentials: readonly ScramCredential[],
): KnownUser {
  return { credentials, identity: { user, groups, rules } };
}

interface Making extends ConfiguredUsersOptions {
  readonly name: string;
  readonly field: string;
}

async function credentialsOf(user: ConfiguredUser, making: Making): Promise<Made> {
  const { password, passwordFile = '', scram } = user;
  const { field } = making;
  if (scram !== undefined) return parsed(scram, field);
  if (password !== undefined) return await derived(password, `${field}.password`, making);
  const source = `${field}.passwordFile`;
  const text = await readFile(passwordFile, 'utf8').catch(() => undefined);
  if (text === undefined) {
    return failed(source, 'cannot be read', 'name a file that the process may read');
  }
  const [line = ''] = text.split(/\r?\n/, 1);
  return await derived(line, source, making);
}

function parsed(texts: readonly string[], field: string): Made {
  const credentials: ScramCredential[] = [];
  for (const [index, text] of texts.entries()) {
    const credential = parseScramCredential(text);
    const name = `${field}.scram[${String(index)}]`;
    if (credential === undefined) {
      return failed(name, 'is no SCRAM credential', 'make it with `npm run scram`');
    }
    if (credentials.some(({ mechanism }) => mechanism === credential.mechanism)) {
      return failed(name, 'has the mechanism of an earlier one', 'remove one of them');
    }
    credentials.push(credential);
  }
  return { kind: 'made', credentials };
}

async function derived(password: string, field: string, making: Making): Promise<Made> {
  const { name, iterations, saltSecret: secret } = making;
  const prepared = saslprep(password);
  if (prepared.kind === 'refused') return failed(field, prepared.fault, 'choose another password');
  if (prepared.text === '') return failed(field, 'is empty', 'choose a password');
  const crypto = new NodeScramCrypto();
  const deriving = SCRAM_MECHANISMS.map((mechanism) => {
    const salt = saltOf(crypto, { mechanism, secret, user: name });
    return deriveScramCredential(crypto, prepared.text, { mechanism, salt, iterations });
  });
  return { kind: 'made', credentials: await Promise.all(deriving) };
}

function preparedName(
  name: string,
  field: string,
): Failed | { readonly kind: 'prepared'; readonly text: string } {
  const prepared = saslprep(name);
  if (prepared.kind === 'refused') return failed(field, prepared.fault, 'choose another name');
  if (prepared.text === '') return failed(field, 'is empty', 'give the user a name');
  return prepared;
}

function duplicate(field: string): UserFault {
  return { field, problem: 'is the name of an earlier user', fix: 'choose another name' };
}

function failed(field: string, problem: string, fix: string): Failed {
  return { kind: 'failed', fault: { field, problem, fix } };
}

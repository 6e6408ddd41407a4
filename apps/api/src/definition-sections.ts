import {
  banIdOf,
  banSubject,
  parsePasswordHash,
  parseScramCredential,
  saslprep,
} from '#libs/access';
import type {
  AclRuleView,
  BanCreate,
  BridgeCreate,
  BridgeRuleCreate,
  DefinedUser,
  DefinitionResult,
  WireBan,
} from '#libs/api-contracts';
import { presentRule as presentAclRule, wireRuleOf as wireAclRuleOf } from './access-presenter.ts';
import { banRefused, presentBan, wireBanOf } from './bans-presenter.ts';
import { draftOf } from './bridge-draft.ts';
import { storedOf as storedBridgeOf } from './bridge-survey.ts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText } from './cluster/merge.ts';
import type { DefinitionSection, Defined } from './definition-import.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';
import { presentBridge, presentRule, wireRuleOf } from './presenters.ts';

/** How many users or bans a node is asked for at a time. */
const PAGE = 500;

const RULES = new Definitions('rule');
const USERS = new Definitions('user');
const BANS = new Definitions('ban');
const ACL = new Definitions('list of ACL rules');

/** A kind of what nodes keep. */
export type NodeSection<Item> = DefinitionSection<Item> & {
  readonly name: Exclude<DefinitionResult['section'], 'roles' | 'webhooks'>;
};

/** The kinds of what is defined over REST and kept by nodes. */
export interface DefinitionSections {
  readonly users: NodeSection<DefinedUser>;
  /** One item: the list. */
  readonly acl_rules: NodeSection<readonly AclRuleView[]>;
  readonly bans: NodeSection<BanCreate>;
  readonly bridges: NodeSection<BridgeCreate>;
  readonly bridge_rules: NodeSection<BridgeRuleCreate>;
  /** The list of ACL rules as it is, with those behind it that are not in it. */
  mergedAcl(rules: readonly AclRuleView[]): Promise<readonly AclRuleView[]>;
}

/** Sections whose items are asked of nodes, and changed there. */
export function sectionsOf(cluster: Cluster): DefinitionSections {
  const acl_rules = aclSection(cluster);
  return {
    acl_rules,
    users: userSection(cluster),
    bans: banSection(cluster),
    bridges: bridgeSection(cluster),
    bridge_rules: ruleSection(cluster),
    mergedAcl: async (rules) => {
      const [list] = await acl_rules.present();
      const known = list?.item ?? [];
      const texts = new Set(known.map((rule) => canonical(rule)));
      return [...known, ...rules.filter((rule) => !texts.has(canonical(rule)))];
    },
  };
}

function bridgeSection(cluster: Cluster): NodeSection<BridgeCreate> {
  return {
    name: 'bridges',
    idOf: ({ id }) => id,
    present: async () => {
      const { bridges } = await cluster.inquire().read({ kind: 'bridges' });
      return bridges
        .filter((bridge) => bridge.source === 'api')
        .map((stored) => {
          const { source: _, states: __, ...item } = presentBridge(stored);
          // What nodes have stored is what they would take.
          return { id: item.id, item: item as BridgeCreate, revision: stored.revision };
        });
    },
    put: async (item, revision) => {
      const change = { kind: 'put-bridge', connector: draftOf(item) } as const;
      storedBridgeOf(await cluster.inquire().change({ ...change, ...given({ revision }) }));
    },
    remove: async ({ id, revision }) => {
      storedBridgeOf(await cluster.inquire().change({ kind: 'remove-bridge', id, revision }));
    },
  };
}

function ruleSection(cluster: Cluster): NodeSection<BridgeRuleCreate> {
  const required = (change: { readonly kind: string; readonly detail?: string }): void => {
    if (change.kind === 'stored') return;
    if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail ?? '');
    throw RULES.refused(change.kind as 'conflict' | 'absent' | 'read-only');
  };
  return {
    name: 'bridge_rules',
    idOf: ({ id }) => id,
    present: async () => {
      const { rules } = await cluster.inquire().read({ kind: 'rules' });
      return rules
        .filter((rule) => rule.source === 'api')
        .map((stored) => {
          const { source: _, ...item } = presentRule(stored);
          return { id: item.id, item: item as BridgeRuleCreate, revision: stored.revision };
        });
    },
    put: async (item, revision) => {
      const change = { kind: 'put-rule', rule: wireRuleOf(item) } as const;
      required(await cluster.inquire().change({ ...change, ...given({ revision }) }));
    },
    remove: async ({ id, revision }) => {
      required(await cluster.inquire().change({ kind: 'remove-rule', id, revision }));
    },
  };
}

function aclSection(cluster: Cluster): NodeSection<readonly AclRuleView[]> {
  return {
    name: 'acl_rules',
    idOf: () => 'general',
    present: async () => {
      const { stored, revision } = await cluster.inquire().read({ kind: 'acl' });
      return [{ id: 'general', item: stored.map((rule) => presentAclRule(rule)), revision }];
    },
    put: async (item, revision = 0) => {
      const rules = item.map((rule) => wireAclRuleOf(rule));
      const change = await cluster.inquire().change({ kind: 'put-acl', rules, revision });
      if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
      if (change.kind === 'conflict') throw ACL.refused('conflict');
    },
    remove: async () => {
      throw ACL.refused('absent');
    },
  };
}

function userSection(cluster: Cluster): NodeSection<DefinedUser> {
  const required = (kind: 'stored' | 'conflict' | 'absent'): void => {
    if (kind !== 'stored') throw USERS.refused(kind);
  };
  return {
    name: 'users',
    idOf: ({ name }) => preparedName(name) ?? name,
    present: async () => {
      const all: Defined<DefinedUser>[] = [];
      for (let after: string | undefined, hasMore = true; hasMore;) {
        const page = await cluster.inquire().read({
          ...{ kind: 'users-with-credentials', limit: PAGE },
          ...given({ after }),
        });
        for (const { id, credentials, groups, rules, revision } of page.items) {
          const acl = rules.map((rule) => presentAclRule(rule));
          const item = { name: id, credentials: [...credentials], groups: [...groups], acl };
          all.push({ id, item, revision });
        }
        after = page.items.at(-1)?.id;
        hasMore = page.hasMore;
      }
      return all;
    },
    put: async ({ name, credentials, groups, acl }, revision) => {
      const id = preparedName(name);
      if (id === undefined) throw new ProblemError('unprocessable', 'name: cannot be a user name');
      if (credentials.some((text) => !isCredential(text))) {
        throw new ProblemError('unprocessable', 'credentials: one is no hash that Skein has made');
      }
      const rules = acl.map((rule) => wireAclRuleOf(rule));
      const change = await cluster.inquire().change({
        ...{ kind: 'put-user', id, credentials, groups, rules },
        ...given({ revision }),
      });
      if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
      required(change.kind);
    },
    remove: async ({ id, revision }) => {
      required((await cluster.inquire().change({ kind: 'remove-user', id, revision })).kind);
    },
  };
}

function banSection(cluster: Cluster): NodeSection<BanCreate> {
  return {
    name: 'bans',
    idOf: ({ kind, value }) => {
      const on = { kind: kind === 'ip' || kind === 'cidr' ? ('address' as const) : kind, value };
      return banIdOf(banSubject(on) ?? on);
    },
    present: async () => {
      const all: Defined<BanCreate>[] = [];
      for (let after: string | undefined, hasMore = true; hasMore;) {
        const page = await cluster.inquire().read({
          ...{ kind: 'bans', limit: PAGE, conditions: [] },
          ...given({ after }),
        });
        const own = page.items.filter(({ by }) => by === 'admin');
        all.push(...own.map((ban) => definedBan(ban)));
        after = page.items.at(-1)?.id;
        hasMore = page.hasMore;
      }
      return all;
    },
    put: async (item, revision) => {
      const ban = wireBanOf(item);
      const change = await cluster
        .inquire()
        .change({ kind: 'put-ban', ban, ...given({ revision }) });
      if (change.kind === 'stored') return;
      if (change.kind === 'conflict' || change.kind === 'absent') throw BANS.refused(change.kind);
      throw banRefused({ kind: change.kind }, ban.value);
    },
    remove: async ({ id, revision }) => {
      const { kind } = await cluster.inquire().change({ kind: 'remove-ban', id, revision });
      if (kind !== 'stored') throw BANS.refused(kind);
    },
  };
}

/** The same text for equal rules, in whatever order their fields are written. */
function canonical(rule: AclRuleView): string {
  return JSON.stringify(rule, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => compareText(a, b)))
      : value,
  );
}

/** A name as it is stored; undefined for one that nobody can have. */
function preparedName(name: string): string | undefined {
  const prepared = saslprep(name);
  return prepared.kind === 'prepared' && prepared.text !== '' ? prepared.text : undefined;
}

function definedBan(ban: WireBan): Defined<BanCreate> {
  const { kind, value, reason, until } = presentBan(ban);
  const item = { kind, value, reason, ...given({ until: until ?? undefined }) };
  return { id: ban.id, item, revision: ban.revision };
}

function isCredential(text: string): boolean {
  return parsePasswordHash(text) !== undefined || parseScramCredential(text) !== undefined;
}

function given<Fields extends object>(
  fields: Fields,
): { readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as {
    readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined>;
  };
}

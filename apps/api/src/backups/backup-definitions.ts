import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  SCOPES,
  aclRuleSchema,
  authDefinitionSchema,
  banCreateSchema,
  bridgeCreateSchema,
  bridgeRuleCreateSchema,
  definedUserSchema,
  type AclRuleView,
  type AuthDefinition,
  type Scope,
} from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Defined } from '../definition-import.ts';
import { authSection, ruleOrderSection } from '../definition-order-sections.ts';
import { sectionsOf, type NodeSection } from '../definition-sections.ts';
import type { Guard } from '../guard/guard.ts';
import { isBuiltIn } from '../guard/roles.ts';
import type { StoredRole, StoredRoleBinding } from '../guard/stored.ts';
import { ProblemError } from '../http/problem-error.ts';
import type { SectionName } from './archive-format.ts';

/** A kind of definition in backups. */
export interface BackupDefinitions {
  readonly name: SectionName;
  /** All that are defined now. */
  present(): Promise<readonly Defined<unknown>[]>;
  /** The item and its id; undefined when it is none. */
  parse(item: unknown): { readonly id: string; readonly item: unknown } | undefined;
  /** Whether one that differs from the backup's counts as none: nothing is lost with it. */
  isEmpty?(item: unknown): boolean;
  /** Whether whoever restores it may, which is asked in a dry run too. @throws ProblemError */
  check?(item: unknown): void;
  /** As in DefinitionSection. */
  put(item: unknown, revision: number | undefined): Promise<void>;
}

const roleSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/),
  description: z.string().max(1_024),
  scopes: z.array(z.enum(SCOPES as [Scope, ...Scope[]])),
});

const bindingSchema = z.strictObject({
  id: z.string().min(1).max(128),
  role: z.string().min(1).max(64),
  subject: z.strictObject({ kind: z.enum(['subject', 'group', 'api_key']), name: z.string() }),
  createdAtMs: z.number().int(),
});

/** What whoever restores may do. */
export interface Restorer {
  /** Roles with others are refused. */
  readonly scopes: ReadonlySet<Scope>;
  /** Absent: nobody with an address, an end or a topic to keep to gives roles, which know none of them. */
  readonly mayGiveRoles?: boolean | undefined;
}

/** All kinds of definitions, by the names of their sections. */
export function definitionsOf(
  { cluster, guard }: { readonly cluster: Cluster; readonly guard: Guard },
  restorer: Restorer,
): ReadonlyMap<SectionName, BackupDefinitions> {
  const { users, acl_rules, bans, bridges, bridge_rules } = sectionsOf(cluster);
  const aclRules: BackupDefinitions = {
    ...madeOf(acl_rules, z.array(aclRuleSchema)),
    isEmpty: (item) => (item as readonly AclRuleView[]).length === 0,
  };
  const all: readonly BackupDefinitions[] = [
    madeOf(bridges, bridgeCreateSchema),
    madeOf(bridge_rules, bridgeRuleCreateSchema),
    madeOf(ruleOrderSection(cluster), z.array(z.string().min(1).max(256))),
    aclRules,
    authOf(cluster, restorer),
    madeOf(users, definedUserSchema),
    madeOf(bans, banCreateSchema),
    rolesOf(guard, restorer),
    bindingsOf(guard, restorer),
  ];
  return new Map(all.map((each) => [each.name, each]));
}

/** Whether an item is that of a backup, as JSON has it. */
export function isEqual(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(plain(one), plain(other));
}

function madeOf<Item>(section: NodeSection<Item>, schema: z.ZodType<Item>): BackupDefinitions {
  return {
    name: section.name,
    present: () => section.present(),
    parse: (item) => {
      const parsed = schema.safeParse(item);
      return parsed.success ? { id: section.idOf(parsed.data), item: parsed.data } : undefined;
    },
    // What put() is given comes from parse().
    put: (item, revision) => section.put(item as Item, revision),
  };
}

function authOf(cluster: Cluster, restorer: Restorer): BackupDefinitions {
  const section = madeOf(authSection(cluster), authDefinitionSchema);
  return {
    ...section,
    isEmpty: (item) => {
      const { backends, chains } = item as AuthDefinition;
      return backends.length === 0 && Object.keys(chains).length === 0;
    },
    check: () => requireScopes(['auth:write'], restorer),
  };
}

function rolesOf({ roles }: Guard, restorer: Restorer): BackupDefinitions {
  return {
    name: 'roles',
    present: async () => presentOf(await roles.made.store.list()),
    parse: (item) => parsedBy(roleSchema, item),
    check: (item) => requireGiver((item as StoredRole).scopes, restorer),
    put: async (item, revision) => {
      const role = item as StoredRole;
      if (isBuiltIn(role.id)) throw new ProblemError('conflict', 'The role is built in');
      // What somebody has is not changed unseen.
      if (revision !== undefined) throw new ProblemError('conflict', 'There is another such role');
      const { kind } = await roles.made.store.put(role, undefined);
      if (kind !== 'stored') throw new ProblemError('conflict', 'Somebody has made it meanwhile');
      await roles.made.refresh();
    },
  };
}

function bindingsOf({ roles, keys }: Guard, restorer: Restorer): BackupDefinitions {
  return {
    name: 'role_bindings',
    present: async () => presentOf(await roles.bindings.store.list()),
    parse: (item) => parsedBy(bindingSchema, item),
    check: () => requireGiver([], restorer),
    put: async (item, revision) => {
      const binding = item as StoredRoleBinding;
      if (revision !== undefined) throw new ProblemError('conflict', 'There is another such one');
      const role = await roles.find(binding.role);
      if (role === undefined) {
        throw new ProblemError('unprocessable', `There is no role ${binding.role}`);
      }
      const { kind: subjectKind, name } = binding.subject;
      if (subjectKind === 'api_key' && (await keys.store.get(name)) === undefined) {
        throw new ProblemError('unprocessable', 'There is no such key: keys are not in backups');
      }
      requireGiver(role.scopes, restorer);
      const { kind } = await roles.bindings.store.put(binding, undefined);
      if (kind !== 'stored') throw new ProblemError('conflict', 'Somebody has made it meanwhile');
      await roles.bindings.refresh();
    },
  };
}

/** As where roles are made and bound one by one. */
function requireGiver(wanted: readonly Scope[], restorer: Restorer): void {
  if (restorer.mayGiveRoles !== true) {
    throw new ProblemError('scope-escalation', 'Whoever restores it may not give roles');
  }
  requireScopes(['roles:write', ...wanted], restorer);
}

function requireScopes(wanted: readonly Scope[], { scopes }: Restorer): void {
  const missing = wanted.filter((scope) => !scopes.has(scope));
  if (missing.length === 0) return;
  const some = missing.slice(0, 5).join(', ');
  throw new ProblemError('scope-escalation', `Whoever restores it has not ${some}`);
}

function presentOf<Item extends { readonly id: string }>(
  stored: readonly { readonly item: Item; readonly revision: number }[],
): readonly Defined<Item>[] {
  return stored.map(({ item, revision }) => ({ id: item.id, item, revision }));
}

function parsedBy<Item extends { readonly id: string }>(
  schema: z.ZodType<Item>,
  item: unknown,
): { readonly id: string; readonly item: Item } | undefined {
  const parsed = schema.safeParse(item);
  return parsed.success ? { id: parsed.data.id, item: parsed.data } : undefined;
}

function plain(item: unknown): unknown {
  return JSON.parse(JSON.stringify(item));
}

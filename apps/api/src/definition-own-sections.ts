import type { DefinedWebhook, Input } from '#libs/api-contracts';
import type { StoredDefinition } from '#libs/broker-ports';
import type { DefinitionSection } from './definition-import.ts';
import type { Caller } from './guard/caller.ts';
import { requireRoleGrantable } from './guard/grants.ts';
import type { Guard } from './guard/guard.ts';
import { RoleChanges } from './guard/role-changes.ts';
import { isBuiltIn } from './guard/roles.ts';
import type { StoredRole } from './guard/stored.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';
import { WEBHOOKS_MAX, presentWebhook, wantedOf } from './webhook-presenter.ts';
import type { StoredWebhook } from './webhooks/stored-webhook.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

type Role = Input<'createRole'>['body'];

const ROLES = new Definitions('role');
const WEBHOOKS = new Definitions('webhook');

/** The roles that were made; those of the section that are built in are refused. */
export function roleSection(guard: Guard, caller: Caller): DefinitionSection<Role> {
  const { store } = guard.roles.made;
  const changes = new RoleChanges(guard);
  return {
    name: 'roles',
    idOf: ({ id }) => id,
    present: async () =>
      (await store.list()).map(({ item, revision }) => ({
        ...{ id: item.id, revision },
        item: { id: item.id, description: item.description, scopes: [...item.scopes] },
      })),
    check: ({ id, scopes }) => {
      if (isBuiltIn(id)) throw ROLES.refused('read-only');
      requireRoleGrantable(caller, new Set(scopes));
    },
    put: async (role, revision) => {
      if (revision === undefined) {
        if ((await changes.make(role, caller)) === undefined) throw ROLES.refused('conflict');
        return;
      }
      const before = await seen<StoredRole>(store, { id: role.id, revision }, ROLES);
      const { kind } = await changes.replace(before, role, caller);
      if (kind !== 'stored') throw ROLES.refused(kind);
    },
    remove: async (defined) => {
      const { kind } = await changes.remove(await seen(store, defined, ROLES), caller);
      if (kind !== 'stored') throw ROLES.refused(kind);
    },
  };
}

/** Webhooks, whose secrets go in and never come out. */
export function webhookSection(
  webhooks: Webhooks,
  caller: Caller,
  requirePlace: (url: string) => void,
): DefinitionSection<DefinedWebhook> {
  const { store } = webhooks;
  return {
    name: 'webhooks',
    idOf: ({ id }) => id,
    present: async () =>
      (await store.list()).map(({ item, revision }) => {
        const { created_at: _, created_by: __, ...shown } = presentWebhook(item);
        return { id: item.id, item: shown, revision };
      }),
    check: ({ url, secret }, revision) => {
      requirePlace(url);
      if (revision !== undefined || secret !== undefined) return;
      const detail = 'secret: has to be given for a webhook that is not there; none is exported';
      throw new ProblemError('unprocessable', detail);
    },
    put: async ({ id, secret, ...wanted }, revision) => {
      const sealed = secret === undefined ? {} : { secret: await webhooks.sealed(secret) };
      if (revision !== undefined) {
        const before = await seen<StoredWebhook>(store, { id, revision }, WEBHOOKS);
        const item = { ...before.item, ...wantedOf(wanted), ...sealed };
        const { kind } = await webhooks.replace(before, item);
        if (kind !== 'stored') throw WEBHOOKS.refused(kind);
        return;
      }
      const { secret: own = '' } = sealed;
      const made = await webhooks.create(
        {
          ...{ ...wantedOf(wanted), id, secret: own },
          ...{ createdAtMs: Date.now(), createdBy: caller.id },
        },
        WEBHOOKS_MAX,
      );
      if (made !== undefined) return;
      throw new ProblemError('limit-reached', `There may be ${String(WEBHOOKS_MAX)} webhooks`);
    },
    remove: async ({ id, revision }) => {
      const { kind } = await webhooks.remove(id, revision);
      if (kind !== 'stored') throw WEBHOOKS.refused(kind);
    },
  };
}

/** What is stored, if it is still what was seen. @throws ProblemError otherwise. */
async function seen<Item extends { readonly id: string }>(
  store: { get(id: string): Promise<StoredDefinition<Item> | undefined> },
  { id, revision }: { readonly id: string; readonly revision: number },
  definitions: Definitions,
): Promise<StoredDefinition<Item>> {
  const found = await store.get(id);
  if (found === undefined) throw definitions.refused('absent');
  if (found.revision !== revision) throw definitions.refused('conflict');
  return found;
}

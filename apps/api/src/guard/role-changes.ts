import type { DefinitionWriteResult, StoredDefinition } from '#libs/broker-ports';
import { ProblemError } from '../http/problem-error.ts';
import type { Caller } from './caller.ts';
import { requireNotAbove, requireRoleGrantable } from './grants.ts';
import type { Guard } from './guard.ts';
import type { StoredRole } from './stored.ts';

const ROLES_MAX = 1_000;

/** Changes of roles that were made, each as far as whoever asks for it may: nobody gives or takes what they have not. */
export class RoleChanges {
  readonly #guard: Guard;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  /** Makes one; undefined when there is one with its id. @throws ProblemError when the caller may not, or there are too many. */
  async make(role: StoredRole, caller: Caller): Promise<StoredDefinition<StoredRole> | undefined> {
    const { made } = this.#guard.roles;
    requireRoleGrantable(caller, new Set(role.scopes));
    if ((await made.refresh()).size >= ROLES_MAX) {
      throw new ProblemError('limit-reached', `There may be ${ROLES_MAX} roles`);
    }
    const result = await made.store.put(role, undefined);
    if (result.kind !== 'stored') return undefined;
    await made.refresh();
    return result.stored;
  }

  /** Replaces exactly that one. @throws ProblemError when the caller may not, or nobody would be left who may do everything. */
  async replace(
    before: StoredDefinition<StoredRole>,
    role: StoredRole,
    caller: Caller,
  ): Promise<DefinitionWriteResult<StoredRole>> {
    const { roles, admins } = this.#guard;
    requireNotAbove(caller, new Set(before.item.scopes));
    requireRoleGrantable(caller, new Set(role.scopes));
    const result = await admins.keeping(
      (now) => ({ ...now, roles: now.roles.map((each) => (each.id === role.id ? role : each)) }),
      () => roles.made.store.put(role, before.revision),
    );
    await roles.made.refresh();
    return result;
  }

  /** Removes exactly that one. @throws ProblemError as replace(), and while a key or a binding names it. */
  async remove(
    { item: { id, scopes }, revision }: StoredDefinition<StoredRole>,
    caller: Caller,
  ): Promise<DefinitionWriteResult<StoredRole>> {
    const { roles, admins } = this.#guard;
    requireNotAbove(caller, new Set(scopes));
    // Whoever gives a role to somebody waits for the same lock: none is given while it goes.
    const result = await admins.keeping(
      (now) => {
        const isNamed = ({ role }: { readonly role?: string }) => role === id;
        if (now.bindings.some(isNamed) || now.keys.some(isNamed)) {
          throw new ProblemError('conflict', 'A key or a binding names the role');
        }
        return { ...now, roles: now.roles.filter((role) => role.id !== id) };
      },
      () => roles.made.store.remove(id, revision),
    );
    await roles.made.refresh();
    return result;
  }
}

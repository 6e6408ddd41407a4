import { BUILT_IN_ROLES, type Scope } from '#libs/api-contracts';
import type { ApiState } from '#libs/broker-ports';
import type { RoleSubject, StoredRole, StoredRoleBinding } from './stored.ts';
import { Watched } from './watched.ts';

const BUILT_IN = new Map<string, StoredRole>(
  Object.entries(BUILT_IN_ROLES).map(([id, role]) => [id, { id, ...role }]),
);

/** Whether a role is always there, and never changed. */
export function isBuiltIn(id: string): boolean {
  return BUILT_IN.has(id);
}

/** The roles that are always there. */
export function builtInRoles(): readonly StoredRole[] {
  return [...BUILT_IN.values()];
}

/** The scopes of some roles together; a role that is not there has none. */
export function scopesOf(
  ids: Iterable<string>,
  made: ReadonlyMap<string, Pick<StoredRole, 'scopes'>>,
): Set<Scope> {
  const scopes = new Set<Scope>();
  for (const id of ids) {
    for (const scope of (BUILT_IN.get(id) ?? made.get(id))?.scopes ?? []) scopes.add(scope);
  }
  return scopes;
}

/** The roles that bindings give to any of these subjects. */
export function rolesBoundTo(
  subjects: readonly RoleSubject[],
  bindings: Iterable<Pick<StoredRoleBinding, 'role' | 'subject'>>,
): Set<string> {
  const roles = new Set<string>();
  for (const { role, subject } of bindings) {
    if (subjects.some(({ kind, name }) => kind === subject.kind && name === subject.name)) {
      roles.add(role);
    }
  }
  return roles;
}

/** Roles that were made, and who has which. */
export class Roles {
  readonly made: Watched<StoredRole>;
  readonly bindings: Watched<StoredRoleBinding>;

  constructor(state: ApiState) {
    this.made = new Watched(state.definitions<StoredRole>('roles'));
    this.bindings = new Watched(state.definitions<StoredRoleBinding>('role-bindings'));
  }

  /** The roles that a caller has, those that are bound to it too, and what they allow. */
  async of(
    own: readonly string[],
    subjects: readonly RoleSubject[],
  ): Promise<{ readonly roles: readonly string[]; readonly scopes: Set<Scope> }> {
    const bound = rolesBoundTo(subjects, (await this.bindings.items()).values());
    const roles = [...new Set([...own, ...bound])].sort();
    return { roles, scopes: scopesOf(roles, await this.made.items()) };
  }

  /** One that is there now. */
  async find(id: string): Promise<StoredRole | undefined> {
    return BUILT_IN.get(id) ?? (await this.made.store.get(id))?.item;
  }
}

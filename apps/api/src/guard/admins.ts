import { ADMIN_ROLE, SCOPES, type Scope } from '#libs/api-contracts';
import type { ApiState } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { ProblemError } from '../http/problem-error.ts';
import type { ApiKeys } from './api-keys.ts';
import { rolesBoundTo, scopesOf, type Roles } from './roles.ts';
import type { StoredApiKey, StoredRole, StoredRoleBinding } from './stored.ts';

/** What admins are found with. */
export interface AdminsOptions {
  readonly config: Config;
  readonly state: ApiState;
  readonly keys: ApiKeys;
  readonly roles: Roles;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Who may do what, at a moment. */
export interface Grants {
  readonly keys: readonly StoredApiKey[];
  readonly roles: readonly StoredRole[];
  readonly bindings: readonly StoredRoleBinding[];
}

/** Under this name one replica at a time changes who may do what. */
const LOCK = { key: 'admins', bodyHash: '' };
const LOCK_MS = 5_000;
const TRIES_MAX = 20;
const TRY_MS = 50;

/** Sees to it that somebody stays who may do everything. */
export class Admins {
  readonly #options: AdminsOptions;

  constructor(options: AdminsOptions) {
    this.#options = options;
  }

  /** Whether somebody may do everything by the configuration, whatever is stored. */
  get areConfigured(): boolean {
    const { key, jwt } = this.#options.config.api;
    if (key !== undefined) return true;
    if (jwt.issuer === undefined || jwt.roleClaim === undefined) return false;
    const { roleMapping } = jwt;
    return roleMapping.length === 0 || roleMapping.some((each) => each.endsWith(`=${ADMIN_ROLE}`));
  }

  /**
   * Makes a change that may take something from somebody, one at a time in the cluster.
   *
   * @param after - who may do what after it; may refuse it with a ProblemError.
   * @throws ProblemError 409 when nobody would be left who may do everything.
   */
  async keeping<T>(after: (now: Grants) => Grants, change: () => Promise<T>): Promise<T> {
    return this.exclusively(async () => {
      const now = await this.#grants();
      const next = after(now);
      if (!this.areConfigured && this.#hasAdmin(now) && !this.#hasAdmin(next)) {
        throw new ProblemError('conflict', 'Nobody would be left who may do everything');
      }
      return change();
    });
  }

  /** Makes a change to who may do what while nobody else in the cluster makes one. @throws ProblemError 503. */
  async exclusively<T>(change: () => Promise<T>): Promise<T> {
    const { replies } = this.#options.state;
    const claim = await this.#lock();
    try {
      return await change();
    } finally {
      await replies.abandon({ key: LOCK.key, claim });
    }
  }

  /** Whether somebody may do everything. */
  async exist(): Promise<boolean> {
    return this.areConfigured || this.#hasAdmin(await this.#grants());
  }

  async #grants(): Promise<Grants> {
    const { keys, roles } = this.#options;
    const [stored, made, bindings] = await Promise.all([
      keys.store.list(),
      roles.made.refresh(),
      roles.bindings.refresh(),
    ]);
    return {
      keys: stored.map(({ item }) => item),
      roles: [...made.values()],
      bindings: [...bindings.values()],
    };
  }

  #hasAdmin({ keys, roles, bindings }: Grants): boolean {
    const made = new Map(roles.map((role) => [role.id, role]));
    const { config, now } = this.#options;
    const isEverything = (scopes: ReadonlySet<Scope>) => SCOPES.every((scope) => scopes.has(scope));
    const isAdmin = ({ id, role, scopes, topicPrefixes, expiresAtMs = Infinity }: StoredApiKey) => {
      if (topicPrefixes !== undefined || expiresAtMs <= now()) return false;
      const own = rolesBoundTo([{ kind: 'api_key', name: id }], bindings);
      if (role !== undefined) own.add(role);
      return isEverything(new Set([...scopesOf(own, made), ...scopes]));
    };
    if (keys.some(isAdmin)) return true;
    if (config.api.jwt.issuer === undefined) return false;
    return bindings.some(
      ({ role, subject }) => subject.kind !== 'api_key' && isEverything(scopesOf([role], made)),
    );
  }

  async #lock(): Promise<string> {
    const { replies } = this.#options.state;
    for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
      const begun = await replies.begin({ ...LOCK, leaseMs: LOCK_MS });
      if (begun.kind === 'fresh') return begun.claim;
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
    throw new ProblemError('overloaded', 'Somebody else changes who may do what; try again');
  }
}

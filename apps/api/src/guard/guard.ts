import { isDeepStrictEqual } from 'node:util';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AddressRange } from '#libs/access';
import { ADMIN_ROLE, SCOPES, type Operation } from '#libs/api-contracts';
import type { ApiState, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { ApiMeter } from '#libs/metrics-prom';
import { isLoopback, requireLocal } from '../http/access.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireContract } from '../http/route.ts';
import { Admins } from './admins.ts';
import { ApiKeys } from './api-keys.ts';
import { callerOf, requireScope, setCaller, type Caller } from './caller.ts';
import { credentialOf } from './credential.ts';
import { isSame } from './key-secret.ts';
import { RateLimits } from './rate-limits.ts';
import { Roles } from './roles.ts';
import { SharedSecret } from './shared-secret.ts';
import type { StoredApiKey } from './stored.ts';
import { TokenLogin } from './token-login.ts';

/** What the guard is made with. */
export interface GuardOptions {
  readonly config: Config;
  readonly state: ApiState;
  readonly meter: ApiMeter;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One request and what is said to it. */
interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The user with which Basic shows the key of the configuration. */
const BOOTSTRAP = 'bootstrap';

const EVERYTHING = { scopes: new Set(SCOPES), topicPrefixes: undefined, cidrs: [] } as const;

const LOCAL: Caller = {
  ...{ kind: 'local', id: 'local', name: 'this machine', roles: [ADMIN_ROLE] },
  ...{ ...EVERYTHING, expiresAtMs: undefined },
};

const CONFIGURED: Caller = {
  ...{ kind: 'bootstrap', id: BOOTSTRAP, name: 'key of the configuration', roles: [ADMIN_ROLE] },
  ...{ ...EVERYTHING, expiresAtMs: undefined },
};

/** Decides for each request who sends it and whether it may be served. */
export class Guard {
  readonly keys: ApiKeys;
  readonly roles: Roles;
  readonly limits: RateLimits;
  readonly admins: Admins;
  /** Loaded for whoever was let pass. */
  readonly secret: SharedSecret;
  readonly #options: GuardOptions;
  readonly #tokens: TokenLogin | undefined;

  constructor(options: GuardOptions) {
    const { config, state, meter, log, now } = options;
    this.#options = options;
    this.keys = new ApiKeys(state, now);
    this.roles = new Roles(state);
    this.limits = new RateLimits(config.api.rateLimits, state, meter);
    this.secret = new SharedSecret(state, config.api.key);
    this.admins = new Admins({ config, state, keys: this.keys, roles: this.roles, now });
    this.#tokens = TokenLogin.of(config.api.jwt, this.roles, log);
  }

  /**
   * Lets a request pass, or refuses it: by its credential, by how much its caller sends, by its scope.
   *
   * @param operation - undefined for a path that there is not: nobody unknown learns that.
   * @throws ProblemError 401, 403, 429 or 503.
   */
  async admit(exchange: Exchange, operation: Operation | undefined): Promise<void> {
    const scope = operation?.scope ?? 'any';
    const isOpen = await this.#isOpen(scope === 'none');
    if (isOpen) requireLocal(exchange.request.headers);
    if (scope === 'none') return;
    const caller = isOpen ? LOCAL : await this.#authenticate(exchange.request);
    setCaller(exchange.request, caller);
    await this.limits.take(caller, operation, exchange);
    await this.secret.load();
    if (scope !== 'any') requireScope(caller, scope);
    for (const more of operation?.alsoNeeds ?? []) requireScope(caller, more);
  }

  /**
   * Whether whoever was let pass would be now, for what is served on and on: a key may be revoked, expire, or lose a right.
   *
   * @throws ProblemError 503, or StoreUnavailableError, when that cannot be told.
   */
  async stillAdmits(request: FastifyRequest, operation: Operation | undefined): Promise<boolean> {
    const before = callerOf(request);
    if (before === undefined) return true;
    const now = await this.#callerNow(before, request);
    if (now === undefined) return false;
    const { scope = 'any', alsoNeeds = [] } = operation ?? {};
    const needed = [...alsoNeeds, ...(scope === 'any' || scope === 'none' ? [] : [scope])];
    // What is shown was settled when the request came.
    if (before.scopes.has('payloads:read')) needed.push('payloads:read');
    const isSame = isDeepStrictEqual(now.topicPrefixes, before.topicPrefixes);
    return isSame && needed.every((each) => now.scopes.has(each));
  }

  /**
   * Counts what a request holds, once that is known. A list that breaks its contract is told so and not counted: whoever
   * has to mend it would otherwise first have to wait.
   *
   * @throws ProblemError 400, 403 or 415 for such a list; 429 or 503.
   */
  async weigh({ request, reply }: Exchange, operation: Operation | undefined): Promise<void> {
    const caller = callerOf(request);
    const items = itemsOf(request.body);
    if (caller === undefined || items < 2) return;
    if (operation !== undefined) requireContract(request, operation);
    await this.limits.takeMore(caller, operation, { reply, items });
  }

  /** Whether this machine is served without a credential: on loopback, as long as there is none that it could show. */
  async #isOpen(isPublic: boolean): Promise<boolean> {
    const { key, host } = this.#options.config.api;
    if (key !== undefined || this.#tokens !== undefined || !isLoopback(host)) return false;
    // What is public needs no store, which may be away.
    return isPublic ? !this.keys.areKnownToExist : !(await this.keys.exist());
  }

  /** A caller as it is by now; undefined for one that would not be let in. */
  async #callerNow(before: Caller, request: FastifyRequest): Promise<Caller | undefined> {
    if (before.kind === 'local') return (await this.#isOpen(false)) ? before : undefined;
    const credential = credentialOf(request.headers.authorization);
    if (before.kind === 'bootstrap' || credential.kind !== 'secret') return before;
    const { secret, user } = credential;
    if (before.kind === 'jwt') {
      const verdict = await this.#tokens?.identify(secret);
      return verdict?.kind === 'known' ? verdict.caller : undefined;
    }
    const verdict = await this.keys.identify(secret, user);
    if (verdict.kind !== 'known') return undefined;
    const caller = await this.#callerOf(verdict.key);
    return isAt(caller, request.ip) ? caller : undefined;
  }

  async #authenticate(request: FastifyRequest): Promise<Caller> {
    const credential = credentialOf(request.headers.authorization);
    if (credential.kind === 'none') throw this.#unknown('api_key', 'A credential is needed');
    if (credential.kind === 'unreadable') {
      await this.limits.failed(request.ip);
      throw this.#unknown('api_key', 'The credential is of no kind that is taken');
    }
    const { secret, user } = credential;
    if (user !== undefined) requireOwnSite(request);
    const { key } = this.#options.config.api;
    if (key !== undefined && isSame(secret, key) && (user ?? BOOTSTRAP) === BOOTSTRAP) {
      this.#options.meter.authenticated('api_key', 'allowed');
      return CONFIGURED;
    }
    const isToken = user === undefined && !secret.startsWith('skn_') && this.#tokens !== undefined;
    const kind = isToken ? 'jwt' : 'api_key';
    const verdict = isToken
      ? await this.#tokens.identify(secret)
      : await this.keys.identify(secret, user);
    if (verdict.kind === 'known') {
      const caller = 'caller' in verdict ? verdict.caller : await this.#callerOf(verdict.key);
      return this.#arrived(caller, { kind, address: request.ip });
    }
    await this.limits.failed(request.ip);
    if (verdict.kind === 'unknown') throw this.#unknown(kind, 'The credential is wrong');
    this.#options.meter.authenticated(kind, 'expired');
    throw new ProblemError('expired-credential', 'The credential has expired', CHALLENGE);
  }

  /** A caller that is who it says; it has to be where it may be. */
  async #arrived(
    caller: Caller,
    { kind, address }: { readonly kind: 'api_key' | 'jwt'; readonly address: string },
  ): Promise<Caller> {
    const { meter } = this.#options;
    if (!isAt(caller, address)) {
      await this.limits.failed(address);
      meter.authenticated(kind, 'denied');
      throw new ProblemError('ip-not-allowed', 'The key may not be used from this address');
    }
    meter.authenticated(kind, 'allowed');
    if (caller.kind === 'api_key') void this.keys.used(caller.id.slice('key:'.length));
    return caller;
  }

  async #callerOf(key: StoredApiKey): Promise<Caller> {
    const { id, name, role, topicPrefixes, cidrs, expiresAtMs } = key;
    const own = role === undefined ? [] : [role];
    const { roles, scopes } = await this.roles.of(own, [{ kind: 'api_key', name: id }]);
    for (const scope of key.scopes) scopes.add(scope);
    return {
      ...{ kind: 'api_key', id: `key:${id}`, name, roles, scopes, topicPrefixes, cidrs },
      expiresAtMs,
    };
  }

  #unknown(kind: 'api_key' | 'jwt', detail: string): ProblemError {
    this.#options.meter.authenticated(kind, 'denied');
    return new ProblemError('unauthenticated', detail, CHALLENGE);
  }
}

/** Basic is not offered: a browser would ask its user, keep what it is told, and send it along with what other sites ask for. */
const CHALLENGE = { headers: { 'www-authenticate': 'Bearer realm="skein"' } };

/** A browser sends a Basic credential that it has kept also for pages of others: those are not served. @throws ProblemError 403. */
function requireOwnSite({ headers }: FastifyRequest): void {
  const site = headers['sec-fetch-site'];
  const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
  const { origin, host = '' } = headers;
  const isOther = origin !== undefined && URL.parse(origin)?.host !== host;
  if (isForeign || isOther) {
    throw new ProblemError('forbidden', 'With Basic no other origin is served');
  }
}

/** How much a body asks for at once: a list, or a body whose only list it is (`ids`, `requests`). */
function itemsOf(body: unknown): number {
  if (Array.isArray(body)) return body.length;
  if (typeof body !== 'object' || body === null) return 1;
  return Object.values(body).reduce(
    (most: number, value) => (Array.isArray(value) ? Math.max(most, value.length) : most),
    1,
  );
}

/** Whether a caller is where it may be. */
function isAt({ cidrs }: Caller, address: string): boolean {
  return cidrs.length === 0 || cidrs.some((each) => isWithin(each, address));
}

function isWithin(network: string, address: string): boolean {
  return AddressRange.parse(network)?.has(address) === true;
}

import { TokenVerifier, claimOf, groupsOf } from '#libs/access-sources';
import type { Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { ProblemError } from '../http/problem-error.ts';
import type { Caller } from './caller.ts';
import type { Roles } from './roles.ts';
import type { RoleSubject } from './stored.ts';

/** Verifications under way at a time: each costs time of the processor, before anybody is known. */
const VERIFICATIONS_MAX = 100;
const SUBJECT_MAX = 256;

/** Who shows a token. */
export type TokenVerdict =
  | { readonly kind: 'known'; readonly caller: Caller }
  | { readonly kind: 'expired' }
  | { readonly kind: 'unknown' };

/** Tokens of the issuer as credentials: what they allow is said by their roles and by role bindings. */
export class TokenLogin {
  readonly #settings: Config['api']['jwt'];
  readonly #verifier: TokenVerifier;
  readonly #roles: Roles;
  #underWay = 0;

  private constructor(settings: Config['api']['jwt'], verifier: TokenVerifier, roles: Roles) {
    this.#settings = settings;
    this.#verifier = verifier;
    this.#roles = roles;
  }

  /** Undefined when no issuer is configured. */
  static of(settings: Config['api']['jwt'], roles: Roles, log: Log): TokenLogin | undefined {
    const { issuer, audience } = settings;
    if (issuer === undefined || audience === undefined) return undefined;
    const verifier = new TokenVerifier({ ...settings, issuer, audience }, Date.now, log);
    return new TokenLogin(settings, verifier, roles);
  }

  /** @throws ProblemError 503 when the keys of the issuer cannot be read, or too many tokens come at once. */
  async identify(token: string): Promise<TokenVerdict> {
    if (!TokenVerifier.isToken(token)) return { kind: 'unknown' };
    const verified = await this.#verify(token);
    if (verified.kind === 'invalid') {
      return { kind: verified.detail === 'ERR_JWT_EXPIRED' ? 'expired' : 'unknown' };
    }
    const { claims } = verified;
    const { groupsClaim, roleClaim, leewaySeconds } = this.#settings;
    const groups = groupsOf(claimOf(claims, groupsClaim));
    const named = roleClaim === undefined ? [] : groupsOf(claimOf(claims, roleClaim));
    const subject = claims.sub;
    if (groups === undefined || named === undefined) return { kind: 'unknown' };
    if (typeof subject !== 'string' || subject === '' || subject.length > SUBJECT_MAX) {
      return { kind: 'unknown' };
    }
    const subjects: RoleSubject[] = [
      { kind: 'subject', name: subject },
      ...groups.map((name): RoleSubject => ({ kind: 'group', name })),
    ];
    const { roles, scopes } = await this.#roles.of(this.#mapped(named), subjects);
    const expiresAtMs = (claims.exp + leewaySeconds) * 1_000;
    return {
      kind: 'known',
      caller: {
        ...{ kind: 'jwt', id: `jwt:${subject}`, name: subject, roles, scopes, cidrs: [] },
        ...{ topicPrefixes: undefined, expiresAtMs },
      },
    };
  }

  async #verify(token: string) {
    if (this.#underWay >= VERIFICATIONS_MAX) {
      throw new ProblemError('overloaded', 'Too many tokens are being verified');
    }
    this.#underWay += 1;
    try {
      return await this.#verifier.verify(token);
    } catch (cause) {
      const detail = 'The keys of the issuer of tokens cannot be read at the moment';
      throw Object.assign(new ProblemError('storage-unavailable', detail), { cause });
    } finally {
      this.#underWay -= 1;
    }
  }

  #mapped(named: readonly string[]): readonly string[] {
    const { roleMapping } = this.#settings;
    if (roleMapping.length === 0) return named;
    return roleMapping.flatMap((entry) => {
      const split = entry.lastIndexOf('=');
      return named.includes(entry.slice(0, split)) ? [entry.slice(split + 1)] : [];
    });
  }
}

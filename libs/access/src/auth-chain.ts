import type { AuthSource, SourceVerdict } from './auth-source.ts';
import type { Login } from './identity.ts';
import type { AuthExchange, Authenticator, LoginVerdict } from './authenticator.ts';
import type { PasswordCheck } from './password-check.ts';
import { ScramExchange } from './scram-exchange.ts';
import { isScramMechanism } from './scram-mechanism.ts';
import type { KnownUser, UserDirectory } from './user-directory.ts';

/** Who is asked, and what becomes of those whom nobody knows. */
export interface AuthChainParts {
  /** In their order. */
  readonly sources: readonly AuthSource[];
  readonly passwords: PasswordCheck;
  /** Whether clients that show neither name nor password may connect. */
  readonly anonymous: boolean;
}

/**
 * Asks one source after the other: the first that knows the client decides. One that cannot tell refuses it, for the next
 * might let in whom it would have kept out.
 *
 * @remarks Where users have passwords, a user whom no source knows costs the same time and gets the same answers as one with
 * a wrong password.
 */
export class AuthChain implements Authenticator {
  readonly #parts: AuthChainParts;
  readonly #directories: readonly UserDirectory[];

  constructor(parts: AuthChainParts) {
    this.#parts = parts;
    this.#directories = parts.sources
      .map(({ directory }) => directory)
      .filter((directory) => directory !== undefined);
  }

  /** Who is asked, in their order. */
  get sources(): readonly AuthSource[] {
    return this.#parts.sources;
  }

  /** Asks the sources in their order; never rejects. */
  async login(login: Login): Promise<LoginVerdict> {
    for (const source of this.#parts.sources) {
      const { backend } = source;
      const verdict = await ask(source, login);
      if (verdict.kind === 'not-mine') continue;
      if (verdict.kind !== 'denied') return { ...verdict, backend };
      return { kind: 'denied', reason: 'credentials', detail: verdict.detail, backend };
    }
    return await this.#unknown(login);
  }

  exchange(method: string, login: Login): AuthExchange | undefined {
    if (isScramMechanism(method)) {
      if (this.#directories.length === 0) return undefined;
      const find = (user: string): Promise<KnownUser | undefined> => this.#find(user);
      return new ScramExchange(method, { find }, this.#parts.passwords);
    }
    for (const source of this.#parts.sources) {
      const exchange = source.exchange?.(method, login);
      if (exchange !== undefined) return exchange;
    }
    return undefined;
  }

  async #unknown({ username, password, address }: Login): Promise<LoginVerdict> {
    if (username === undefined) {
      const isAllowed = this.#parts.anonymous && password === undefined;
      if (isAllowed)
        return { kind: 'allowed', backend: 'anonymous', identity: { user: undefined } };
      return { kind: 'denied', backend: 'anonymous', reason: 'anonymous' };
    }
    if (this.#directories.length > 0) {
      const verdict = await this.#parts.passwords.pretend(username, password, address);
      if (verdict === 'busy') return { kind: 'busy', backend: 'password' };
    }
    return { kind: 'denied', backend: 'password', reason: 'credentials' };
  }

  async #find(user: string): Promise<KnownUser | undefined> {
    for (const directory of this.#directories) {
      const known = await directory.find(user);
      if (known !== undefined) return known;
    }
    return undefined;
  }
}

async function ask(
  source: AuthSource,
  login: Login,
): Promise<SourceVerdict | { readonly kind: 'failed'; readonly detail: string }> {
  try {
    return await source.login(login);
  } catch (error) {
    return { kind: 'failed', detail: String(error) };
  }
}

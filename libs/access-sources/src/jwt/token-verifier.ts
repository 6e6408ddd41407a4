import { readFile } from 'node:fs/promises';
import type { Log } from '#libs/broker-ports';
import { fetchText } from './fetch-text.ts';
import { PUBLIC_ALGORITHMS } from './jwt-algorithms.ts';
import { KeySet } from './key-set.ts';
import { verifyToken, type VerifiedToken } from './jwt-verifier.ts';

/** Whose tokens are taken, and where the keys of that issuer are. */
export interface TokenVerifierSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Absent, as `jwksFile`: what the issuer's OpenID Connect discovery document names. */
  readonly jwksUrl?: string | undefined;
  readonly jwksFile?: string | undefined;
  /** Absent: all those of public keys. A shared secret is never one. */
  readonly algorithms?: readonly string[] | undefined;
  readonly leewaySeconds: number;
  readonly refreshMs: number;
  readonly timeoutMs: number;
}

/** Longer ones are refused unread. */
const TOKEN_BYTES_MAX = 16_384;
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Verifies the tokens of one issuer: signature, algorithm, times, issuer and audience.
 *
 * @remarks Nothing is remembered: a token counts by the keys that are there when it is shown.
 */
export class TokenVerifier {
  readonly #settings: TokenVerifierSettings;
  readonly #keys: KeySet;
  readonly #nowMs: () => number;

  constructor(settings: TokenVerifierSettings, nowMs: () => number, log: Log) {
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#keys = new KeySet({
      nowMs,
      refreshMs: settings.refreshMs,
      load: () => readKeys(settings),
      changed: () => log.info('token-keys-changed', {}),
      failed: (reason) => log.warn('token-keys-unread', { reason }),
    });
  }

  /** Whether a credential looks like a token at all. */
  static isToken(text: string): boolean {
    return text.length <= TOKEN_BYTES_MAX && TOKEN.test(text);
  }

  /** Rejects when the keys of the issuer could not be had. */
  async verify(token: string): Promise<VerifiedToken> {
    this.#keys.refresh();
    const { algorithms = PUBLIC_ALGORITHMS, issuer, audience, leewaySeconds } = this.#settings;
    const parts = { key: this.#keys.find, algorithms, issuer, audience, leewaySeconds };
    return verifyToken(token, parts, this.#nowMs());
  }
}

async function readKeys(settings: TokenVerifierSettings): Promise<string> {
  const { jwksFile, jwksUrl, issuer, timeoutMs } = settings;
  if (jwksFile !== undefined) return readFile(jwksFile, 'utf8');
  return fetchText(jwksUrl ?? (await discover(issuer, timeoutMs)), timeoutMs);
}

/** Where the discovery document of an issuer says that its keys are: under a scheme that is as safe. */
async function discover(issuer: string, timeoutMs: number): Promise<string> {
  const place = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = JSON.parse(await fetchText(place, timeoutMs)) as {
    readonly issuer?: unknown;
    readonly jwks_uri?: unknown;
  } | null;
  if (found?.issuer !== issuer) throw new Error('the discovery document is of another issuer');
  const { jwks_uri: uri } = found;
  const scheme = typeof uri === 'string' ? URL.parse(uri)?.protocol : undefined;
  if (typeof uri !== 'string' || (scheme !== 'https:' && scheme !== URL.parse(issuer)?.protocol)) {
    throw new Error('the discovery document names no usable keys');
  }
  return uri;
}

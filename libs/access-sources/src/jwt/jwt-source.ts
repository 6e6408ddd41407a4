import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import {
  saslprep,
  type AuthExchange,
  type AuthSource,
  type AuthStep,
  type Login,
  type SourceVerdict,
} from '#libs/access';
import { BoundedCache } from '../bounded-cache.ts';
import {
  identityOfClaims,
  type ClaimNames,
  type ParseRules,
  type TokenIdentity,
} from './jwt-claims.ts';
import { verifyToken, type JwtVerifierParts } from './jwt-verifier.ts';

/** What tokens mean. */
export interface JwtSourceParts extends JwtVerifierParts {
  readonly claims: ClaimNames;
  readonly parseRules: ParseRules;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Called now and then, for keys that are to be read again. */
  readonly refresh?: () => void;
}

/** A token that was verified, for as long as its keys stay. */
interface Verified extends TokenIdentity {
  /** What it takes to remember it, about. */
  readonly bytes: number;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

const TOKEN_BYTES_MAX = 16_384;
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** Of tokens that are remembered; what is made of a text takes some times as much. */
const REMEMBERED_BYTES_MAX = 64 * 1024 * 1024;
const OVERHEAD_BYTES = 1_024;
/** Tokens verified at a time. */
const VERIFICATIONS_MAX = 1_000;
/** The authentication method of MQTT 5: the data of CONNECT, or of a later AUTH, is the token. */
const METHOD = 'JWT';

/**
 * JSON Web Tokens as passwords, or as the data of the authentication method `JWT`.
 *
 * @remarks The key decides which algorithms may be: `none` is never one, and a public key is never a secret. A token that was
 * verified is recognised by its digest until its keys change.
 */
export class JwtSource implements AuthSource {
  readonly backend = 'jwt';
  readonly #parts: JwtSourceParts;
  readonly #verified: BoundedCache<Verified>;
  #verifying = 0;
  /** Counts the changes of keys: what was begun before one is not remembered after it. */
  #keysVersion = 0;

  constructor(parts: JwtSourceParts) {
    this.#parts = parts;
    this.#verified = new BoundedCache(REMEMBERED_BYTES_MAX, ({ bytes }) => bytes);
  }

  /** Forgets every token that was verified: the keys have changed. */
  forget(): void {
    this.#keysVersion += 1;
    this.#verified.clear();
  }

  /** Takes the password for a token, if it looks like one. */
  async login(login: Login): Promise<SourceVerdict> {
    const token = tokenOf(login.password);
    if (token === undefined) return { kind: 'not-mine' };
    return await this.#judge(token, login);
  }

  exchange(method: string, login: Login): AuthExchange | undefined {
    if (method !== METHOD) return undefined;
    const step = async (data: Uint8Array | undefined): Promise<AuthStep> => {
      const token = tokenOf(data);
      const verdict = token === undefined ? undefined : await this.#judge(token, login);
      if (verdict?.kind === 'denied') return verdict;
      const identity = verdict?.kind === 'allowed' ? verdict.identity : undefined;
      const user = identity?.user;
      if (user !== undefined) return { kind: 'allowed', identity: { ...identity, user } };
      if (verdict?.kind === 'busy') throw new Error('too many tokens are being verified');
      return { kind: 'denied', detail: 'that is no token of this issuer' };
    };
    return { backend: this.backend, step };
  }

  async #judge(token: string, { username, clientId }: Login): Promise<SourceVerdict> {
    const { issuer, nowMs, leewaySeconds, refresh } = this.#parts;
    refresh?.();
    if (issuer !== undefined && issuerOf(token) !== issuer) return { kind: 'not-mine' };
    const digest = createHash('sha256').update(token).digest('base64');
    let verified = this.#verified.get(digest);
    if (verified === undefined) {
      if (this.#verifying >= VERIFICATIONS_MAX) return { kind: 'busy' };
      const keysVersion = this.#keysVersion;
      const verdict = await this.#verify(token);
      if (typeof verdict === 'string') return { kind: 'denied', detail: verdict };
      verified = verdict;
      if (keysVersion === this.#keysVersion) this.#verified.set(digest, verified);
    }
    const leewayMs = leewaySeconds * 1000;
    if (nowMs() >= verified.expiresAtMs + leewayMs) return denied('the token has expired');
    if (nowMs() < verified.notBeforeMs - leewayMs) return denied('the token is not valid yet');
    const { identity } = verified;
    if (verified.clientId !== undefined && verified.clientId !== clientId) {
      return denied('the token is for another client id');
    }
    const shown = username === undefined ? undefined : saslprep(username);
    if (shown !== undefined && !(shown.kind === 'prepared' && shown.text === identity.user)) {
      return denied('the user name is not that of the token');
    }
    const expiresAtMs = verified.expiresAtMs + leewayMs;
    return { kind: 'allowed', identity: { ...identity, expiresAtMs } };
  }

  async #verify(token: string): Promise<Verified | string> {
    this.#verifying += 1;
    try {
      const verdict = await verifyToken(token, this.#parts, this.#parts.nowMs());
      if (verdict.kind === 'invalid') return verdict.detail;
      const { claims } = verdict;
      const found = identityOfClaims(claims, this.#parts.claims, this.#parts.parseRules);
      if (typeof found === 'string') return found;
      const notBeforeMs = (claims.nbf ?? 0) * 1000;
      const bytes = OVERHEAD_BYTES + 4 * token.length;
      return { ...found, notBeforeMs, expiresAtMs: claims.exp * 1000, bytes };
    } finally {
      this.#verifying -= 1;
    }
  }
}

function denied(detail: string): SourceVerdict {
  return { kind: 'denied', detail };
}

/** Bytes that look like a token; undefined for any other password. */
function tokenOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined || bytes.length > TOKEN_BYTES_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!TOKEN.test(text)) return undefined;
  try {
    return typeof decodeProtectedHeader(text).alg === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Who a token says it is of, before it is verified: it tells whose token it may be. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

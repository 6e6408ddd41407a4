import {
  jwtVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTPayload,
  type KeyObject,
} from 'jose';
import { codeOf } from './key-set.ts';

/** The key of a token, or whoever finds it. */
export type TokenKey =
  | KeyObject
  | ((header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey | KeyObject>);

/** What tokens are verified with. */
export interface JwtVerifierParts {
  readonly key: TokenKey;
  /** What the key is for: a token that names another algorithm is refused before anything is computed. */
  readonly algorithms: readonly string[];
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly leewaySeconds: number;
}

/** What became of a token. */
export type VerifiedToken =
  | { readonly kind: 'valid'; readonly claims: JWTPayload & { readonly exp: number } }
  /** `detail` names what is wrong, and repeats nothing of the token. */
  | { readonly kind: 'invalid'; readonly detail: string };

/**
 * Verifies the signature, the times, the issuer and the audience of a token.
 *
 * @returns rejects when the keys could not be had.
 */
export async function verifyToken(
  token: string,
  parts: JwtVerifierParts,
  nowMs: number,
): Promise<VerifiedToken> {
  const options = {
    algorithms: [...parts.algorithms],
    clockTolerance: parts.leewaySeconds,
    currentDate: new Date(nowMs),
    requiredClaims: ['exp'],
    ...(parts.issuer !== undefined && { issuer: parts.issuer }),
    ...(parts.audience !== undefined && { audience: parts.audience }),
  };
  try {
    const { payload } =
      typeof parts.key === 'function'
        ? await jwtVerify(token, parts.key, options)
        : await jwtVerify(token, parts.key, options);
    const { exp } = payload;
    if (exp === undefined || !Number.isSafeInteger(Math.ceil(exp))) {
      return { kind: 'invalid', detail: 'exp is no time' };
    }
    return { kind: 'valid', claims: { ...payload, exp } };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') {
      return await verifyByAny(token, error as AsyncIterable<CryptoKey>, { parts, nowMs });
    }
    if (code?.startsWith('ERR_J') !== true) throw error;
    return { kind: 'invalid', detail: code };
  }
}

/** A token without a key id may be of any key of the set that fits its algorithm. */
async function verifyByAny(
  token: string,
  keys: AsyncIterable<CryptoKey>,
  { parts, nowMs }: { readonly parts: JwtVerifierParts; readonly nowMs: number },
): Promise<VerifiedToken> {
  let verdict: VerifiedToken = { kind: 'invalid', detail: 'ERR_JWKS_NO_MATCHING_KEY' };
  for await (const key of keys) {
    verdict = await verifyToken(token, { ...parts, key: () => Promise.resolve(key) }, nowMs);
    if (verdict.kind === 'valid') break;
  }
  return verdict;
}

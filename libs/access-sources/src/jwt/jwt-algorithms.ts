import type { KeyObject } from 'node:crypto';

/** Algorithms of a shared secret. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;

const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const CURVE_ALGORITHMS = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/** Algorithms of keys of which only one half is told. */
export const PUBLIC_ALGORITHMS: readonly string[] = [
  ...RSA_ALGORITHMS,
  ...CURVE_ALGORITHMS.values(),
  'EdDSA',
  'Ed25519',
];

/** What a public key can check; nothing for one that is of no use. The key says it, never the token. */
export function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return RSA_ALGORITHMS;
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  const algorithm = type === 'ec' ? CURVE_ALGORITHMS.get(details?.namedCurve ?? '') : undefined;
  return algorithm === undefined ? [] : [algorithm];
}

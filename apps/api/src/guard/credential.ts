/** What a caller shows. */
export type Credential =
  | { readonly kind: 'none' }
  /** Of another scheme, or not well-formed. */
  | { readonly kind: 'unreadable' }
  /** `user` is there with Basic: the id of the key that the secret is of. */
  | { readonly kind: 'secret'; readonly secret: string; readonly user?: string };

const CREDENTIAL_MAX = 16_384;
const BEARER = /^bearer +([\x21-\x7e]+)$/i;
const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i;

/** Reads the Authorization header. With Basic the user ends at the first colon; a secret may hold more of them. */
export function credentialOf(header: string | undefined): Credential {
  if (header === undefined) return { kind: 'none' };
  if (header.length > CREDENTIAL_MAX) return { kind: 'unreadable' };
  const [, secret] = BEARER.exec(header) ?? [];
  if (secret !== undefined) return { kind: 'secret', secret };
  const [, encoded] = BASIC.exec(header) ?? [];
  if (encoded === undefined) return { kind: 'unreadable' };
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return { kind: 'unreadable' };
  return { kind: 'secret', user: text.slice(0, colon), secret: text.slice(colon + 1) };
}

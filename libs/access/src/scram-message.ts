import { decodeBase64, encodeBase64 } from './base64.ts';

/*
 * The messages of SCRAM (RFC 5802, section 7)
 *
 *   client-first  gs2-header "n=" user ",r=" nonce [extensions]      gs2-header: ("n" / "y") "," ["a=" authzid] ","
 *   server-first  "r=" nonce ",s=" salt ",i=" iterations
 *   client-final  "c=" base64(gs2-header) ",r=" nonce [extensions] ",p=" proof
 *   server-final  "v=" signature
 *
 * "," and "=" in a name are written "=2C" and "=3D".
 */

/** A longer message is refused unread: a name of 1,024 bytes in its longest form and a nonce fit. */
export const SCRAM_MESSAGE_BYTES_MAX = 4096;

/** What is wrong with a message of a client. */
export type ScramFault =
  | 'message too long'
  | 'message is no text'
  | 'channel binding is not offered'
  | 'extension is not known'
  | 'message is malformed';

/** How a client begins. */
export interface ClientFirst {
  readonly gs2Header: string;
  /** Whom the client wants to act for. */
  readonly authzid: string | undefined;
  readonly user: string;
  readonly nonce: string;
  /** The message without the GS2 header: the first part of what is signed. */
  readonly bare: string;
}

/** How a client ends. */
export interface ClientFinal {
  /** The GS2 header, repeated. */
  readonly channelBinding: string;
  readonly nonce: string;
  readonly proof: Uint8Array;
  /** The last part of what is signed. */
  readonly withoutProof: string;
}

const NAME = '(?:[^,=]|=2C|=3D)+';
const NONCE = '[\\x21-\\x2B\\x2D-\\x7E]+';
// RFC 5802, section 5.1: "m" is there for extensions that must not be ignored.
const EXTENSIONS = '(?:,(?!m=)[A-Za-z]=[^,]+)*';
const BASE64 = '[A-Za-z0-9+/=]+';

const HEADER = new RegExp(`^(?:n|y|(?<binding>p=[^,]*)),(?:a=(?<authzid>${NAME}))?,`, 'u');
const BARE = new RegExp(`^n=(?<user>${NAME}),r=(?<nonce>${NONCE})${EXTENSIONS}$`, 'u');
const FINAL = new RegExp(
  `^(?<withoutProof>c=(?<binding>${BASE64}),r=(?<nonce>${NONCE})${EXTENSIONS}),p=(?<proof>${BASE64})$`,
  'u',
);
const MANDATORY_EXTENSION = /^m=|,m=/;

/** Reads client-first-message. */
export function parseClientFirst(data: Uint8Array): ClientFirst | ScramFault {
  const text = textOf(data);
  if (typeof text !== 'object') return text;
  const header = HEADER.exec(text.value);
  if (header?.groups === undefined) return 'message is malformed';
  if (header.groups['binding'] !== undefined) return 'channel binding is not offered';
  const [gs2Header] = header;
  const bare = text.value.slice(gs2Header.length);
  const found = BARE.exec(bare)?.groups;
  if (found === undefined) return faultOf(bare);
  const authzid = header.groups['authzid'];
  return {
    gs2Header,
    authzid: authzid === undefined ? undefined : nameOf(authzid),
    user: nameOf(found['user'] ?? ''),
    nonce: found['nonce'] ?? '',
    bare,
  };
}

/** Reads client-final-message. */
export function parseClientFinal(data: Uint8Array): ClientFinal | ScramFault {
  const text = textOf(data);
  if (typeof text !== 'object') return text;
  const found = FINAL.exec(text.value)?.groups;
  if (found === undefined) return faultOf(text.value);
  const channelBinding = decodeBase64(found['binding'] ?? '');
  const proof = decodeBase64(found['proof'] ?? '');
  if (channelBinding === undefined || proof === undefined) return 'message is malformed';
  return {
    channelBinding: utf8Of(channelBinding),
    nonce: found['nonce'] ?? '',
    proof,
    withoutProof: found['withoutProof'] ?? '',
  };
}

/** server-first-message. */
export function formatServerFirst(
  nonce: string,
  { salt, iterations }: { readonly salt: Uint8Array; readonly iterations: number },
): string {
  return `r=${nonce},s=${encodeBase64(salt)},i=${String(iterations)}`;
}

/** server-final-message. */
export function formatServerFinal(signature: Uint8Array): string {
  return `v=${encodeBase64(signature)}`;
}

/** Bytes of a text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

function textOf(data: Uint8Array): { readonly value: string } | ScramFault {
  if (data.length > SCRAM_MESSAGE_BYTES_MAX) return 'message too long';
  const value = utf8Of(data);
  // U+FFFD stands for bytes that are no UTF-8; as a character of a name it is prohibited anyway.
  return value.includes('\uFFFD') || value.includes('\0') ? 'message is no text' : { value };
}

function utf8Of(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
}

function faultOf(text: string): ScramFault {
  return MANDATORY_EXTENSION.test(text) ? 'extension is not known' : 'message is malformed';
}

function nameOf(saslname: string): string {
  return saslname.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

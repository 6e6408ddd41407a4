import { isUtf8 } from 'node:buffer';
import type { OutgoingHttpHeaders } from 'node:http';
import type { SinkRecord } from '#libs/bridge';

/** What is posted. */
export interface HttpBody {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Headers that decide how a request is read: they are the client's alone. */
const FRAMING = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

/** The record as it is: its value is the body, its headers are headers, percent-encoded where HTTP has no room for them. */
export function singleBody({ headers, value }: SinkRecord): HttpBody {
  const posted: OutgoingHttpHeaders = { 'content-type': 'application/octet-stream' };
  for (const [name, text] of Object.entries(headers)) {
    const token = escaped(name, /[^!#$&'*+\-.^_`|~\w]/g).toLowerCase();
    if (token === '' || FRAMING.has(token)) continue;
    posted[token] = Array.isArray(text) ? text.map(headerValue) : headerValue(text);
  }
  return { headers: posted, body: value };
}

/** Records as a JSON array, or a line of JSON for each. */
export function batchBody(records: readonly SinkRecord[], format: 'json' | 'ndjson'): HttpBody {
  const items = records.map((record) => JSON.stringify(itemOf(record)));
  const json = format === 'json';
  return {
    headers: { 'content-type': json ? 'application/json' : 'application/x-ndjson' },
    body: Buffer.from(json ? `[${items.join(',')}]` : `${items.join('\n')}\n`),
  };
}

function itemOf({ key, headers, value, timestampMs }: SinkRecord): object {
  const plain = isUtf8(value);
  return {
    key: jsonText(key),
    timestamp: new Date(timestampMs).toISOString(),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [
        name,
        Buffer.isBuffer(text) ? jsonText(text) : text,
      ]),
    ),
    payload: value.toString(plain ? 'utf8' : 'base64'),
    payload_encoding: plain ? 'plain' : 'base64',
  };
}

/** JSON holds text only: other bytes say what they are. */
function jsonText(bytes: Buffer): string | { readonly base64: string } {
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}

/** Spaces at the ends would be lost on the way. */
function headerValue(text: string | Buffer): string {
  return escaped(text, /[^ -$&-~]|^ | $/g);
}

/** Percent-encodes the bytes that match; a percent sign always does, so that the rest can be told from it. */
function escaped(text: string | Buffer, unsafe: RegExp): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll(
      unsafe,
      (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
    );
}

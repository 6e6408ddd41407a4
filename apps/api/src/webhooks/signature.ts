import { createHmac } from 'node:crypto';

/** A request as it is signed. */
export interface SignedParts {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers of a signed request (Standard Webhooks): HMAC-SHA256 over id, time and body. */
export function signedHeaders(
  { id, timestamp, body }: SignedParts,
  secret: Buffer,
): Readonly<Record<string, string>> {
  const signature = createHmac('sha256', secret)
    .update(`${id}.${String(timestamp)}.${body}`)
    .digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}

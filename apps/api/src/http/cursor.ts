import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ProblemError } from './problem-error.ts';

const LIFETIME_MS = 3_600_000;
const MAC_BYTES = 16;

/** What cursors are made with. */
export interface CursorsOptions {
  /** The same on every replica of the API. */
  readonly secret: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Makes and reads cursors: signed, bound to the query they continue, valid for an hour. */
export class Cursors {
  readonly #secret: () => string;
  readonly #now: () => number;

  constructor({ secret, now }: CursorsOptions) {
    this.#secret = secret;
    this.#now = now;
  }

  /** A cursor that continues the query after a position. */
  encode(query: string, after: unknown): string {
    const content = Buffer.from(JSON.stringify([this.#now() + LIFETIME_MS, after]));
    return Buffer.concat([this.#mac(query, content), content]).toString('base64url');
  }

  /**
   * The position that a cursor of the query names.
   *
   * @throws ProblemError when it was altered, made for another query, or has expired.
   */
  decode<Position>(query: string, cursor: string): Position {
    const bytes = Buffer.from(cursor, 'base64url');
    const mac = bytes.subarray(0, MAC_BYTES);
    const content = bytes.subarray(MAC_BYTES);
    if (mac.length < MAC_BYTES || !timingSafeEqual(mac, this.#mac(query, content))) {
      throw new ProblemError('invalid-cursor', 'The cursor does not belong to this query');
    }
    const [expiresAtMs, after] = JSON.parse(content.toString()) as [number, Position];
    if (expiresAtMs < this.#now()) {
      throw new ProblemError('invalid-cursor', 'The cursor has expired');
    }
    return after;
  }

  #mac(query: string, content: Buffer): Buffer {
    const key = createHash('sha256').update(`skein-cursor\0${this.#secret()}`).digest();
    const mac = createHmac('sha256', key).update(`${query.length}:${query}`).update(content);
    return mac.digest().subarray(0, MAC_BYTES);
  }
}

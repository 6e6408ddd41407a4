import { hkdfSync, randomBytes } from 'node:crypto';

const SALT = 'skein tls session tickets';
/** Name, HMAC key and AES key of a ticket, as `tls.Server` takes them. */
const KEYS_BYTES = 48;

/**
 * The keys of session tickets: of a secret and the period that it is, so that all nodes with the secret have the same without
 * asking each other, and a key is gone when its period is over.
 */
export class TicketKeys {
  readonly periodSeconds: number;
  readonly #secret: string | Buffer;

  /** @param secret - without one this process makes its own. */
  constructor(periodSeconds: number, secret: string | undefined) {
    this.periodSeconds = periodSeconds;
    this.#secret = secret ?? randomBytes(32);
  }

  /** Which period it is. */
  periodAt(nowMs: number): number {
    return Math.floor(nowMs / 1_000 / this.periodSeconds);
  }

  /** The keys of a period for one use; a ticket made for another use is worth nothing. */
  keysOf(period: number, use: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret, SALT, `${use} ${period}`, KEYS_BYTES));
  }
}

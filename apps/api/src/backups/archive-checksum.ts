import { createHash, type Hash } from 'node:crypto';

const MODULUS = 1n << 256n;

/** The same text for equal values, in whatever order their fields are written; a field that is undefined is none. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  );
}

/** What an item comes to, piece by piece: however it is cut, it is the same. */
export class ItemDigest {
  readonly #hash: Hash = createHash('sha256');

  constructor(value: unknown) {
    this.#hash.update(canonical(value));
  }

  /** Adds parts that follow, in their order. */
  add(parts: readonly unknown[]): this {
    for (const part of parts) this.#hash.update(`\n${canonical(part)}`);
    return this;
  }

  /** Nothing may be added any more. */
  end(): string {
    return this.#hash.digest('hex');
  }
}

/** What a section comes to: the sum of the digests of its items, in whatever order they come. */
export class SectionTally {
  items = 0;
  /** Queued messages, of sessions. */
  messages = 0;
  #sum = 0n;

  /** Counts an item. */
  add(digest: string): void {
    this.items += 1;
    this.#sum = (this.#sum + BigInt(`0x${digest}`)) % MODULUS;
  }

  get checksum(): string {
    return this.#sum.toString(16).padStart(64, '0');
  }
}

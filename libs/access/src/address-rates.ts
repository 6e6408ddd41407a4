import { networkOf } from './acl/address-range.ts';
import { TokenBucket, type Rate } from './token-bucket.ts';

/**
 * A bound on a rate for every address: an IPv4 address has one of its own, the IPv6 addresses of a /64 share theirs, since whoever has
 * one has all.
 *
 * @remarks So many addresses are remembered, in two generations: when the younger has half of them the older is forgotten. Whoever comes
 * from more addresses than that is bounded by other limits; a forgotten address begins anew with a full burst, as one that nobody has seen.
 */
export class AddressRates {
  readonly #rate: Rate;
  readonly #generationMax: number;
  #younger = new Map<string, TokenBucket>();
  #older = new Map<string, TokenBucket>();

  constructor(rate: Rate, addressesMax: number) {
    this.#rate = rate;
    this.#generationMax = Math.max(1, Math.floor(addressesMax / 2));
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#younger.size + this.#older.size;
  }

  /** Takes a token of an address, if there is one. */
  take(address: string, nowMs: number): boolean {
    return this.#bucketOf(networkOf(address), nowMs).take(1, nowMs);
  }

  #bucketOf(network: string, nowMs: number): TokenBucket {
    const known = this.#younger.get(network);
    if (known !== undefined) return known;
    const bucket = this.#older.get(network) ?? new TokenBucket(this.#rate, nowMs);
    this.#older.delete(network);
    if (this.#younger.size >= this.#generationMax) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(network, bucket);
    return bucket;
  }
}

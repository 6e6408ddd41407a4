/** Watches over a client that is not read from until it takes what was sent: how long it has taken nothing. */
export class Stall {
  /** What was left at the last progress, and when that was. */
  #since: { readonly bytes: number; readonly ms: number } | undefined;

  /** @param bytes - what is left to be taken; undefined while the client is read from. */
  lastedMs(bytes: number | undefined, nowMs: number): number {
    if (bytes === undefined) this.#since = undefined;
    else if (this.#since === undefined || bytes < this.#since.bytes) {
      this.#since = { bytes, ms: nowMs };
    }
    return this.#since === undefined ? 0 : nowMs - this.#since.ms;
  }
}

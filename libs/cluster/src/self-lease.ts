/**
 * Whether this node may still believe in its own lease.
 *
 * @remarks Judged by the monotonic clock of this process alone: a lease holds for its length counted from when the
 * successful renewal was sent, not from when its answer came. After a pause of the process it is in doubt until the next
 * renewal says more.
 */
export class SelfLease {
  readonly #leaseMs: number;
  #heldUntilMs: number | undefined;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** A renewal that was sent at this time has succeeded. */
  renewed(sentAtMonotonicMs: number): void {
    this.#heldUntilMs = sentAtMonotonicMs + this.#leaseMs;
  }

  /** The lease was given up or lost. */
  ended(): void {
    this.#heldUntilMs = undefined;
  }

  /** Whether nobody else can have seen this lease end by now. */
  isHeld(monotonicMs: number): boolean {
    return this.#heldUntilMs !== undefined && monotonicMs < this.#heldUntilMs;
  }
}

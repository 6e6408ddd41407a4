import { TokenBucket } from '#libs/access';

/** What one client, or all clients of one user, may send a second. 0 sets no bound. */
export interface RateLimits {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Bounds on how fast clients may send. Each is a key of the section `rates` of the configuration. */
export interface RateParts {
  readonly client: RateLimits;
  /** Of all connections of a user at this node. */
  readonly user: RateLimits;
  /** How many seconds' worth may come at once. */
  readonly burstSeconds: number;
  /** How long a client may go on to send more than it may; then its connection ends. 0 lets it for ever. */
  readonly heldSecondsMax: number;
}

/** The tokens for messages and bytes of one client, or of one user. */
export class Pace {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  private constructor(messages: TokenBucket | undefined, bytes: TokenBucket | undefined) {
    this.#messages = messages;
    this.#bytes = bytes;
  }

  /** Undefined where nothing is bounded. */
  static of(limits: RateLimits, burstSeconds: number, nowMs: number): Pace | undefined {
    const { messagesPerSecond, bytesPerSecond } = limits;
    if (messagesPerSecond === 0 && bytesPerSecond === 0) return undefined;
    const bucketOf = (perSecond: number): TokenBucket | undefined =>
      perSecond === 0
        ? undefined
        : new TokenBucket({ perSecond, burst: perSecond * burstSeconds }, nowMs);
    return new Pace(bucketOf(messagesPerSecond), bucketOf(bytesPerSecond));
  }

  /** A message was taken; false when it was one too many. */
  message(nowMs: number): boolean {
    return this.#messages === undefined || this.#messages.spend(1, nowMs);
  }

  /** Bytes have come; false when there were too many. */
  bytes(count: number, nowMs: number): boolean {
    return this.#bytes === undefined || this.#bytes.spend(count, nowMs);
  }

  /** Whether more may come: nothing is overdrawn. */
  isReady(nowMs: number): boolean {
    return isPaid(this.#messages, nowMs) && isPaid(this.#bytes, nowMs);
  }
}

function isPaid(bucket: TokenBucket | undefined, nowMs: number): boolean {
  return bucket === undefined || bucket.fillLevel(nowMs) >= 0;
}

/**
 * Bounds what one connection sends, for its client and for its user.
 *
 * @remarks What has come is taken, even where it overdraws the tokens; then nothing more is read until they are there again.
 * So a bound costs a subtraction for each message, and no timer: the sweep looks who may go on.
 */
export class Throttle {
  readonly #paces: readonly Pace[];
  readonly #overMsMax: number;
  /** Whether reading was held since the last look at it. */
  #isHeld = false;
  #overSinceMs: number | undefined;

  private constructor(paces: readonly Pace[], overMsMax: number) {
    this.#paces = paces;
    this.#overMsMax = overMsMax;
  }

  /** Undefined where nothing is bounded. */
  static of(
    { client, burstSeconds, heldSecondsMax }: RateParts,
    user: Pace | undefined,
    nowMs: number,
  ): Throttle | undefined {
    const own = Pace.of(client, burstSeconds, nowMs);
    const paces = [own, user].filter((pace) => pace !== undefined);
    if (paces.length === 0) return undefined;
    return new Throttle(paces, heldSecondsMax === 0 ? Infinity : heldSecondsMax * 1000);
  }

  /** A message was taken; false when reading is to be held. */
  message(nowMs: number): boolean {
    let isWithin = true;
    for (const pace of this.#paces) isWithin = pace.message(nowMs) && isWithin;
    if (!isWithin) this.#isHeld = true;
    return isWithin;
  }

  /** Bytes have come; false when reading is to be held. */
  bytes(count: number, nowMs: number): boolean {
    let isWithin = true;
    for (const pace of this.#paces) isWithin = pace.bytes(count, nowMs) && isWithin;
    if (!isWithin) this.#isHeld = true;
    return isWithin;
  }

  /** Looks about once a second how it stands: `over` when reading had to be held again and again for too long. */
  check(nowMs: number): 'free' | 'held' | 'over' {
    if (!this.#isHeld) {
      this.#overSinceMs = undefined;
      return 'free';
    }
    this.#overSinceMs ??= nowMs;
    if (nowMs - this.#overSinceMs >= this.#overMsMax) return 'over';
    if (!this.#paces.every((pace) => pace.isReady(nowMs))) return 'held';
    this.#isHeld = false;
    return 'free';
  }
}

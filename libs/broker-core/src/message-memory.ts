import type { MessageIdentity } from '#libs/broker-ports';

type Known = Map<string, Set<number>>;

/** Whether two identities are one. */
export function isSameIdentity(one: MessageIdentity, other: MessageIdentity): boolean {
  return (
    one.sequence === other.sequence &&
    one.source.incarnation === other.source.incarnation &&
    one.source.nodeId === other.source.nodeId
  );
}

/** How much is remembered. */
export interface MemoryBounds {
  /** So many of the latest messages are, in any case. */
  readonly messagesMin: number;
  /** Those of this time are, as long as they are not more than `messagesMax`. */
  readonly ageMs: number;
  readonly messagesMax: number;
}

/** Remembers messages by their identity: what its bounds promise, and at most twice as much. */
export class MessageMemory {
  readonly #bounds: MemoryBounds;
  readonly #nowMs: () => number;
  #young: Known = new Map();
  #old: Known = new Map();
  #count = 0;
  #begunMs: number;

  constructor(bounds: MemoryBounds, nowMs: () => number) {
    this.#bounds = bounds;
    this.#nowMs = nowMs;
    this.#begunMs = nowMs();
  }

  /** Remembers a message; returns false when it was remembered already. */
  add({ source, sequence }: MessageIdentity): boolean {
    const key = `${source.nodeId}#${source.incarnation}`;
    if (this.#old.get(key)?.has(sequence) === true) return false;
    const known = this.#young.get(key) ?? new Set();
    if (known.has(sequence)) return false;
    if (known.size === 0) this.#young.set(key, known);
    known.add(sequence);
    this.#count += 1;
    if (this.#count >= this.#bounds.messagesMin) this.#turn();
    return true;
  }

  forget({ source, sequence }: MessageIdentity): void {
    const key = `${source.nodeId}#${source.incarnation}`;
    for (const known of [this.#young, this.#old]) known.get(key)?.delete(sequence);
  }

  #turn(): void {
    const nowMs = this.#nowMs();
    const { ageMs, messagesMax } = this.#bounds;
    if (nowMs - this.#begunMs < ageMs && this.#count < messagesMax) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#count = 0;
    this.#begunMs = nowMs;
  }
}

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

/** Remembers messages by their identity: at least as many of the latest ones as it is made for, and at most twice as many. */
export class MessageMemory {
  readonly #messagesMin: number;
  #young: Known = new Map();
  #old: Known = new Map();
  #count = 0;

  constructor(messagesMin: number) {
    this.#messagesMin = messagesMin;
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
    if (this.#count < this.#messagesMin) return true;
    this.#old = this.#young;
    this.#young = new Map();
    this.#count = 0;
    return true;
  }

  forget({ source, sequence }: MessageIdentity): void {
    const key = `${source.nodeId}#${source.incarnation}`;
    for (const known of [this.#young, this.#old]) known.get(key)?.delete(sequence);
  }
}

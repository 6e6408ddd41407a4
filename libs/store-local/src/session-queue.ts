import type { QueuedMessage, QueuePosition } from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';

/** Below this many slots it is not worth while to close the gaps. */
const COMPACT_MIN = 64;

interface Slot {
  readonly position: QueuePosition;
  /** Undefined when it is settled: a gap. */
  queued: QueuedMessage | undefined;
}

/**
 * The queue of a session in memory, in the order of positions.
 *
 * @remarks Positions are found by binary search, settled messages leave gaps that are closed when they outnumber the rest:
 * every operation costs a few comparisons, whatever the length of the queue.
 */
export class SessionQueue {
  #slots: Slot[] = [];
  #size = 0;
  #bytes = 0;

  /** How many messages are queued. */
  get size(): number {
    return this.#size;
  }

  /** The bytes of all messages, as the bound on them counts. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a message at its place, which is the end unless the caller repeats itself; one at the same position is replaced. */
  add(queued: QueuedMessage): void {
    const { position } = queued;
    const index = this.#indexFrom(position);
    const slot = this.#slots[index];
    this.#bytes += bytesOf(queued);
    if (slot !== undefined && compare(slot.position, position) === 0) {
      if (slot.queued === undefined) this.#size += 1;
      else this.#bytes -= bytesOf(slot.queued);
      slot.queued = queued;
      return;
    }
    if (slot === undefined) this.#slots.push({ position, queued });
    else this.#slots.splice(index, 0, { position, queued });
    this.#size += 1;
  }

  /** @returns false when there is no message at the position. */
  remove(position: QueuePosition): boolean {
    const slot = this.#slots[this.#indexFrom(position)];
    if (slot?.queued === undefined || compare(slot.position, position) !== 0) return false;
    this.#bytes -= bytesOf(slot.queued);
    slot.queued = undefined;
    this.#size -= 1;
    const slots = this.#slots.length;
    if (slots >= COMPACT_MIN && this.#size < slots / 2) {
      this.#slots = this.#slots.filter(({ queued }) => queued !== undefined);
    }
    return true;
  }

  /** At most `limit` messages after a position (undefined: from the oldest), oldest first. */
  read(after: QueuePosition | undefined, limit: number): QueuedMessage[] {
    const found: QueuedMessage[] = [];
    let index = after === undefined ? 0 : this.#indexFrom(after);
    for (; index < this.#slots.length && found.length < limit; index += 1) {
      const slot = this.#slots[index];
      if (slot?.queued === undefined) continue;
      if (after === undefined || compare(slot.position, after) > 0) found.push(slot.queued);
    }
    return found;
  }

  /** The positions of all messages. */
  *positions(): Generator<QueuePosition, void, undefined> {
    for (const { position, queued } of this.#slots) if (queued !== undefined) yield position;
  }

  /** The index of the first slot at or after a position. */
  #indexFrom(position: QueuePosition): number {
    let low = 0;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const slot = this.#slots[middle];
      if (slot !== undefined && compare(slot.position, position) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf({ message }: QueuedMessage): number {
  return sizeOf(message);
}

function compare(one: QueuePosition, other: QueuePosition): number {
  return one.epoch - other.epoch || one.sequence - other.sequence;
}

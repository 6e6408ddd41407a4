import type { Message, NodeAdmin } from '#libs/broker-ports';
import type { CommandOf, NodeAnswers, WireWatchedMessage } from '#libs/api-contracts';
import { wireRetainedOf } from '../commands/wire.ts';
import { Ring } from './ring.ts';

const MESSAGES_MAX = 1_000;
const BYTES_MAX = 4 * 1024 * 1024;
const MESSAGE_BYTES = 200;
const MESSAGES_PER_ANSWER = 200;
const WAIT_MS_MAX = 5_000;

/** A watch whose reader does not come back ends after so long. */
const FORSAKEN_MS = 15_000;

/** How many may look at the messages of a node at once. */
const WATCHES_MAX = 100;

interface Watch {
  readonly ring: Ring<WireWatchedMessage>;
  readonly end: () => void;
  readAtMs: number;
  /** What came faster than its reader wants it, since it was told so. */
  capped: number;
  /** Of this second. */
  second: number;
  taken: number;
}

/**
 * Live messages of this node for those who look at them over REST: a tap, a rate and a ring for each.
 *
 * @remarks A watch begins with its first reading and ends when nobody reads it any more, so that a reader that is gone costs
 * nothing for long.
 */
export class MessageWatches {
  readonly #admin: Pick<NodeAdmin, 'tap'>;
  readonly #nowMs: () => number;
  readonly #watches = new Map<string, Watch>();

  constructor(admin: Pick<NodeAdmin, 'tap'>, nowMs: () => number) {
    this.#admin = admin;
    this.#nowMs = nowMs;
  }

  /** What came after a position; begins to look if nobody does under this name. */
  async read(command: CommandOf<'watch-messages'>): Promise<NodeAnswers['watch-messages']> {
    const { watch: name, after = 0, waitMs } = command;
    if (!this.#watches.has(name) && this.#watches.size >= WATCHES_MAX) return { kind: 'full' };
    const watch = this.#watches.get(name) ?? this.#begin(command);
    watch.readAtMs = this.#nowMs();
    await watch.ring.after(after, Math.min(waitMs, WAIT_MS_MAX));
    watch.readAtMs = this.#nowMs();
    // Another life of this node counts from 1 again.
    const from = after > watch.ring.last ? 0 : after;
    const part = watch.ring.read(from, MESSAGES_PER_ANSWER, () => true);
    const lost = part.lost + watch.capped;
    watch.capped = 0;
    return { kind: 'messages', messages: part.entries, last: part.last, lost };
  }

  /** Ends a watch. */
  end(name: string): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    this.#watches.delete(name);
    watch.end();
    watch.ring.close();
  }

  /** Ends those that nobody reads. Called about once a second. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [name, { readAtMs }] of this.#watches) {
      if (nowMs - readAtMs > FORSAKEN_MS) this.end(name);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const name of this.#watches.keys()) this.end(name);
  }

  #begin({ watch: name, filter, payload, perSecond }: CommandOf<'watch-messages'>): Watch {
    const ring = new Ring<WireWatchedMessage>(
      { entriesMax: MESSAGES_MAX, bytesMax: BYTES_MAX },
      (message) => MESSAGE_BYTES + message.topic.length + (message.payload?.length ?? 0),
    );
    const watch: Watch = {
      ring,
      end: this.#admin.tap(filter, (message) => this.#take(watch, message, { payload, perSecond })),
      readAtMs: this.#nowMs(),
      capped: 0,
      second: 0,
      taken: 0,
    };
    this.#watches.set(name, watch);
    return watch;
  }

  #take(
    watch: Watch,
    message: Message,
    { payload, perSecond }: { readonly payload: boolean; readonly perSecond: number },
  ): void {
    const second = Math.floor(this.#nowMs() / 1000);
    if (second !== watch.second) {
      watch.second = second;
      watch.taken = 0;
    }
    watch.taken += 1;
    if (watch.taken > perSecond) {
      watch.capped += 1;
      return;
    }
    watch.ring.append({ ...wireRetainedOf(message, payload), retain: message.retain });
  }
}

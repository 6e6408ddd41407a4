import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { WireEventPosition } from '#libs/api-contracts';
import type { FeedWriter } from '../streams/node-feed.ts';
import type { Attempted, PostOffice } from './post-office.ts';
import type { StoredDelivery, StoredWebhook } from './stored-webhook.ts';

/** Something to tell a webhook, or only where it is now. */
export interface LaneItem {
  readonly node: string;
  /** Where the webhook is at the node when it has got it. */
  readonly position?: WireEventPosition;
  readonly event?: Readonly<Record<string, unknown>>;
}

/** What a lane is made with. */
export interface LaneParts {
  readonly webhook: StoredWebhook;
  readonly office: Pick<PostOffice, 'send'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Keeps where the webhook is; rejects never, and ends the lane when that is no longer its business. */
  readonly keep: (
    positions: ReadonlyMap<string, WireEventPosition>,
    retrying: StoredDelivery | undefined,
  ) => Promise<void>;
  /** Remembers what has ended. */
  readonly record: (delivery: StoredDelivery) => Promise<void>;
  /** @defaultValue a second */
  readonly firstPauseMs?: number;
}

interface Sending {
  readonly items: readonly LaneItem[];
  next: number;
  readonly taken: () => void;
}

interface Batch {
  readonly items: readonly LaneItem[];
  readonly events: readonly string[];
}

/** How often a request is sent. With pauses of 1, 2, 4, … 60 s it takes four minutes. */
export const ATTEMPTS_MAX = 10;
const PAUSE_MS_MAX = 60_000;
const BODY_CHARACTERS_MAX = 256 * 1024;
/** Names of nodes change when they are replaced. */
const NODES_MAX = 256;

/**
 * Tells one webhook of events, a request at a time: what comes of the nodes waits there, not here.
 *
 * @remarks A request is repeated unchanged until it is taken or given up, so events of a node come in their order.
 */
export class WebhookLane implements FeedWriter<LaneItem> {
  readonly ended: Promise<void>;
  readonly #parts: LaneParts;
  readonly #stop = new AbortController();
  readonly #positions: Map<string, WireEventPosition>;
  readonly #sendings: Sending[] = [];
  #wake: () => void = () => {};

  constructor(parts: LaneParts, positions: Iterable<readonly [string, WireEventPosition]>) {
    this.#parts = parts;
    this.#positions = new Map(positions);
    const { signal } = this.#stop;
    this.ended = new Promise((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
  }

  get isOpen(): boolean {
    return !this.#stop.signal.aborted;
  }

  /** Where the webhook is at a node. */
  positionAt(node: string): WireEventPosition | undefined {
    return this.#positions.get(node);
  }

  async send(items: readonly LaneItem[]): Promise<void> {
    if (items.length === 0 || !this.isOpen) return;
    const taken = new Promise<void>((resolve) => {
      this.#sendings.push({ items, next: 0, taken: resolve });
    });
    this.#wake();
    await Promise.race([taken, this.ended]);
  }

  /** Works until the lane is closed. */
  async run(): Promise<void> {
    while (this.isOpen) {
      if (this.#sendings.length === 0) {
        await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), this.ended]);
        continue;
      }
      const batch = this.#take();
      if (batch.events.length > 0 && !(await this.#deliver(batch))) return;
      for (const { node, position } of batch.items) {
        if (position === undefined) continue;
        this.#positions.delete(node);
        this.#positions.set(node, position);
      }
      for (const node of this.#positions.keys()) {
        if (this.#positions.size <= NODES_MAX) break;
        this.#positions.delete(node);
      }
      await this.#parts.keep(this.#positions, undefined);
      this.#release();
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#stop.abort();
  }

  /** Whoever has nothing here any more may send the next. */
  #release(): void {
    for (;;) {
      const [first] = this.#sendings;
      if (first === undefined || first.next < first.items.length) return;
      this.#sendings.shift();
      first.taken();
    }
  }

  /** As much as a request holds, of all nodes whose turn it is. */
  #take(): Batch {
    const items: LaneItem[] = [];
    const events: string[] = [];
    let characters = 0;
    for (const sending of this.#sendings) {
      for (; sending.next < sending.items.length; sending.next += 1) {
        const item = sending.items[sending.next];
        if (item === undefined) break;
        if (item.event !== undefined) {
          const text = JSON.stringify(item.event);
          const isFull = events.length >= this.#parts.webhook.batchEventsMax;
          if (isFull || (events.length > 0 && characters + text.length > BODY_CHARACTERS_MAX)) {
            return { items, events };
          }
          characters += text.length;
          events.push(text);
        }
        items.push(item);
      }
    }
    return { items, events };
  }

  /** Whether it has ended, so that the next may come. */
  async #deliver({ events }: Batch): Promise<boolean> {
    const { webhook, office, now } = this.#parts;
    const digest = createHash('sha256').update(`${webhook.id}\n${events.join()}`);
    const id = `msg_${digest.digest('hex').slice(0, 32)}`;
    const body = bodyOf(webhook.id, { atMs: now(), events });
    const attempts: Attempted[] = [];
    const delivery = (more: Partial<StoredDelivery> & Pick<StoredDelivery, 'state'>) => ({
      ...{ webhook: webhook.id, id, eventCount: events.length },
      attempts: attempts.map(({ atMs, status, detail, latencyMs }) => ({
        ...{ atMs, status, detail, latencyMs },
      })),
      ...more,
    });
    for (;;) {
      const attempt = await office.send({ id, body, signal: this.#stop.signal });
      if (!this.isOpen && !attempt.isDelivered) return false;
      attempts.push(attempt);
      if (attempt.isDelivered || attempts.length === ATTEMPTS_MAX) {
        const state = attempt.isDelivered ? 'delivered' : 'failed';
        await this.#parts.record(delivery({ state, endedAtMs: now() }));
        return true;
      }
      const pauseMs = this.#pauseMs(attempts.length, attempt.retryAfterMs);
      const retrying = delivery({ state: 'retrying', nextAttemptAtMs: now() + pauseMs });
      await this.#parts.keep(this.#positions, retrying);
      await delay(pauseMs, undefined, { ref: false, signal: this.#stop.signal }).catch(() => {});
      if (!this.isOpen) return false;
    }
  }

  #pauseMs(attempts: number, askedMs: number | undefined): number {
    const { firstPauseMs = 1_000 } = this.#parts;
    return Math.max(Math.min(firstPauseMs * 2 ** (attempts - 1), PAUSE_MS_MAX), askedMs ?? 0);
  }
}

/** The body of a request. */
export function bodyOf(
  webhook: string,
  { atMs, events }: { readonly atMs: number; readonly events?: readonly string[] },
): string {
  const type = events === undefined ? 'test' : 'events';
  const head = JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), webhook });
  return `${head.slice(0, -1)},"events":[${(events ?? []).join(',')}]}`;
}

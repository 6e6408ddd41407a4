import { StoreUnavailableError, type InboxBatch, type Log, type NodeRef } from '#libs/broker-ports';
import { ClusterError, RepeatFilter, parseNodeKey } from '#libs/cluster';
import type { StreamEntry } from './stream-entry.ts';
import { delayOf, turnOf, type Timers } from './timers.ts';

/** Batches handed out and not yet removed, at most: the bound of what a slow store can pile up here. */
const IN_HAND_MAX = 256;
/** Bytes of batches handed out in one turn, about: clients and stores come in between. */
const TURN_BYTES_MAX = 256 * 1024;
const REMOVED_PER_COMMAND = 512;
const RETRY_MS = 100;
const REPEATS = { window: 1_024, sourcesMax: 256 };

/** What is written of an inbox, as in ClusterCommands. */
export interface InboxCommands {
  /** Removes entries that are dealt with. */
  removeFromInbox(node: NodeRef, ids: readonly string[]): Promise<void>;
}

/** What an InboxConsumer needs. */
export interface InboxConsumerOptions {
  /** Whose inbox it is: this node's, or a dead one's. */
  readonly node: NodeRef;
  readonly commands: InboxCommands;
  readonly timers: Timers;
  /** Takes a batch; `done` when this node answers for all of it. */
  readonly deliver: (batch: InboxBatch, done: () => void) => void;
  readonly log: Log;
}

interface Waiter {
  readonly heldMax: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Hands the batches of an inbox out and removes those that are done, together once per turn.
 *
 * @remarks An entry stays in Redis until its `done`; a consumer that dies leaves it to the next. Entries may be taken
 * again (after a reconnect the inbox is read from its beginning): those in hand are known by id, repeated
 * appends by source and sequence.
 */
export class InboxConsumer {
  readonly #options: InboxConsumerOptions;
  readonly #repeats = new RepeatFilter(REPEATS);
  /** Handed out, or done and not yet removed. */
  readonly #held = new Set<string>();
  readonly #done: string[] = [];
  #waiters: Waiter[] = [];
  #isRemoving = false;
  #stopped = false;
  #closed = false;

  constructor(options: InboxConsumerOptions) {
    this.#options = options;
  }

  /** Takes entries in their order, many large ones in several turns. */
  async take(entries: readonly StreamEntry[]): Promise<void> {
    let bytes = 0;
    for (const { id, fields } of entries) {
      if (bytes >= TURN_BYTES_MAX) {
        bytes = 0;
        await turnOf(this.#options.timers);
      }
      if (this.#stopped || this.#closed) return;
      if (this.#held.has(id)) continue;
      this.#held.add(id);
      const batch = batchOf(fields, this.#options.node);
      bytes += batch?.frame.length ?? 0;
      const sequence = Number(fields.get('sequence')?.toString() ?? NaN);
      if (batch === undefined || !Number.isSafeInteger(sequence)) {
        this.#options.log.warn('inbox-entry-malformed', { id });
        this.#finish(id);
      } else if (sequence > 0 && this.#repeats.isRepeat(batch.from, sequence)) {
        this.#finish(id);
      } else {
        this.#handOut(id, batch);
      }
    }
  }

  /** Resolves when more entries may be taken. */
  room(): Promise<void> {
    return this.#heldAtMost(IN_HAND_MAX - 1);
  }

  /** Resolves when all that was taken is done and removed. */
  empty(): Promise<void> {
    return this.#heldAtMost(0);
  }

  /** Hands out nothing more; what is done is still removed. */
  stop(): void {
    this.#stopped = true;
  }

  /** Removes what is done, if Redis answers, and hands out nothing more. Who waits is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(closed());
    const ids = this.#done.splice(0);
    if (ids.length === 0) return;
    await this.#remove(ids).catch(rethrowBugs);
  }

  #handOut(id: string, batch: InboxBatch): void {
    let isDone = false;
    this.#options.deliver(batch, () => {
      if (isDone) return;
      isDone = true;
      this.#finish(id);
    });
  }

  #finish(id: string): void {
    if (this.#closed) return;
    this.#done.push(id);
    if (this.#isRemoving) return;
    this.#isRemoving = true;
    this.#options.timers.immediately(() => void this.#removeDone());
  }

  async #removeDone(): Promise<void> {
    while (this.#done.length > 0) {
      const ids = this.#done.slice(0, REMOVED_PER_COMMAND);
      try {
        await this.#remove(ids);
      } catch (error) {
        rethrowBugs(error);
        if (this.#closed) return;
        await delayOf(this.#options.timers, RETRY_MS);
        continue;
      }
      this.#done.splice(0, ids.length);
      for (const id of ids) this.#held.delete(id);
      this.#wake();
    }
    this.#isRemoving = false;
  }

  async #remove(ids: readonly string[]): Promise<void> {
    const { commands, node } = this.#options;
    await commands.removeFromInbox(node, ids);
  }

  #heldAtMost(heldMax: number): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#held.size <= heldMax) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ heldMax, resolve, reject }));
  }

  #wake(): void {
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (this.#held.size <= waiter.heldMax) waiter.resolve();
      else waiting.push(waiter);
    }
    this.#waiters = waiting;
  }
}

/** The batch in an entry of a node's inbox; undefined for what is none. */
export function batchOf(fields: StreamEntry['fields'], node: NodeRef): InboxBatch | undefined {
  const from = parseNodeKey(fields.get('from')?.toString() ?? '');
  const frame = fields.get('frame');
  if (from === undefined || frame === undefined) return undefined;
  return { from, frame, inbox: parseNodeKey(fields.get('of')?.toString() ?? '') ?? node };
}

function closed(): ClusterError {
  return new ClusterError('CLUSTER_CLOSED', 'the inbox is not read any more');
}

function rethrowBugs(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}

import { randomBytes } from 'node:crypto';
import {
  SCHEDULED_BYTES_MAX,
  SCHEDULED_MESSAGES_MAX,
  nextCronTime,
  parseCron,
} from '#libs/api-contracts';
import {
  decodeMessage,
  encodeMessage,
  type DefinitionStore,
  type DelayedBounds,
  type DelayedPlace,
  type DelayedStore,
  type Log,
  type Message,
  type MessageSchedule,
  type Meter,
  type StoredDefinition,
} from '#libs/broker-ports';

/** How long before its time a message goes to the delayed ones: longer than a node takes to hear of it. */
const AHEAD_MS = 10_000;
/** How far clocks may differ where a message is looked for that was placed. */
const SKEW_MS = 5_000;
/** How long one is kept that is done. */
const DONE_MS = 86_400_000;
const PAGE_MESSAGES = 500;
const LOOKED_AT_MAX = 10_000;

/** What schedules are made with. */
export interface SchedulesOptions {
  readonly store: DefinitionStore<MessageSchedule>;
  readonly delayed: Pick<DelayedStore, 'add' | 'page' | 'remove'>;
  /** Undefined where delayed publish is switched off: nothing falls due then. */
  readonly bounds: () => DelayedBounds | undefined;
  readonly meter: Pick<Meter, 'delayed'>;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** When a message is to be published. */
export type ScheduleTimes = { readonly cron: string } | { readonly atMs: number };

/**
 * Messages that are published at their times.
 *
 * @remarks Every node looks once a second which times are near, and gives the message of each to the delayed ones, which are published by one node. The
 * message of one time has one identity, whichever node gives it, and is taken once; then the schedule goes on to its next time. So a node may die anywhere in between.
 */
export class Schedules {
  readonly #options: SchedulesOptions;
  #known: readonly StoredDefinition<MessageSchedule>[] = [];
  #placing: Promise<void> | undefined;
  /** For which time it was told that a message cannot be published: it is tried each second, and told once. */
  readonly #told = new Map<string, number>();

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /** Begins to follow the store. */
  open(): void {
    this.#options.store.watch((stored) => {
      this.#known = stored;
      const ids = new Set(stored.map(({ item }) => item.id));
      for (const id of this.#told.keys()) if (!ids.has(id)) this.#told.delete(id);
    });
  }

  /** Ends when what is under way has been answered; nothing more is given to the delayed ones. */
  async close(): Promise<void> {
    this.#known = [];
    await this.#placing;
  }

  /** Looks which times are near; to be called about once a second. */
  sweep(): void {
    if (this.#placing !== undefined) return;
    const nowMs = this.#options.nowMs();
    const due = this.#known.filter(({ item }) => isNear(item, nowMs) || isOver(item, nowMs));
    if (due.length === 0) return;
    this.#placing = this.#placeAll(due)
      // The store is away: the next sweep looks again.
      .catch((error: unknown) => {
        this.#options.log.debug('schedules-not-placed', { reason: String(error) });
      })
      .finally(() => (this.#placing = undefined));
  }

  /** All there are. */
  async list(): Promise<readonly MessageSchedule[]> {
    return (await this.#options.store.list()).map(({ item }) => item);
  }

  /** One of them. */
  async get(id: string): Promise<MessageSchedule | undefined> {
    return (await this.#options.store.get(id))?.item;
  }

  /** Makes one; undefined when there are as many as may be. */
  async add(message: Message, times: ScheduleTimes): Promise<MessageSchedule | undefined> {
    const { store, nowMs } = this.#options;
    const createdAtMs = nowMs();
    const id = `schedule-${randomBytes(8).toString('hex')}`;
    const nextAtMs = 'cron' in times ? nextOf(times.cron, createdAtMs) : times.atMs;
    const schedule: MessageSchedule = {
      ...{ id, createdAtMs, count: 0 },
      message: Buffer.from(encodeMessage(message)).toString('base64'),
      ...('cron' in times && { cron: times.cron }),
      ...(nextAtMs !== undefined && { nextAtMs }),
    };
    const all = await store.list();
    const bytes = all.reduce((sum, { item }) => sum + item.message.length, schedule.message.length);
    if (all.length >= SCHEDULED_MESSAGES_MAX || bytes > SCHEDULED_BYTES_MAX) return undefined;
    const result = await store.put(schedule, undefined);
    if (result.kind !== 'stored') throw new Error(`the id ${id} is taken`);
    if (isNear(schedule, createdAtMs)) await this.#place(result.stored);
    return schedule;
  }

  /** Forgets one, and the message that waits of it; false when there is none. */
  async remove(id: string): Promise<boolean> {
    const { kind } = await this.#options.store.remove(id, undefined);
    if (kind !== 'stored') return false;
    await this.#cancel(id);
    return true;
  }

  async #placeAll(due: readonly StoredDefinition<MessageSchedule>[]): Promise<void> {
    for (const stored of due) await this.#place(stored);
  }

  /** Gives the message of the next time to the delayed ones, and goes on. */
  async #place({ item, revision }: StoredDefinition<MessageSchedule>): Promise<void> {
    const { store, delayed, meter, log } = this.#options;
    const bounds = this.#options.bounds();
    const nowMs = this.#options.nowMs();
    const { nextAtMs, id, cron, count } = item;
    if (nextAtMs === undefined) {
      await store.remove(id, revision);
      return;
    }
    const message = decodeMessage(Buffer.from(item.message, 'base64'));
    if (message === undefined) {
      // Written by a later version: for nodes that know it.
      if (this.#isFirst(id, nextAtMs)) log.error('scheduled-message-unreadable', { id });
      return;
    }
    if (bounds === undefined) return;
    const source = { nodeId: id, incarnation: item.createdAtMs };
    const [outcome] = await delayed.add(
      [
        {
          delayMs: Math.max(0, nextAtMs - nowMs),
          message: { ...message, source, sequence: count + 1 },
          isOnce: true,
        },
      ],
      bounds,
    );
    if (outcome === 'full') {
      if (!this.#isFirst(id, nextAtMs)) return;
      meter.delayed('refused', 1);
      log.warn('scheduled-message-not-stored', { id, reason: 'as many wait as delayed.* permits' });
      return;
    }
    if (outcome === 'stored') meter.delayed('stored', 1);
    // Of the times that have passed meanwhile this one stands for all.
    const following = cron === undefined ? undefined : nextOf(cron, Math.max(nextAtMs, nowMs));
    const { nextAtMs: _, ...rest } = item;
    const next = {
      ...{ ...rest, lastAtMs: nextAtMs, count: count + 1 },
      ...(following !== undefined && { nextAtMs: following }),
    };
    const { kind } = await store.put(next, revision);
    // It was deleted after it was read here.
    if (kind === 'absent') await this.#cancel(id);
  }

  /** Whether nothing was told yet of a time of a message. */
  #isFirst(id: string, atMs: number): boolean {
    if (this.#told.get(id) === atMs) return false;
    this.#told.set(id, atMs);
    return true;
  }

  /** Takes back what was given to the delayed ones of it. */
  async #cancel(id: string): Promise<void> {
    const { delayed, nowMs } = this.#options;
    const untilMs = nowMs() + AHEAD_MS + SKEW_MS;
    let after: DelayedPlace | undefined;
    for (let looked = 0; looked < LOOKED_AT_MAX;) {
      const page = await delayed.page({ after, limit: PAGE_MESSAGES });
      for (const { id: waiting, dueAtMs, message } of page.items) {
        if (dueAtMs > untilMs) return;
        if (message.source.nodeId === id) await delayed.remove(waiting);
      }
      looked += page.items.length;
      after = page.next;
      if (after === undefined) return;
    }
  }
}

function isNear({ nextAtMs }: MessageSchedule, nowMs: number): boolean {
  return nextAtMs !== undefined && nextAtMs <= nowMs + AHEAD_MS;
}

/** Whether nobody needs to see it any more. */
function isOver({ nextAtMs, lastAtMs = 0 }: MessageSchedule, nowMs: number): boolean {
  return nextAtMs === undefined && lastAtMs + DONE_MS < nowMs;
}

function nextOf(cron: string, afterMs: number): number | undefined {
  const times = parseCron(cron);
  return typeof times === 'string' ? undefined : nextCronTime(times, afterMs);
}

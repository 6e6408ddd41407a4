import type {
  BackupAnswers,
  CommandOf,
  WireBackupQueued,
  WireBackupSession,
  WireQueuePlace,
  WireSavedSession,
} from '#libs/api-contracts';
import { encodeQueued, type SessionRecord, type SessionStore } from '#libs/broker-ports';
import { base64 } from './wire.ts';

/** A page ends after this many bytes of messages, and holds one session at least. */
const PAGE_BYTES_MAX = 1024 * 1024;
/** A session comes with so much of its queue. */
const QUEUE_BYTES_MAX = 256 * 1024;
const QUEUE_MESSAGES_MAX = 500;
const SESSIONS_MAX = 200;
/** Sessions that are read from the store at once. */
const AT_ONCE = 25;
/** A list of ids that nobody asks for any more is forgotten. */
const LISTING_IDLE_MS = 120_000;
/** How often a session is read again that has begun anew meanwhile. */
const TRIES = 3;
const PACKET_IDS = 65_535;

type Store = Pick<SessionStore, 'owners' | 'ownedBy' | 'load' | 'read'>;

/** Durable sessions as a backup reads them from the store, whoever owns them, or nobody. */
export class SavedSessions {
  readonly #store: Store;
  #listing:
    | { readonly name: string; readonly ids: Promise<readonly string[]>; timer: NodeJS.Timeout }
    | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Some of them, in the order of their ids. */
  async page({
    listing,
    after,
    limit,
  }: CommandOf<'backup-sessions'>): Promise<BackupAnswers['backup-sessions']> {
    const ids = await this.#ids(listing);
    const first = after === undefined ? 0 : indexAfter(ids, after);
    const items: WireSavedSession[] = [];
    let bytes = 0;
    let next = first;
    const most = Math.min(Math.max(limit, 1), SESSIONS_MAX);
    while (next < ids.length && next < first + most && bytes < PAGE_BYTES_MAX) {
      const some = ids.slice(next, Math.min(next + AT_ONCE, first + most));
      for (const item of await Promise.all(some.map((id) => this.one(id)))) {
        if (item === undefined) continue;
        items.push(item);
        bytes += item.queue.reduce((sum, [, text]) => sum + text.length, 200);
      }
      next += some.length;
    }
    return { items, after: next < ids.length ? ids[next - 1] : undefined };
  }

  /**
   * One of them, at one moment; undefined when there is none, or it ends with its connection.
   *
   * @remarks The record is read behind the queue: what has been acknowledged meanwhile may be in neither, and nothing is in both.
   */
  async one(clientId: string): Promise<WireSavedSession | undefined> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const before = await this.#store.load(clientId);
      if (before?.durable !== true) return undefined;
      if (before.queueMessages === 0) return { session: sessionOf(before), queue: [] };
      const from = { clientId, after: undefined, until: before.lastSequence };
      const { queue, next } = await this.#queue(from, before);
      const record = await this.#store.load(clientId);
      if (record?.createdAtMs !== before.createdAtMs) continue;
      const released = new Set(record.releasedPacketIds);
      const isKept = ([sequence]: WireBackupQueued) => !released.has(packetIdOf(sequence));
      const session = sessionOf({ ...record, lastSequence: before.lastSequence });
      return { session, queue: queue.filter(isKept), next };
    }
    return undefined;
  }

  /** More of a queue. */
  async rest(command: CommandOf<'backup-queue'>): Promise<BackupAnswers['backup-queue']> {
    const record = await this.#store.load(command.clientId);
    return record === undefined ? { queue: [] } : this.#queue(command, record);
  }

  async #queue(
    {
      clientId,
      after,
      until,
    }: {
      readonly clientId: string;
      readonly after: WireQueuePlace | undefined;
      readonly until: number;
    },
    { queueMessages, queueBytes }: Pick<SessionRecord, 'queueMessages' | 'queueBytes'>,
  ): Promise<{ readonly queue: readonly WireBackupQueued[]; readonly next?: WireQueuePlace }> {
    const size = Math.max(queueBytes / Math.max(queueMessages, 1), 1);
    const limit = Math.min(Math.max(Math.floor(QUEUE_BYTES_MAX / size), 1), QUEUE_MESSAGES_MAX);
    const found = await this.#store.read(clientId, after, limit);
    const wanted = found.filter(({ position }) => position.sequence <= until);
    const queue = wanted.map((queued): WireBackupQueued => [
      queued.position.sequence,
      base64(encodeQueued(queued)),
    ]);
    const last = wanted.at(-1)?.position;
    const isAll = last === undefined || wanted.length < found.length || found.length < limit;
    return isAll ? { queue } : { queue, next: last };
  }

  #ids(name: string): Promise<readonly string[]> {
    if (this.#listing?.name === name) {
      this.#listing.timer.refresh();
      return this.#listing.ids;
    }
    clearTimeout(this.#listing?.timer);
    const ids = this.#list();
    const forget = (): void => {
      if (this.#listing?.name === name) this.#listing = undefined;
    };
    // Whoever asks next lists them again.
    ids.catch(forget);
    this.#listing = { name, ids, timer: setTimeout(forget, LISTING_IDLE_MS).unref() };
    return ids;
  }

  async #list(): Promise<readonly string[]> {
    const ids = new Set<string>();
    for (const owner of await this.#store.owners()) {
      for (const clientId of await this.#store.ownedBy(owner)) ids.add(clientId);
    }
    return [...ids].sort();
  }
}

function indexAfter(ids: readonly string[], after: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? '') <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function packetIdOf(sequence: number): number {
  return ((sequence - 1) % PACKET_IDS) + 1;
}

function sessionOf(record: SessionRecord): WireBackupSession {
  const { clientId, user, expiryIntervalSeconds, expiresAtMs, connected } = record;
  const { subscriptions, receivedPacketIds, receiving, releasedPacketIds, lastSequence } = record;
  return {
    ...{ clientId, ...(user !== undefined && { user }), expiryIntervalSeconds },
    expiresAtMs: connected ? 0 : expiresAtMs,
    subscriptions: subscriptions.toSorted((one, other) => (one.filter < other.filter ? -1 : 1)),
    receivedPacketIds: receivedPacketIds.toSorted((one, other) => one - other),
    receiving: receiving.toSorted((one, other) => one.packetId - other.packetId),
    releasedPacketIds: releasedPacketIds.toSorted((one, other) => one - other),
    lastSequence,
  };
}

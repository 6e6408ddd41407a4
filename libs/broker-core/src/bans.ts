import {
  BAN_REASON_MAX,
  BanList,
  PATTERN_COST_MAX,
  banIdOf,
  banSubject,
  type Ban,
  type BanCandidate,
  type BanKind,
  type BanSubject,
  type ClientIdPatterns,
} from '#libs/access';
import type {
  DefinitionStore,
  DefinitionWriteResult,
  Log,
  NodeEvents,
  StoredDefinition,
} from '#libs/broker-ports';

/** A ban that somebody wants. */
export interface NewBan extends BanSubject {
  readonly reason?: string | undefined;
  readonly by: Ban['by'];
  /** Absent: for ever. */
  readonly untilMs?: number | undefined;
}

/** A ban that somebody has seen, or knows that there is none of, as it is to be. */
export interface BanChange extends NewBan {
  /** The one that is replaced; absent to create. */
  readonly revision?: number | undefined;
}

/** Why there cannot be a ban. `invalid`: nobody can be that; `full`: there are too many; `costly`: all patterns together would take too long. */
export type BanRefusal = { readonly kind: 'invalid' | 'full' | 'costly' };

/** What has come of it. */
export type BanResult =
  { readonly kind: 'stored' | 'exists'; readonly stored: StoredDefinition<Ban> } | BanRefusal;

/** Bans of a node, shared with the others through the store. */
export interface BanParts {
  readonly store: DefinitionStore<Ban>;
  /** Most bans in force; nodes themselves may make half as many, so that there is room for those of people. */
  readonly bansMax: number;
  /** Matches client ids; without it there are no bans by pattern. */
  readonly patterns?: ClientIdPatterns | undefined;
}

/** The counts of a node without bans. */
export const NO_BANS: Readonly<Record<BanKind, number>> = {
  ...{ client_id: 0, client_id_regex: 0, username: 0, address: 0 },
};

/** More changes than this are read as a whole. */
const CHANGES_MAX = 100;

/** What bans need of their node. */
export interface BansParts {
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of bans that are made and removed; without it nobody is. */
  readonly events?: NodeEvents | undefined;
}

/**
 * Who may not connect, on every node of the cluster within two seconds.
 *
 * @remarks All bans are held here, so that a CONNECT costs no round trip. What Redis does not tell because it is away is
 * read when it is back.
 */
export class Bans {
  readonly #parts: BansParts;
  readonly #store: DefinitionStore<Ban>;
  readonly #bansMax: number;
  readonly #patterns: ClientIdPatterns | undefined;
  readonly #banned: (fresh: readonly Ban[]) => void;
  readonly #list: BanList;
  readonly #revisions = new Map<string, number>();
  /** What is to be read: `all`, or some ids. */
  #pending: Set<string> | 'all' = new Set();
  /** How many are on their way to the store. */
  #adding = 0;
  #isReading = false;
  #isSharing = false;
  #isFullLogged = false;

  /** @param banned - called with bans that were not there before. */
  constructor(
    { store, bansMax, patterns }: BanParts,
    parts: BansParts,
    banned: (fresh: readonly Ban[]) => void,
  ) {
    this.#parts = parts;
    this.#store = store;
    this.#bansMax = bansMax;
    this.#patterns = patterns;
    this.#list = new BanList(patterns);
    this.#banned = banned;
  }

  /** Begins to follow the store. */
  start(): void {
    this.#store.follow((ids) => this.#told(ids));
  }

  /** How many bans there are of each kind. */
  get counts(): Readonly<Record<BanKind, number>> {
    const counts = { ...NO_BANS };
    for (const { kind } of this.#list.all()) counts[kind] += 1;
    return counts;
  }

  /** The ban that keeps somebody out. */
  find(candidate: BanCandidate): Ban | undefined {
    return this.#list.size === 0 ? undefined : this.#list.find(candidate, this.#parts.nowMs());
  }

  /**
   * Bans somebody: those who are connected anywhere are disconnected.
   *
   * @returns `exists` when there is a ban in force already, which stays as it is. Rejects when the store cannot be reached;
   * what a node has found itself is in force on that node all the same.
   */
  async add(wanted: NewBan): Promise<BanResult> {
    const ban = this.#admit(wanted);
    if (!('id' in ban)) return ban;
    if (ban.by !== 'admin') this.#setOwn(ban);
    this.#adding += 1;
    try {
      return await this.#addTo(ban, wanted);
    } finally {
      this.#adding -= 1;
    }
  }

  async #addTo(ban: Ban, wanted: NewBan): Promise<BanResult> {
    const present = await this.#store.get(ban.id);
    if (present !== undefined && isInForce(present.item, this.#parts.nowMs())) {
      this.#set(present.item, present.revision);
      return { kind: 'exists', stored: present };
    }
    const result = await this.#store.put(ban, present?.revision);
    // Somebody else was faster.
    if (result.kind !== 'stored') return this.add(wanted);
    this.#set(ban, result.stored.revision);
    this.#parts.log.info('ban-made', { kind: ban.kind, by: ban.by, id: ban.id });
    this.#tell('ban.added', ban.id);
    return { kind: 'stored', stored: result.stored };
  }

  /** Makes a ban, or replaces it as somebody has seen it. When it was made stays, and who is connected is disconnected anew. */
  async put({ revision, ...wanted }: BanChange): Promise<DefinitionWriteResult<Ban> | BanRefusal> {
    const ban = this.#admit(wanted);
    if (!('id' in ban)) return ban;
    const before = revision === undefined ? undefined : await this.#store.get(ban.id);
    const item = { ...ban, ...(before && { createdAtMs: before.item.createdAtMs }) };
    const result = await this.#store.put(item, revision);
    if (result.kind !== 'stored') return result;
    this.#set(item, result.stored.revision);
    this.#tell('ban.added', item.id);
    return result;
  }

  /** What would come of a ban that is not there yet; undefined when it could be made. */
  refusalOf(wanted: NewBan): BanRefusal | undefined {
    const ban = this.#admit(wanted);
    return 'id' in ban ? undefined : ban;
  }

  /** Lets somebody in again; see {@link DefinitionStore.remove}. */
  async remove(id: string, revision: number | undefined): Promise<DefinitionWriteResult<Ban>> {
    const result = await this.#store.remove(id, revision);
    if (result.kind === 'stored') {
      this.#delete(id);
      this.#tell('ban.removed', id);
    }
    return result;
  }

  #tell(type: 'ban.added' | 'ban.removed', banId: string): void {
    this.#parts.events?.emit({ type, detail: { ban_id: banId } });
  }

  /** Removes bans that have ended, and reads and stores what could not be before. Called about once a second. */
  sweep(nowMs: number): void {
    for (const ban of this.#list.all()) {
      if (isInForce(ban, nowMs)) continue;
      const revision = this.#revisions.get(ban.id);
      this.#delete(ban.id);
      // Every node does so. A ban that has been made again meanwhile has another revision, and stays.
      if (revision !== undefined) this.#store.remove(ban.id, revision).catch(() => undefined);
    }
    if (this.#list.size < this.#bansMax / 2) this.#isFullLogged = false;
    void this.#read();
    void this.#share();
  }

  /** Stores what this node has found itself while the store was away, so that the others know it. */
  async #share(): Promise<void> {
    if (this.#isSharing || this.#revisions.size === this.#list.size) return;
    this.#isSharing = true;
    try {
      for (const ban of [...this.#list.all()]) {
        if (this.#revisions.has(ban.id)) continue;
        const result = await this.#store.put(ban, undefined);
        if (result.kind === 'stored') this.#set(ban, result.stored.revision);
        else this.#told([ban.id]);
      }
    } catch {
      // It is still away: the next sweep tries again.
    }
    this.#isSharing = false;
  }

  #admit(wanted: NewBan): Ban | BanRefusal {
    const subject = banSubject(wanted);
    if (subject === undefined) return { kind: 'invalid' };
    const ban = this.#banOf(subject, wanted);
    if (subject.kind === 'client_id_regex') {
      const cost = this.#patterns?.costOf(subject.value);
      if (cost === undefined) return { kind: 'invalid' };
      if (cost + this.#list.patternCost(ban.id) > PATTERN_COST_MAX) return { kind: 'costly' };
    }
    return this.#isFull(ban) ? { kind: 'full' } : ban;
  }

  #banOf(subject: BanSubject, { reason = '', by, untilMs }: NewBan): Ban {
    return {
      ...subject,
      id: banIdOf(subject),
      reason: reason.slice(0, BAN_REASON_MAX),
      by,
      createdAtMs: this.#parts.nowMs(),
      ...(untilMs !== undefined && { untilMs }),
    };
  }

  #isFull({ id, by }: Ban): boolean {
    const max = by === 'admin' ? this.#bansMax : this.#bansMax / 2;
    if (this.#list.get(id) !== undefined || this.#list.size + this.#adding < max) return false;
    if (!this.#isFullLogged) this.#parts.log.warn('bans-full', { bans: this.#list.size, by });
    this.#isFullLogged = true;
    return true;
  }

  #told(ids: readonly string[] | undefined): void {
    if (ids === undefined || ids.length > CHANGES_MAX) this.#pending = 'all';
    else if (this.#pending !== 'all') for (const id of ids) this.#pending.add(id);
    void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#pending === 'all' || this.#pending.size > 0) {
      const pending = this.#pending;
      this.#pending = new Set();
      try {
        if (pending === 'all') this.#replace(await this.#store.list());
        else await Promise.all([...pending].map((id) => this.#readOne(id)));
      } catch {
        // The store is away, and says so itself: the next sweep tries again.
        this.#pending = 'all';
        break;
      }
    }
    this.#isReading = false;
  }

  async #readOne(id: string): Promise<void> {
    const stored = await this.#store.get(id);
    if (stored === undefined) this.#delete(id);
    else this.#set(stored.item, stored.revision);
  }

  #replace(stored: readonly StoredDefinition<Ban>[]): void {
    const ids = new Set(stored.map(({ item }) => item.id));
    // What this node has found itself while the store was away is not there, and stays.
    for (const id of [...this.#revisions.keys()]) if (!ids.has(id)) this.#delete(id);
    const fresh = stored.filter(({ item, revision }) => this.#put(item, revision));
    if (fresh.length > 0) this.#banned(fresh.map(({ item }) => item));
  }

  /** What this node has found itself is in force before the store has it, unless somebody has said more already. */
  #setOwn(ban: Ban): void {
    const present = this.#list.get(ban.id);
    if (present !== undefined && isInForce(present, this.#parts.nowMs())) return;
    this.#delete(ban.id);
    this.#set(ban, undefined);
  }

  #set(ban: Ban, revision: number | undefined): void {
    if (this.#put(ban, revision)) this.#banned([ban]);
  }

  /** Returns whether it was not there before. */
  #put(ban: Ban, revision: number | undefined): boolean {
    const isNew = revision === undefined || this.#revisions.get(ban.id) !== revision;
    if (isNew) this.#list.set(ban);
    if (revision !== undefined) this.#revisions.set(ban.id, revision);
    return isNew;
  }

  #delete(id: string): void {
    this.#list.delete(id);
    this.#revisions.delete(id);
  }
}

function isInForce({ untilMs }: Ban, nowMs: number): boolean {
  return untilMs === undefined || untilMs > nowMs;
}

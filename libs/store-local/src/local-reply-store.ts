import { randomUUID } from 'node:crypto';
import type {
  KeptReply,
  ReplyBegin,
  ReplyClaim,
  ReplyRequest,
  ReplyStore,
} from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';

/** How many requests are remembered; then the oldest that was answered is forgotten. */
const REPLIES_MAX = 10_000;

interface Kept {
  readonly key: string;
  readonly bodyHash: string;
  readonly claim: string;
  readonly endsAtMs: number;
  readonly reply?: KeptReply;
}

interface Entry {
  /** Its name in the table. */
  readonly number: number;
  readonly kept: Kept;
}

/** Replies to requests with a key of a single node: in memory, and in a file, so that a restart forgets none. */
export class LocalReplyStore implements ReplyStore {
  readonly #clock: () => number;
  readonly #journal: Journal | undefined;
  readonly #table: Table<Kept>;
  /** In the order in which they were last written. */
  readonly #entries = new Map<string, Entry>();
  #entriesEver = 0;

  constructor({ clock, journal }: LocalStoreOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#table = new Table(journal, jsonFormat<Kept>(TABLES.apiReplies));
    for (const { path, value } of this.#table.entries()) {
      const [number = 0] = path;
      this.#entriesEver = Math.max(this.#entriesEver, number);
      this.#entries.set(value.key, { number, kept: value });
    }
  }

  async begin({ key, bodyHash, leaseMs }: ReplyRequest): Promise<ReplyBegin> {
    this.#sweep();
    const kept = this.#current(key);
    if (kept !== undefined) {
      if (kept.bodyHash !== bodyHash) return { kind: 'mismatch' };
      if (kept.reply === undefined) return { kind: 'in-progress' };
      return { kind: 'replay', reply: kept.reply };
    }
    const claim = randomUUID();
    await this.#put({ key, bodyHash, claim, endsAtMs: this.#clock() + leaseMs });
    return { kind: 'fresh', claim };
  }

  async extend(claim: ReplyClaim, leaseMs: number): Promise<boolean> {
    const kept = this.#held(claim);
    if (kept === undefined) return false;
    await this.#put({ ...kept, endsAtMs: this.#clock() + leaseMs });
    return true;
  }

  async finish(claim: ReplyClaim, reply: KeptReply, ttlMs: number): Promise<boolean> {
    const kept = this.#held(claim);
    if (kept === undefined) return false;
    await this.#put({ ...kept, reply, endsAtMs: this.#clock() + ttlMs });
    return true;
  }

  async abandon(claim: ReplyClaim): Promise<void> {
    if (this.#held(claim) === undefined) return;
    this.#drop(claim.key);
    await this.#journal?.committed();
  }

  #current(key: string): Kept | undefined {
    const kept = this.#entries.get(key)?.kept;
    return kept !== undefined && kept.endsAtMs > this.#clock() ? kept : undefined;
  }

  #held({ key, claim }: ReplyClaim): Kept | undefined {
    const kept = this.#current(key);
    return kept?.claim === claim && kept.reply === undefined ? kept : undefined;
  }

  async #put(kept: Kept): Promise<void> {
    this.#drop(kept.key);
    const number = (this.#entriesEver += 1);
    this.#entries.set(kept.key, { number, kept });
    this.#table.put([number], kept);
    await this.#journal?.committed();
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#table.remove([entry.number]);
  }

  /**
   * Forgets what has ended, as far as it was written first, and what is too much. What is being carried out stays: its
   * repetition would be carried out beside it; of those there are as many as requests under way.
   */
  #sweep(): void {
    for (const [key, { kept }] of this.#entries) {
      const isOver = this.#entries.size >= REPLIES_MAX;
      const hasEnded = kept.endsAtMs <= this.#clock();
      if (!isOver && !hasEnded) return;
      if (hasEnded || kept.reply !== undefined) this.#drop(key);
    }
  }
}

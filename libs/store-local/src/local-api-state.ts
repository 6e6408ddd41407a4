import { randomUUID } from 'node:crypto';
import {
  StoredJobs,
  type ApiDefinitionKind,
  type ApiJournal,
  type ApiJournalBounds,
  type ApiJournalName,
  type ApiState,
  type DefinitionStore,
  type Job,
  type JobInput,
  type JobResult,
  type JobStore,
} from '#libs/broker-ports';
import { LmdbJournal } from './lmdb-journal.ts';
import { LocalApiJournal } from './local-api-journal.ts';
import { LocalBucketStore } from './local-bucket-store.ts';
import { LocalDefinitionStore } from './local-definition-store.ts';
import { LocalReplyStore } from './local-reply-store.ts';
import type { LocalStoresOptions } from './local-stores.ts';

/** What the admin API of a single node knows itself: in memory, and in a file of its own beside that of the node. */
class LocalApiState implements ApiState {
  readonly isReachable = true;
  readonly replies: LocalReplyStore;
  readonly buckets: LocalBucketStore;
  readonly jobs: JobStore;
  readonly #clock: () => number;
  readonly #file: LmdbJournal | undefined;
  readonly #stores = new Map<ApiDefinitionKind, LocalDefinitionStore<{ readonly id: string }>>();
  readonly #journals = new Map<ApiJournalName, LocalApiJournal<unknown>>();

  constructor(clock: () => number, file: LmdbJournal | undefined) {
    this.#clock = clock;
    this.#file = file;
    this.replies = new LocalReplyStore({ clock, journal: file });
    this.buckets = new LocalBucketStore(clock);
    this.jobs = new StoredJobs({
      jobs: this.definitions<Job>('jobs'),
      inputs: this.definitions<JobInput>('job-inputs'),
      results: this.definitions<JobResult>('job-results'),
      now: async () => clock(),
      uniqueId: randomUUID,
    });
  }

  definitions<Item extends { readonly id: string }>(
    kind: ApiDefinitionKind,
  ): DefinitionStore<Item> {
    const store =
      this.#stores.get(kind) ??
      new LocalDefinitionStore(kind, { journal: this.#file, clock: this.#clock });
    this.#stores.set(kind, store);
    // A kind has one type of items: who asks for it knows which.
    return store as unknown as DefinitionStore<Item>;
  }

  journal<Entry>(name: ApiJournalName, bounds: ApiJournalBounds): ApiJournal<Entry> {
    const options = { clock: this.#clock, journal: this.#file };
    const journal = this.#journals.get(name) ?? new LocalApiJournal(name, bounds, options);
    this.#journals.set(name, journal);
    return journal as ApiJournal<unknown> as ApiJournal<Entry>;
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) await store.close();
    await this.#file?.close();
  }
}

/**
 * Opens what the admin API of a single node knows itself. One process may use a directory at a time.
 *
 * @throws Error when the directory cannot be used, or its file is damaged or of another version.
 */
export async function openLocalApiState({ dir, clock }: LocalStoresOptions): Promise<ApiState> {
  const file = dir === undefined ? undefined : await LmdbJournal.open(dir);
  try {
    return new LocalApiState(clock, file);
  } catch (error) {
    await file?.close();
    throw error;
  }
}

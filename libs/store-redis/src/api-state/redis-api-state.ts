import { randomUUID } from 'node:crypto';
import {
  StoredJobs,
  type ApiDefinitionKind,
  type ApiJournal,
  type ApiJournalBounds,
  type ApiJournalName,
  type ApiState,
  type BucketStore,
  type DefinitionStore,
  type JobInput,
  type JobResult,
  type Job,
  type JobStore,
  type ReplyStore,
} from '#libs/broker-ports';
import type { RedisConnection } from '../redis-connection.ts';
import { RedisDefinitionStore } from '../redis-definition-store.ts';
import { OPERATION } from './operation.ts';
import { RedisApiJournal } from './redis-api-journal.ts';
import { RedisBucketStore } from './redis-bucket-store.ts';
import { RedisReplyStore } from './redis-reply-store.ts';

/**
 * What the admin API knows itself, in Redis, shared by its replicas.
 *
 * @remarks The connection is the caller's, its deadline is that of every call.
 */
export class RedisApiState implements ApiState {
  readonly replies: ReplyStore;
  readonly buckets: BucketStore;
  readonly jobs: JobStore;
  readonly #redis: RedisConnection;
  readonly #closed: () => Promise<void>;
  readonly #stores = new Map<ApiDefinitionKind, RedisDefinitionStore<{ readonly id: string }>>();
  readonly #journals = new Map<ApiJournalName, RedisApiJournal<unknown>>();

  /** @param closed - what becomes of the connection in the end; by default nothing. */
  constructor(redis: RedisConnection, closed: () => Promise<void> = async () => {}) {
    this.#redis = redis;
    this.#closed = closed;
    this.replies = new RedisReplyStore(redis);
    this.buckets = new RedisBucketStore(redis);
    this.jobs = new StoredJobs({
      jobs: this.definitions<Job>('jobs'),
      inputs: this.definitions<JobInput>('job-inputs'),
      results: this.definitions<JobResult>('job-results'),
      now: () => this.#now(),
      uniqueId: randomUUID,
    });
  }

  get isReachable(): boolean {
    return this.#redis.isUp;
  }

  definitions<Item extends { readonly id: string }>(
    kind: ApiDefinitionKind,
  ): DefinitionStore<Item> {
    const store = this.#stores.get(kind) ?? new RedisDefinitionStore(this.#redis, kind);
    this.#stores.set(kind, store);
    // A kind has one type of items: who asks for it knows which.
    return store as unknown as DefinitionStore<Item>;
  }

  journal<Entry>(name: ApiJournalName, bounds: ApiJournalBounds): ApiJournal<Entry> {
    const journal = this.#journals.get(name) ?? new RedisApiJournal(this.#redis, name, bounds);
    this.#journals.set(name, journal);
    return journal as ApiJournal<unknown> as ApiJournal<Entry>;
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) await store.close();
    await this.#closed();
  }

  /** The clock of Redis: replicas need not agree on the time. */
  async #now(): Promise<number> {
    const [seconds = 0, micros = 0] = await this.#redis.run(OPERATION, '', (client) =>
      client.time(),
    );
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }
}

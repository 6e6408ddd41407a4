import type { DefinitionStore } from './definition-store.ts';
import type { JobStore } from './job-store.ts';

/**
 * The kinds of definition that are the API's own.
 *
 * @remarks Data files know a kind by its place in this list: a new one goes to the end, and none is ever taken out.
 */
export const API_DEFINITION_KINDS = [
  'api-keys',
  'roles',
  'role-bindings',
  'jobs',
  'job-inputs',
  'webhooks',
  'traces',
  'topic-metrics',
  'schedules',
  'backups',
  'api-key-uses',
  'secrets',
  'job-results',
  'webhook-progress',
  'listeners',
] as const;

/** A kind of definition that is the API's own. */
export type ApiDefinitionKind = (typeof API_DEFINITION_KINDS)[number];

/** The journals of the API. As of {@link API_DEFINITION_KINDS}, a new one goes to the end. */
export const API_JOURNALS = ['audit', 'config-history', 'webhook-deliveries'] as const;

/** The name of a journal of the API. */
export type ApiJournalName = (typeof API_JOURNALS)[number];

/** How much a journal keeps: whatever is older, or more, is gone. */
export interface ApiJournalBounds {
  readonly entriesMax: number;
  readonly ageMsMax: number;
}

/** An entry as it is kept. */
export interface ApiJournalRecord<Entry> {
  /** `milliseconds-number`; in the order in which entries were appended. */
  readonly id: string;
  readonly atMs: number;
  readonly entry: Entry;
}

/** Which part of a journal: the latest first, or those after an id in the order of their coming. */
export interface ApiJournalQuery {
  /** Those that came before this id, which the journal has given, the latest first. */
  readonly before?: string | undefined;
  /** Those that came after it, the earliest first; `0-0` is before all. Not together with `before`. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What was, in the order in which it came: nothing is changed, and what goes is the oldest. */
export interface ApiJournal<Entry> {
  /** Adds an entry, which is plain JSON, and gives its id. */
  append(entry: Entry): Promise<string>;
  /** A part of what is kept. */
  page(query: ApiJournalQuery): Promise<readonly ApiJournalRecord<Entry>[]>;
}

/** What was answered to a request that must not be carried out twice. */
export interface KeptReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What becomes of a request with a key. */
export type ReplyBegin =
  /** Nobody has asked under this key: carry it out, then finish() or abandon() the claim. */
  | { readonly kind: 'fresh'; readonly claim: string }
  | { readonly kind: 'replay'; readonly reply: KeptReply }
  /** Something else was asked under this key. */
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'in-progress' };

/** A request that is about to be carried out. */
export interface ReplyRequest {
  /** Names credential, route and the caller's key; of any length. */
  readonly key: string;
  readonly bodyHash: string;
  /** For how long nobody else may begin, unless the claim is extended: an owner that dies frees the key. */
  readonly leaseMs: number;
}

/** A request under way. */
export interface ReplyClaim {
  readonly key: string;
  readonly claim: string;
}

/** Replies by the key that a caller has given its request, so that a repetition has no second effect. */
export interface ReplyStore {
  /** Claims a request, or says what has become of it. */
  begin(request: ReplyRequest): Promise<ReplyBegin>;
  /** Holds the claim for longer; false when it is another's by now, or nobody's. */
  extend(claim: ReplyClaim, leaseMs: number): Promise<boolean>;
  /** Keeps the reply for a time; false as above. */
  finish(claim: ReplyClaim, reply: KeptReply, ttlMs: number): Promise<boolean>;
  /** Frees the key: nothing was done. */
  abandon(claim: ReplyClaim): Promise<void>;
}

/** How fast a bucket fills, and how much it holds. Both are more than 0. */
export interface BucketRate {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** What was taken. */
export interface BucketTaken {
  readonly allowed: boolean;
  /** How much is left, rounded down; 0 when more was taken than the bucket holds. */
  readonly remaining: number;
  /** When the same could be taken; 0 when it was. */
  readonly retryAfterMs: number;
  /** When the bucket is full again. */
  readonly resetMs: number;
}

/** Buckets of tokens that all replicas of the API take from. */
export interface BucketStore {
  /**
   * Takes `count` tokens of a bucket, or none.
   *
   * @remarks A count above the burst is allowed when the bucket is full, and leaves a debt.
   */
  take(name: string, rate: BucketRate, count: number): Promise<BucketTaken>;
}

/**
 * What the admin API knows itself and no node needs to: shared by all replicas of a cluster, or kept beside an embedded node.
 *
 * @remarks Every call rejects with StoreUnavailableError when the store is away, within two seconds.
 */
export interface ApiState {
  /** Whether the store can be reached at this moment, as far as is known. */
  readonly isReachable: boolean;
  /** The store of a kind, the same one for each call. It is closed with the state. */
  definitions<Item extends { readonly id: string }>(kind: ApiDefinitionKind): DefinitionStore<Item>;
  /** A journal; whoever names it first in a process says its bounds. */
  journal<Entry>(name: ApiJournalName, bounds: ApiJournalBounds): ApiJournal<Entry>;
  readonly replies: ReplyStore;
  readonly buckets: BucketStore;
  readonly jobs: JobStore;
  /** Stops watching, and writes what is pending. */
  close(): Promise<void>;
}

/** How many jobs may wait or run at a time. */
export const JOBS_OPEN_MAX = 100;

/** How many ended jobs are kept, the latest. */
export const JOBS_ENDED_MAX = 400;

/** How long an ended job is kept. */
export const JOBS_ENDED_AGE_MS_MAX = 7 * 86_400_000;

/** What the results of ended jobs may have in characters of JSON, all together: the oldest jobs go, never the latest. */
export const JOBS_RESULTS_CHARACTERS_MAX = 64 * 1024 * 1024;

/** Where a job is. */
export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** How far a job is. */
export interface JobProgress {
  readonly done: number;
  readonly total?: number;
}

/** A long operation of the API. All of it is plain JSON. */
export interface Job {
  readonly id: string;
  readonly kind: string;
  /** Who has asked for it. */
  readonly actor: string;
  readonly state: JobState;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly endedAtMs?: number;
  readonly progress: JobProgress;
  /** What its worker wrote down to go on from when another one takes over; gone when it has ended. */
  readonly checkpoint?: unknown;
  readonly isCancelRequested: boolean;
  /** What it came to; with `succeeded`, or what was done until it was cancelled. */
  readonly result?: unknown;
  /** Of the result as JSON; absent without one. */
  readonly resultCharacters?: number;
  /** Why it has failed. */
  readonly problem?: unknown;
  /** How often somebody has begun it. */
  readonly attempts: number;
  readonly worker?: JobWorker;
}

/** Who works on a job, and until when it must be heard of. */
export interface JobWorker {
  readonly replica: string;
  readonly claim: string;
  readonly leaseEndsAtMs: number;
}

/** A job that is wanted. */
export interface JobDraft {
  /** Unique for ever. */
  readonly id: string;
  readonly kind: string;
  readonly actor: string;
  /** What its worker needs to know; read only by {@link JobStore.claim}, and dropped when the job has ended. */
  readonly input: unknown;
}

/** Who looks for work. */
export interface JobSeeker {
  readonly replica: string;
  /** What it can do. */
  readonly kinds: readonly string[];
  readonly leaseMs: number;
}

/** A job in the hands of a worker. */
export interface ClaimedJob {
  readonly job: Job;
  readonly input: unknown;
  readonly claim: string;
}

/** What a worker tells of its job. */
export interface JobUpdate {
  readonly progress?: JobProgress;
  readonly checkpoint?: unknown;
  /** For how long it will be silent at most. */
  readonly leaseMs: number;
}

/** `lost`: another worker has it, or it has ended. */
export type JobHold =
  { readonly kind: 'held'; readonly isCancelRequested: boolean } | { readonly kind: 'lost' };

/** How a job ended. */
export type JobOutcome =
  | { readonly state: 'succeeded'; readonly result: unknown }
  | { readonly state: 'failed'; readonly problem: unknown }
  | { readonly state: 'cancelled'; readonly result?: unknown };

/**
 * Long operations: each is carried out by one replica of the API at a time, and by another one when that is gone.
 *
 * @remarks A worker whose lease has ended may still be at work when the next begins: what jobs do must bear repetition
 * from their last checkpoint.
 */
export interface JobStore {
  /** `full`: {@link JOBS_OPEN_MAX} wait or run. */
  create(draft: JobDraft): Promise<Job | 'full'>;
  /** One of them; undefined when there is none. */
  get(id: string): Promise<Job | undefined>;
  /** All there are, the latest first, without what they came to. */
  list(): Promise<readonly Job[]>;
  /** The oldest that waits, or whose worker was not heard of in time; undefined when there is nothing to do. */
  claim(seeker: JobSeeker): Promise<ClaimedJob | undefined>;
  /** Tells how far it is, and holds it for longer. */
  update(claimed: ClaimedJob, update: JobUpdate): Promise<JobHold>;
  /** Ends a job; false when it was lost. */
  finish(claimed: ClaimedJob, outcome: JobOutcome): Promise<boolean>;
  /** Cancels a job that waits, or whose worker was not heard of in time; one that runs is told with its next update. */
  cancel(id: string): Promise<'requested' | 'cancelled' | 'ended' | 'absent'>;
}

import type { DefinitionStore, StoredDefinition } from './definition-store.ts';
import {
  JOBS_ENDED_AGE_MS_MAX,
  JOBS_ENDED_MAX,
  JOBS_OPEN_MAX,
  JOBS_RESULTS_CHARACTERS_MAX,
  type ClaimedJob,
  type Job,
  type JobDraft,
  type JobHold,
  type JobOutcome,
  type JobSeeker,
  type JobStore,
  type JobUpdate,
} from './job-store.ts';

/** What a job is carried out with, apart from what is read whenever jobs are looked at. */
export interface JobInput {
  readonly id: string;
  readonly input: unknown;
}

/** What a job came to, apart for the same reason. */
export interface JobResult {
  readonly id: string;
  readonly result: unknown;
}

/** What jobs are kept with. */
export interface StoredJobsOptions {
  readonly jobs: DefinitionStore<Job>;
  readonly inputs: DefinitionStore<JobInput>;
  readonly results: DefinitionStore<JobResult>;
  /** Milliseconds since 1970, by a clock that all replicas share. */
  readonly now: () => Promise<number>;
  /** A text that was never given before. */
  readonly uniqueId: () => string;
  /** @defaultValue JOBS_RESULTS_CHARACTERS_MAX */
  readonly resultsCharactersMax?: number;
}

/** How often a change is tried again when somebody else has changed the job meanwhile. */
const ATTEMPTS_MAX = 10;

type Change = (job: Job, nowMs: number) => Job | undefined;

/** Jobs in a store of definitions: who changes one does so by compare-and-set on its revision. */
export class StoredJobs implements JobStore {
  readonly #options: StoredJobsOptions;

  constructor(options: StoredJobsOptions) {
    this.#options = options;
  }

  async create({ id, kind, actor, input }: JobDraft): Promise<Job | 'full'> {
    const { jobs, inputs, now } = this.#options;
    const all = await jobs.list();
    if (all.filter(({ item }) => isOpen(item)).length >= JOBS_OPEN_MAX) return 'full';
    const nowMs = await now();
    await this.#drop(all, nowMs, JOBS_ENDED_MAX - 1);
    const job: Job = {
      ...{ id, kind, actor, state: 'queued', createdAtMs: nowMs, updatedAtMs: nowMs },
      ...{ progress: { done: 0 }, isCancelRequested: false, attempts: 0 },
    };
    // First, so that nobody finds a job without what it needs.
    await inputs.put({ id, input }, undefined);
    const stored = await jobs.put(job, undefined);
    if (stored.kind !== 'stored') throw new Error(`a job with the id ${id} exists`);
    return job;
  }

  async get(id: string): Promise<Job | undefined> {
    const { jobs, results } = this.#options;
    const job = (await jobs.get(id))?.item;
    if (job === undefined || isOpen(job)) return job;
    const found = await results.get(id);
    return found === undefined ? job : { ...job, result: found.item.result };
  }

  async list(): Promise<readonly Job[]> {
    const jobs = await this.#options.jobs.list();
    return jobs.map(({ item }) => item).sort(byLatest);
  }

  async claim({ replica, kinds, leaseMs }: JobSeeker): Promise<ClaimedJob | undefined> {
    const { jobs, inputs, now, uniqueId } = this.#options;
    const nowMs = await now();
    const all = await jobs.list();
    await this.#drop(all, nowMs);
    const free = all
      .filter(({ item }) => kinds.includes(item.kind) && isFree(item, nowMs))
      .sort((one, other) => byLatest(other.item, one.item));
    for (const { item, revision } of free) {
      const claim = uniqueId();
      const worker = { replica, claim, leaseEndsAtMs: nowMs + leaseMs };
      const state = { state: 'running', updatedAtMs: nowMs, attempts: item.attempts + 1 } as const;
      const job: Job = { ...item, ...state, worker };
      if ((await jobs.put(job, revision)).kind !== 'stored') continue;
      const input = (await inputs.get(job.id))?.item.input;
      return { job, input, claim };
    }
    return undefined;
  }

  async update(claimed: ClaimedJob, { leaseMs, ...told }: JobUpdate): Promise<JobHold> {
    const job = await this.#change(claimed.job.id, (current, nowMs) => {
      const { worker } = current;
      if (worker?.claim !== claimed.claim || !isOpen(current)) return undefined;
      const renewed = { ...worker, leaseEndsAtMs: nowMs + leaseMs };
      return { ...current, ...told, worker: renewed, updatedAtMs: nowMs };
    });
    if (job === undefined) return { kind: 'lost' };
    return { kind: 'held', isCancelRequested: job.isCancelRequested };
  }

  async finish(claimed: ClaimedJob, outcome: JobOutcome): Promise<boolean> {
    const { jobs, inputs, now } = this.#options;
    const { id } = claimed.job;
    const isHeld = (current: Job): boolean =>
      current.worker?.claim === claimed.claim && isOpen(current);
    const { result, ...rest } = { result: undefined, ...outcome };
    // First, so that nobody finds a job without what it came to. Whoever has lost it may leave one, for the next to replace.
    if (result !== undefined) {
      const current = await jobs.get(id);
      if (current === undefined || !isHeld(current.item)) return false;
      await this.#keepResult({ id, result });
    }
    const resultCharacters = JSON.stringify(result)?.length;
    const size = resultCharacters === undefined ? {} : { resultCharacters };
    const job = await this.#change(id, (current, nowMs) =>
      isHeld(current) ? ended({ ...current, ...rest, ...size }, nowMs) : undefined,
    );
    if (job === undefined) return false;
    await inputs.remove(job.id, undefined);
    // It has ended, whatever becomes of others: whoever looks for work next drops them.
    if (resultCharacters !== undefined) {
      await this.#drop(await jobs.list(), await now()).catch(() => undefined);
    }
    return true;
  }

  async cancel(id: string): Promise<'requested' | 'cancelled' | 'ended' | 'absent'> {
    const job = await this.#change(id, (current, nowMs) => {
      if (!isOpen(current)) return undefined;
      // Also one whose worker has gone: perhaps nobody is left who can do it.
      if (isFree(current, nowMs)) return ended({ ...current, state: 'cancelled' }, nowMs);
      return { ...current, isCancelRequested: true, updatedAtMs: nowMs };
    });
    if (job === undefined) return (await this.get(id)) === undefined ? 'absent' : 'ended';
    if (isOpen(job)) return 'requested';
    await this.#options.inputs.remove(id, undefined);
    return 'cancelled';
  }

  async #keepResult(result: JobResult): Promise<void> {
    const { results } = this.#options;
    await results.remove(result.id, undefined);
    const stored = await results.put(result, undefined);
    if (stored.kind !== 'stored') throw new Error(`two workers end the job ${result.id} at once`);
  }

  /** The job after a change; undefined when it is not there, or the change does not apply any more. */
  async #change(id: string, change: Change): Promise<Job | undefined> {
    const { jobs, now } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const stored = await jobs.get(id);
      const next = stored === undefined ? undefined : change(stored.item, await now());
      if (stored === undefined || next === undefined) return undefined;
      const result = await jobs.put(next, stored.revision);
      if (result.kind === 'stored') return next;
    }
    throw new Error(`the job ${id} is changed by too many at once`);
  }

  /** Removes ended jobs beyond those that are kept, the oldest. */
  async #drop(
    all: readonly StoredDefinition<Job>[],
    nowMs: number,
    jobsMax = JOBS_ENDED_MAX,
  ): Promise<void> {
    const { jobs, inputs, results } = this.#options;
    const { resultsCharactersMax = JOBS_RESULTS_CHARACTERS_MAX } = this.#options;
    const done = all.filter(({ item }) => !isOpen(item));
    done.sort((one, other) => byEnd(one.item, other.item));
    let characters = 0;
    const gone = done.filter(({ item: { resultCharacters = 0, endedAtMs = 0 } }, index) => {
      characters += resultCharacters;
      const isLarge = index > 0 && resultCharacters > 0 && characters > resultsCharactersMax;
      return isLarge || index >= jobsMax || nowMs - endedAtMs > JOBS_ENDED_AGE_MS_MAX;
    });
    for (const { item, revision } of gone) {
      await jobs.remove(item.id, revision);
      // Gone already, unless its worker died right after it had ended the job.
      await inputs.remove(item.id, undefined);
      await results.remove(item.id, undefined);
    }
  }
}

function ended(job: Job, nowMs: number): Job {
  const { worker: _, checkpoint: __, ...rest } = job;
  return { ...rest, endedAtMs: nowMs, updatedAtMs: nowMs };
}

function isOpen({ state }: Job): boolean {
  return state === 'queued' || state === 'running';
}

function isFree({ state, worker }: Job, nowMs: number): boolean {
  return state === 'queued' || (state === 'running' && (worker?.leaseEndsAtMs ?? 0) <= nowMs);
}

/** The one that has ended last comes first. */
function byEnd(one: Job, other: Job): number {
  return (other.endedAtMs ?? 0) - (one.endedAtMs ?? 0) || byLatest(one, other);
}

function byLatest(one: Job, other: Job): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? 1 : -1);
}

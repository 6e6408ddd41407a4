import {
  StoreUnavailableError,
  type ClaimedJob,
  type JobOutcome,
  type JobStore,
  type Log,
} from '#libs/broker-ports';
import { ProblemError } from '../http/problem-error.ts';
import { problemOf } from '../http/problem-of.ts';
import { OperationHold } from './operation-hold.ts';
import type { OperationRun } from './operation-kind.ts';

/** Does a job. */
export type DoJob = (claimed: ClaimedJob, run: OperationRun) => Promise<unknown>;

/** What the worker is made with. */
export interface OperationWorkerOptions {
  readonly jobs: JobStore;
  /** By kind. */
  readonly kinds: ReadonlyMap<string, DoJob>;
  /** Of this process, and of no other. */
  readonly replica: string;
  readonly log: Log;
}

/** So many at a time; others wait, here or for another replica. */
export const OPERATIONS_AT_ONCE = 4;

/** For so long nobody else takes a job whose worker has gone silent. */
export const LEASE_MS = 15_000;

/** So often this replica looks for what others have left, or been asked for. */
export const LOOK_INTERVAL_MS = 2_000;

/** A job that was begun so often, and never ended, ends those that begin it. */
export const ATTEMPTS_MAX = 10;

/** So long jobs may take to notice that the process ends. */
const STOP_MS = 4_000;

/** A result of more characters belongs somewhere else. */
const RESULT_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Carries out jobs, also those that replicas before have left, until it is stopped. */
export class OperationWorker {
  readonly #options: OperationWorkerOptions;
  readonly #holds = new Map<string, OperationHold>();
  readonly #works = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #isStopped = false;

  constructor(options: OperationWorkerOptions) {
    this.#options = options;
  }

  /** Begins to look for work. */
  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_INTERVAL_MS).unref();
    this.look();
  }

  /** Looks for work now. */
  look(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  /** A job is to end: hears of it now, if it is here. */
  async cancelled(id: string): Promise<void> {
    await this.#holds.get(id)?.renew();
  }

  /** Has all that it does go on elsewhere, or later. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#looking;
    for (const hold of this.#holds.values()) hold.end('stopped');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    // What does not end in time is left without a word: its lease ends soon after the process.
    await Promise.race([Promise.all(this.#works), late]);
    clearTimeout(timer);
  }

  async #look(): Promise<void> {
    const { jobs, kinds, replica, log } = this.#options;
    const seeker = { replica, kinds: [...kinds.keys()], leaseMs: LEASE_MS };
    try {
      while (this.#lookAgain && !this.#isStopped) {
        this.#lookAgain = false;
        while (this.#holds.size < OPERATIONS_AT_ONCE && !this.#isStopped) {
          const claimed = await jobs.claim(seeker);
          if (claimed === undefined) break;
          this.#begin(claimed);
        }
      }
    } catch (error) {
      const isAway = error instanceof StoreUnavailableError;
      log[isAway ? 'debug' : 'error']('operations-not-looked-for', { message: String(error) });
    }
  }

  #begin(claimed: ClaimedJob): void {
    const { jobs, log } = this.#options;
    const { id, kind, attempts } = claimed.job;
    const hold = new OperationHold({ jobs, claimed, leaseMs: LEASE_MS });
    this.#holds.set(id, hold);
    log.info('operation-begun', { id, kind, attempts });
    const work = this.#work(claimed, hold)
      .catch((error: unknown) => {
        log.warn('operation-not-ended', { id, kind, message: String(error) });
      })
      .finally(() => {
        hold.close();
        this.#holds.delete(id);
        this.#works.delete(work);
        this.look();
      });
    this.#works.add(work);
  }

  async #work(claimed: ClaimedJob, hold: OperationHold): Promise<void> {
    const { log } = this.#options;
    const { id, kind } = claimed.job;
    const outcome = await this.#outcome(claimed, hold);
    if (outcome === undefined) {
      log.info('operation-left', { id, kind, reason: hold.endReason ?? '' });
      if (hold.endReason === 'stopped') await hold.release();
      return;
    }
    const isEnded = await hold.finish(outcome);
    log.info('operation-ended', { id, kind, state: isEnded ? outcome.state : 'lost' });
  }

  /** How it ended; undefined when another worker is to go on. */
  async #outcome(claimed: ClaimedJob, hold: OperationHold): Promise<JobOutcome | undefined> {
    const { job } = claimed;
    if (job.isCancelRequested) return { state: 'cancelled' };
    try {
      if (job.attempts > ATTEMPTS_MAX) throw tooOften(job.attempts - 1);
      const result = (await this.#options.kinds.get(job.kind)?.(claimed, hold)) ?? null;
      if (JSON.stringify(result).length > RESULT_CHARACTERS_MAX) throw tooLarge();
      return { state: 'succeeded', result };
    } catch (error) {
      if (hold.endReason === 'cancelled') return { state: 'cancelled' };
      if (hold.endReason !== undefined) return undefined;
      return { state: 'failed', problem: this.#problemOf(error, claimed).item() };
    }
  }

  #problemOf(error: unknown, { job: { id, kind } }: ClaimedJob): ProblemError {
    const problem = problemOf(error, { method: 'POST', path: '' });
    if (problem.code !== 'internal') return problem;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.error('operation-failed', { id, kind, message });
    return new ProblemError('internal', 'The log holds the cause under the id of the operation');
  }
}

function tooOften(attempts: number): ProblemError {
  return new ProblemError(
    'overloaded',
    `It was begun ${attempts} times, and each time its worker went away before its end`,
  );
}

function tooLarge(): ProblemError {
  return new ProblemError('limit-reached', 'What it came to is too large to be kept');
}

import {
  StoreUnavailableError,
  type ClaimedJob,
  type JobOutcome,
  type JobProgress,
  type JobStore,
} from '#libs/broker-ports';
import {
  OperationEnded,
  type EndReason,
  type OperationRun,
  type OperationUpdate,
} from './operation-kind.ts';

/** How a job is held. */
export interface OperationHoldOptions {
  readonly jobs: JobStore;
  readonly claimed: ClaimedJob;
  readonly leaseMs: number;
}

/** Progress without a checkpoint is stored so often at most. */
const PROGRESS_INTERVAL_MS = 1_000;
/** How long to wait for a store that is away. */
const RETRY_MS = 500;

/** A job in the hands of this replica: renews its lease until it is closed, and knows when it must not go on. */
export class OperationHold implements OperationRun {
  readonly id: string;
  readonly actor: string;
  readonly checkpoint: unknown;
  readonly #options: OperationHoldOptions;
  readonly #controller = new AbortController();
  readonly #renewal: NodeJS.Timeout;
  /** Told, and not stored yet. */
  #progress: JobProgress | undefined;
  /** When the store was last asked for the lease that it gave. */
  #heldAtMs = performance.now();
  #sentAtMs = 0;
  #isRenewing = false;

  constructor(options: OperationHoldOptions) {
    this.#options = options;
    const { job } = options.claimed;
    this.id = job.id;
    this.actor = job.actor;
    this.checkpoint = job.checkpoint;
    this.#renewal = setInterval(() => void this.renew(), options.leaseMs / 3).unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it must not go on; undefined while it may. */
  get endReason(): EndReason | undefined {
    const reason: unknown = this.signal.reason;
    return reason instanceof OperationEnded ? reason.reason : undefined;
  }

  async report(update: OperationUpdate): Promise<void> {
    this.signal.throwIfAborted();
    this.#progress = update.progress ?? this.#progress;
    const isDue = performance.now() - this.#sentAtMs >= PROGRESS_INTERVAL_MS;
    if (update.checkpoint === undefined && !isDue) return;
    await this.#send(update.checkpoint);
    this.signal.throwIfAborted();
  }

  /** Holds the job for longer, and hears whether it was cancelled. Never rejects. */
  async renew(): Promise<void> {
    if (this.signal.aborted || this.#isRenewing) return;
    this.#isRenewing = true;
    // Whatever the fault, the lease ends by itself then, and with it this hold.
    await this.#send().catch(() => this.#expire());
    this.#isRenewing = false;
  }

  /** Says that it must not go on. */
  end(reason: EndReason): void {
    this.#controller.abort(new OperationEnded(reason));
  }

  /** Ends the job in the store, and gives up when it is lost. */
  async finish(outcome: JobOutcome): Promise<boolean> {
    const { jobs, claimed } = this.#options;
    if (this.#progress !== undefined) await this.#send();
    return this.#insist(() => jobs.finish(claimed, outcome));
  }

  /** Leaves the job to whoever looks for work next. */
  async release(): Promise<void> {
    const { jobs, claimed } = this.#options;
    const progress = this.#progress;
    await jobs.update(claimed, { ...(progress && { progress }), leaseMs: 0 });
  }

  /** Lets the lease end. */
  close(): void {
    clearInterval(this.#renewal);
  }

  async #send(checkpoint?: unknown): Promise<void> {
    const { jobs, claimed, leaseMs } = this.#options;
    const progress = this.#progress;
    const update = {
      ...{ leaseMs, ...(progress && { progress }) },
      ...(checkpoint !== undefined && { checkpoint }),
    };
    const askedAtMs = performance.now();
    const hold = await this.#insist(() => jobs.update(claimed, update));
    this.#heldAtMs = Math.max(this.#heldAtMs, askedAtMs);
    this.#sentAtMs = performance.now();
    if (this.#progress === progress) this.#progress = undefined;
    if (hold.kind === 'lost') this.end('lost');
    else if (hold.isCancelRequested) this.end('cancelled');
  }

  /** Asks the store until it answers, or the lease has ended. */
  async #insist<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        this.#expire();
        if (this.endReason === 'lost') throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }

  #expire(): void {
    if (performance.now() - this.#heldAtMs >= this.#options.leaseMs) this.end('lost');
  }
}

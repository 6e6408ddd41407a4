import { createHash, hkdfSync, randomUUID } from 'node:crypto';
import type { LongOperation, LongOperationSummary } from '#libs/api-contracts';
import type { ClaimedJob, Job } from '#libs/broker-ports';
import type { ApiMeter } from '#libs/metrics-prom';
import { knownCaller, type Caller } from '../guard/caller.ts';
import { decipher, encipher } from '../http/cipher.ts';
import type { Exchange } from '../http/pages.ts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationKind, OperationParts } from './operation-kind.ts';
import { OperationWorker, type DoJob } from './operation-worker.ts';
import { presentOperation } from './operation-presenter.ts';

/** What long operations are made with. */
export interface OperationsOptions {
  readonly parts: OperationParts;
  readonly kinds: readonly OperationKind<never>[];
  readonly meter: Pick<ApiMeter, 'operations'>;
}

/** Long operations: begun here, done by whichever replica has room, and shown by all. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #kinds: ReadonlyMap<string, OperationKind<never>>;
  readonly #worker: OperationWorker;

  constructor(options: OperationsOptions) {
    this.#options = options;
    const { parts, kinds } = options;
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]));
    this.#worker = new OperationWorker({
      ...{ jobs: parts.state.jobs, log: parts.log, replica: randomUUID() },
      kinds: new Map(kinds.map((kind) => [kind.kind, this.#doing(kind)])),
    });
  }

  /** Begins to look for what is to be done. */
  open(): void {
    this.#worker.start();
  }

  /** Leaves what is not done to other replicas, or to the next start. */
  close(): Promise<void> {
    return this.#worker.stop();
  }

  /**
   * Has something done after the reply, which is 202 with `Location`; its body is what this gives.
   *
   * @throws ProblemError 409 when too much is to be done already.
   */
  async start<Input>(
    kind: OperationKind<Input>,
    input: Input,
    { request, reply }: Exchange,
  ): Promise<LongOperation> {
    const { jobs } = this.#options.parts.state;
    const caller = knownCaller(request);
    const id = randomUUID();
    const kept = kind.isSecret === true ? encipher(JSON.stringify(input), this.#keyOf(id)) : input;
    const job = await jobs.create({ id, kind: kind.kind, actor: caller.id, input: kept });
    if (job === 'full') {
      throw new ProblemError('limit-reached', 'Too many long operations wait or run; try later');
    }
    this.#worker.look();
    void reply.code(202).header('location', `/api/v1/operations/${id}`);
    return this.present(job, caller);
  }

  /** All there are, the latest first. */
  async list(): Promise<readonly LongOperationSummary[]> {
    const jobs = await this.#options.parts.state.jobs.list();
    return jobs.map((job) => presentOperation(job));
  }

  /** One of them. @throws ProblemError 404. */
  async get(id: string): Promise<Job> {
    const job = await this.#options.parts.state.jobs.get(id);
    if (job === undefined) throw absent();
    return job;
  }

  /** Cancels one of them, and gives what it is then. @throws ProblemError 404, 409. */
  async cancel(id: string): Promise<Job> {
    const outcome = await this.#options.parts.state.jobs.cancel(id);
    if (outcome === 'absent') throw absent();
    if (outcome === 'ended') throw new ProblemError('conflict', 'The operation has ended');
    await this.#worker.cancelled(id);
    return this.get(id);
  }

  /** One of them as a caller may see it. */
  present(job: Job, caller: Caller): LongOperation {
    const scope = this.#kinds.get(job.kind)?.resultScope ?? null;
    const isOwn = job.actor === caller.id;
    // Nobody knows whom the result of a kind of another release concerns.
    const isSeen =
      this.#kinds.has(job.kind) &&
      (scope === null || caller.scopes.has(scope)) &&
      (isOwn || caller.topicPrefixes === undefined);
    return {
      ...presentOperation(job),
      ...(isSeen && { result: job.result ?? null }),
      result_scope: scope,
    };
  }

  /** Counts them for the metrics; what was counted before stays when the store is away. */
  async measure(): Promise<void> {
    const { parts, meter } = this.#options;
    const jobs = await parts.state.jobs.list().catch(() => undefined);
    if (jobs !== undefined) meter.operations(jobs.map(({ state }) => state));
  }

  #doing<Input>(kind: OperationKind<Input>): DoJob {
    const { parts } = this.#options;
    return async ({ job, input }: ClaimedJob, run) => {
      // A border: what was begun is of this kind, by this release or one that is compatible.
      if (kind.isSecret !== true) return kind.run(input as Input, run, parts);
      await parts.guard.secret.load();
      return kind.run(this.#opened(job.id, input) as Input, run, parts);
    };
  }

  #opened(id: string, input: unknown): unknown {
    try {
      return JSON.parse(decipher(String(input), this.#keyOf(id)));
    } catch {
      throw new ProblemError(
        'unprocessable',
        'The key of the API has changed since it was asked for; ask again',
      );
    }
  }

  /** Another one for each job. */
  #keyOf(id: string): Buffer {
    const salt = createHash('sha256').update(id).digest();
    const { value } = this.#options.parts.guard.secret;
    return Buffer.from(hkdfSync('sha256', value, salt, 'skein-operation', 32));
  }
}

function absent(): ProblemError {
  return new ProblemError('not-found', 'There is no such operation, or it ended long ago');
}

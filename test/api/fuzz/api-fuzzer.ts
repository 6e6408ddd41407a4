import { Random } from '../../fuzz/random.ts';
import {
  ContractCheck,
  type DocumentedOperation,
  type Exchanged,
} from '../contract/contract-check.ts';
import { RawCaller, type RawRequest } from '../contract/raw-call.ts';
import { RequestMaker } from './request-maker.ts';

/** What an API is fuzzed with. */
export interface ApiFuzzOptions {
  /** Where it listens. */
  readonly origin: string;
  /** A value of `Authorization` that may do everything. */
  readonly authorization: string;
  readonly seed: number;
  /** Operations that are left alone: operationIds. */
  readonly without?: readonly string[];
}

/** What came of a run. */
export interface ApiFuzzReport {
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** How many answers each operation gave by status: `operationId status`. */
  readonly seen: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

interface Failure {
  readonly round: number;
  readonly faults: readonly string[];
  readonly answer?: Exchanged;
}

/** Statuses from 500 on that are an answer: `operationId status`. */
const ANSWERS = new Set(['requestMessage 504', 'getHealthCheck 503', 'listHealthChecks 503']);
const FAILURES_MAX = 20;
const SHOWN_MAX = 400;
const AT_ONCE = 4;

/** Sends an API what it should not get, and holds every answer to the document. */
export class ApiFuzzer {
  readonly #options: ApiFuzzOptions;
  readonly #check = new ContractCheck();
  readonly #caller: RawCaller;
  readonly #maker: RequestMaker;
  readonly #operations: readonly DocumentedOperation[];
  readonly #statuses = new Map<number, number>();
  readonly #seen = new Map<string, number>();
  readonly #failures: string[] = [];

  constructor(options: ApiFuzzOptions) {
    this.#options = options;
    this.#caller = new RawCaller(options.origin);
    this.#maker = new RequestMaker(this.#check.schemas, options.authorization);
    const without = new Set(options.without);
    this.#operations = this.#check.operations.filter(
      ({ operationId }) => !without.has(operationId),
    );
  }

  /** Sends so many requests to each operation; what they are follows from the seed, the round, and what was answered before. */
  async run(rounds: number, progress: (round: number) => void = () => {}): Promise<ApiFuzzReport> {
    for (let round = 0; round < rounds && this.#failures.length < FAILURES_MAX; round += 1) {
      const queue = this.#operations.map((operation, index) => ({
        operation,
        random: new Random(this.#options.seed, round * 1_000 + index),
      }));
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          await this.#one(next.operation, next.random, round);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      progress(round);
    }
    this.#caller.close();
    return { statuses: this.#statuses, seen: this.#seen, failures: this.#failures };
  }

  async #one(operation: DocumentedOperation, random: Random, round: number): Promise<void> {
    const request = this.#maker.make(operation, random);
    if (operation.method === 'POST' && request.method === 'POST' && random.oneIn(6)) {
      await this.#together(operation, request, { random, round });
      return;
    }
    await this.#send(request, round);
  }

  /** The same request some times at once under one key: it is carried out once. */
  async #together(
    { operationId }: DocumentedOperation,
    request: RawRequest,
    { random, round }: { readonly random: Random; readonly round: number },
  ): Promise<void> {
    const key = `fuzz-${this.#options.seed}-${round}-${operationId}-${random.below(1_000_000)}`;
    const headers = { ...request.headers, 'idempotency-key': key };
    const same = { ...request, headers };
    const answers = await Promise.all([0, 1, 2].map(() => this.#send(same, round)));
    const again = await this.#send(same, round);
    const carriedOut = [...answers, again].filter(
      (answer) =>
        answer !== undefined &&
        answer.status < 300 &&
        answer.headers['idempotency-replayed'] !== 'true',
    );
    if (carriedOut.length > 1)
      this.#failed(same, { round, faults: ['was carried out more than once'] });
  }

  async #send(request: RawRequest, round: number): Promise<Exchanged | undefined> {
    try {
      const answer = await this.#caller.send(request);
      this.#maker.learn(answer);
      this.#statuses.set(answer.status, (this.#statuses.get(answer.status) ?? 0) + 1);
      const id = this.#check.operationOf(answer.method, answer.target)?.operationId ?? 'none';
      const key = `${id} ${answer.status}`;
      this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1);
      const faults = [...this.#check.faultsOf(answer)];
      if (answer.status >= 500 && !ANSWERS.has(key)) faults.push(`answers ${answer.status}`);
      if (faults.length > 0) this.#failed(request, { round, faults, answer });
      return answer;
    } catch (error) {
      this.#failed(request, { round, faults: [String(error)] });
      return undefined;
    }
  }

  #failed(request: RawRequest, { round, faults, answer }: Failure): void {
    if (this.#failures.length >= FAILURES_MAX) return;
    const { method, target, headers, body = '' } = request;
    const { authorization: _, ...shown } = headers;
    this.#failures.push(
      [
        `round ${round}: ${method} ${target.slice(0, SHOWN_MAX)}: ${faults.join('; ')}`,
        `  ${JSON.stringify(shown).slice(0, SHOWN_MAX)} ${body.slice(0, SHOWN_MAX)}`,
        `  ${answer?.status ?? 'no answer'} ${answer?.text.slice(0, SHOWN_MAX) ?? ''}`,
      ].join('\n'),
    );
  }
}

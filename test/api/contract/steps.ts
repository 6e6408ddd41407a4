import { expect } from '@jest/globals';
import { until } from '#libs/testkit';
import { OPERATIONS, type Operation, type OperationId } from '#libs/api-contracts';
import type { Exchanged } from './contract-check.ts';
import type { Walk, WalkCall } from './walk.ts';

const STALE = '"0000000000"';
const DEADLINE_MS = 30_000;

/** What a step answered. */
export interface StepReply {
  readonly body: unknown;
  readonly headers: Exchanged['headers'];
}

/** An operation, and the status with which it is to answer. */
export type Step = readonly [OperationId, number];

/** Takes steps of which each has to come out as documented, and on the way what the same resource says to odd conditions. */
export class Steps {
  readonly #walk: Walk;
  readonly #faults: string[] = [];

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  /** What has come out otherwise since this was last asked. */
  faults(): readonly string[] {
    return this.#faults.splice(0);
  }

  /**
   * Calls an operation.
   *
   * @param shows - what its body has to hold.
   */
  async take(step: Step, call: WalkCall = {}, shows: object = {}): Promise<StepReply> {
    const [id, status] = step;
    const operation: Operation = OPERATIONS[id];
    if (call.headers?.['if-match'] !== undefined) await this.#conditions(id, call);
    const answer = await this.#expect(step, call);
    const body = parsed(answer.text);
    this.#compare(id, body, shows);
    const { etag } = answer.headers;
    if (operation.method === 'get' && etag !== undefined && this.#has(id, 304)) {
      await this.#expect([id, 304], { ...call, headers: { 'if-none-match': etag } });
    }
    const isNamed = (call.body as { readonly id?: unknown } | undefined)?.id !== undefined;
    const isMade = status === 201 && operation.method === 'post';
    if (isMade && isNamed && this.#has(id, 409)) await this.#expect([id, 409], call);
    return { body, headers: answer.headers };
  }

  /** Calls an operation until it answers so. */
  async takeUntil([id, status]: Step, call: WalkCall, shows: object): Promise<void> {
    try {
      await until(async () => {
        const answer = await this.#walk.call(id, call);
        requireLike([answer.status, parsed(answer.text)], [status, shows]);
      }, DEADLINE_MS);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      this.#faults.push(`${id}: ${String(cause ?? error)}`);
    }
  }

  async #conditions(id: OperationId, call: WalkCall): Promise<void> {
    const { 'if-match': _, ...headers } = call.headers ?? {};
    if (this.#has(id, 428)) await this.#expect([id, 428], { ...call, headers });
    if (!this.#has(id, 412)) return;
    await this.#expect([id, 412], { ...call, headers: { ...headers, 'if-match': STALE } });
  }

  async #expect([id, status]: Step, call: WalkCall): Promise<Exchanged> {
    const answer = await this.#walk.call(id, call);
    if (answer.status !== status) {
      const asked = JSON.stringify(call);
      this.#faults.push(`${id} ${asked}: ${answer.status}, not ${status}: ${answer.text}`);
    }
    return answer;
  }

  #compare(id: OperationId, body: unknown, shows: object): void {
    try {
      requireLike(body, shows);
    } catch (error) {
      this.#faults.push(`${id}: ${String(error)}`);
    }
  }

  #has(id: OperationId, status: number): boolean {
    return this.#walk.documented(id).includes(status);
  }
}

function requireLike(value: unknown, shows: object): void {
  expect(value).toMatchObject(shows);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { text };
  }
}

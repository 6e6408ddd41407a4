import { Stop } from './faults.ts';
import type { TransformLimits } from './limits.ts';
import { measure } from './measure.ts';
import type { ExpressionDocument } from './expression-document.ts';

// Every level takes a handful of stack frames of the evaluator; about twice as many fit.
const NESTING_MAX = 300;
const STEPS_BETWEEN_LOOKS = 256;
const BYTES_PER_STEP = 128;

/**
 * Counts what evaluations take, one evaluation at a time.
 *
 * @remarks Linear work is paid for by size where values come up and where functions take them; work that grows faster
 * is announced by the functions themselves. So neither many cheap steps nor few dear ones go on for long.
 */
export class Meter {
  readonly #clock: () => number;
  readonly #limits: TransformLimits;
  #document: ExpressionDocument | undefined;
  #steps = 0;
  #lookAt = 0;
  #nesting = 0;
  #lookedMs: number | undefined;
  #spentMs = 0;

  constructor(limits: TransformLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  begin(document: ExpressionDocument): void {
    this.#document = document;
    this.#steps = 0;
    this.#nesting = 0;
    this.#lookAt = Math.min(STEPS_BETWEEN_LOOKS, this.#limits.stepsMax);
    this.#lookedMs = undefined;
    this.#spentMs = 0;
  }

  /** @throws Stop when the expression nests or recurses too deeply. */
  enter(): void {
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) {
      throw new Stop('LIMIT_DEPTH', `the evaluation nests more than ${NESTING_MAX} levels`);
    }
    this.spend(1);
  }

  /** Pays for what came up. To name the message or its payload costs nothing: mostly a part is read of them. */
  leave(result: unknown): void {
    this.#nesting -= 1;
    if (this.#document?.sizeOf(result) === undefined) this.touch(result);
  }

  /** Pays for work that is linear in the value. */
  touch(value: unknown): void {
    if (typeof value === 'string') return this.admit(value.length);
    if (typeof value !== 'object' || value === null) return;
    this.spend((this.#document?.sizeOf(value) ?? measure(value, this.#limits)) / BYTES_PER_STEP);
  }

  /** @throws Stop when that is more than is left. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#lookAt) this.#look();
  }

  /** @throws Stop when a text or array of that size may not come up. */
  admit(bytes: number): void {
    const { valueBytesMax } = this.#limits;
    if (!(bytes <= valueBytesMax)) {
      throw new Stop('LIMIT_SIZE', `a value is larger than ${valueBytesMax} bytes`);
    }
    this.spend(bytes / BYTES_PER_STEP);
  }

  #look(): void {
    const { stepsMax, timeMsMax } = this.#limits;
    if (this.#steps > stepsMax) {
      throw new Stop('LIMIT_STEPS', `the evaluation takes more than ${stepsMax} steps`);
    }
    const nowMs = this.#clock();
    // Between two looks not much is evaluated: what took that long was something else.
    this.#spentMs += Math.min(nowMs - (this.#lookedMs ?? nowMs), timeMsMax / 2);
    this.#lookedMs = nowMs;
    if (this.#spentMs > timeMsMax) {
      throw new Stop(
        'LIMIT_TIME',
        `the evaluation takes more than ${timeMsMax} ms of the processor`,
      );
    }
    this.#lookAt = Math.min(this.#steps + STEPS_BETWEEN_LOOKS, stepsMax);
  }
}

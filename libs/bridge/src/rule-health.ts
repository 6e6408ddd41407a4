import type { RuleStatus } from '#libs/broker-ports';
import type { BridgeContext } from './bridge-context.ts';
import type { SinkError } from './sink.ts';

/** How long after its start a rule may still be on its way to the other side, which may itself be starting. */
const STARTING_MS = 10_000;

/** Remembers whether the other side serves a rule, and logs changes only. */
export class RuleHealth {
  readonly #rule: string;
  readonly #context: Pick<BridgeContext, 'clock' | 'log'>;
  readonly #startedUntilMs: number;
  #fault: SinkError | undefined;
  #told: 'connecting' | 'degraded' | undefined;
  #reached = false;

  constructor(rule: string, context: Pick<BridgeContext, 'clock' | 'log'>) {
    this.#rule = rule;
    this.#context = context;
    this.#startedUntilMs = context.clock.monotonicMs() + STARTING_MS;
  }

  /** Whether the other side was reached and answers since. */
  get connected(): boolean {
    return this.#reached && this.#fault?.code !== 'UNAVAILABLE';
  }

  /** The state of the rule, with the last error while it lasts. */
  status(): RuleStatus {
    const state = this.#fault === undefined ? 'running' : 'degraded';
    return { id: this.#rule, state, lastError: this.#fault?.message };
  }

  /** The other side answers: what it said about targets still holds. */
  reached(): void {
    if (this.#fault === undefined || this.#fault.code === 'UNAVAILABLE') this.served();
  }

  /** The target is there. Whether what waits may be written to it is another matter. */
  found(): void {
    if (this.#fault?.code !== 'NOT_AUTHORIZED') this.served();
  }

  /** The other side did what the rule is for. */
  served(): void {
    this.#reached = true;
    this.#fault = undefined;
    if (this.#told === undefined) return;
    const event = this.#told === 'connecting' ? 'bridge-connected' : 'bridge-recovered';
    this.#context.log.info(event, { rule: this.#rule });
    this.#told = undefined;
  }

  /** The other side did not do what the rule is for: a warning, unless the rule has only just started. */
  failed(fault: SinkError): void {
    const { clock, log } = this.#context;
    this.#fault = fault;
    const fields = { rule: this.#rule, error: fault.message };
    if (this.#told === 'degraded') return;
    if (clock.monotonicMs() >= this.#startedUntilMs) {
      this.#told = 'degraded';
      log.warn('bridge-degraded', fields);
    } else if (this.#told === undefined) {
      this.#told = 'connecting';
      log.info('bridge-connecting', fields);
    }
  }
}

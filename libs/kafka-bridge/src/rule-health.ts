import type { Log } from '#libs/broker-ports';
import type { KafkaError } from './kafka-port.ts';

/** Remembers whether Kafka serves a rule, and logs changes only. */
export class RuleHealth {
  readonly #rule: string;
  readonly #log: Log;
  #fault: KafkaError | undefined;
  #reached = false;

  constructor(rule: string, log: Log) {
    this.#rule = rule;
    this.#log = log;
  }

  /** Whether Kafka was reached and answers since. */
  get connected(): boolean {
    return this.#reached && this.#fault?.code !== 'UNAVAILABLE';
  }

  /** The last error, while it lasts. */
  get fault(): string | undefined {
    return this.#fault?.message;
  }

  /** A broker answers: what it said about topics still holds. */
  reached(): void {
    if (this.#fault === undefined || this.#fault.code === 'UNAVAILABLE') this.served();
  }

  /** Kafka did what the rule is for. */
  served(): void {
    this.#reached = true;
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#log.info('bridge-recovered', { rule: this.#rule });
  }

  failed(fault: KafkaError): void {
    if (this.#fault === undefined) {
      this.#log.warn('bridge-degraded', { rule: this.#rule, error: fault.message });
    }
    this.#fault = fault;
  }
}

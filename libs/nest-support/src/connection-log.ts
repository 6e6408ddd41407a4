import { Logger } from '@nestjs/common';
import type { Log } from '#libs/broker-ports';

/** Logs that a connection came up or went down: each change once, however often it is tried in between. */
export class ConnectionLog {
  readonly #log: Log;
  readonly #subject: string;
  readonly #absence: 'info' | 'warn';
  #up: boolean | undefined;

  /** @param absence - how grave it is that the other side is not there at the start. */
  constructor(log: Log, subject: string, absence: 'info' | 'warn') {
    this.#log = log;
    this.#subject = subject;
    this.#absence = absence;
  }

  get up(): boolean {
    return this.#up === true;
  }

  change(up: boolean, reason?: string): void {
    if (this.#up === up) return;
    const level = this.#up === undefined ? this.#absence : 'warn';
    this.#up = up;
    if (up) this.#log.info('commands-connected', { to: this.#subject });
    else this.#log[level]('commands-disconnected', { to: this.#subject, reason });
  }
}

/** What Nest's transports log of their own: repeated with every attempt, hence debug. */
export class TransportLogger extends Logger {
  readonly #log: Log;

  constructor(log: Log) {
    super('commands');
    this.#log = log;
  }

  override log(message: unknown): void {
    this.#log.debug('commands-transport', { message: String(message) });
  }

  override error(message: unknown): void {
    this.#log.debug('commands-transport', { message: String(message) });
  }

  override warn(message: unknown): void {
    this.#log.debug('commands-transport', { message: String(message) });
  }

  override debug(): void {
    // A reply that came too late, once per node and question.
  }
}

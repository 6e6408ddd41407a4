import type { LoggerService } from '@nestjs/common';
import type { Log } from '#libs/broker-ports';

/** Leads what Nest has to say into the log of the process; its chatter about modules and routes is debug. */
export class NestLogger implements LoggerService {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  log(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.debug('nest', describe(message, rest));
  }

  debug(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.debug('nest', describe(message, rest));
  }

  verbose(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.debug('nest', describe(message, rest));
  }

  warn(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.warn('nest', describe(message, rest));
  }

  error(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.error('nest', describe(message, rest));
  }

  fatal(message: unknown, ...rest: readonly unknown[]): void {
    this.#log.error('nest', describe(message, rest));
  }
}

/** Nest passes its context last; before it there may be a stack. */
function describe(message: unknown, rest: readonly unknown[]) {
  const context = rest.at(-1);
  return {
    message: message instanceof Error ? (message.stack ?? message.message) : String(message),
    ...(typeof context === 'string' ? { context } : {}),
  };
}

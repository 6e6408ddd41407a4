import type { Log } from '#libs/broker-ports';

/** How a process ends. */
export interface ShutdownOptions {
  /** Releases everything; called once. */
  readonly close: () => Promise<void>;
  /** How long it may take. */
  readonly deadlineMs: number;
  readonly log: Log;
}

/**
 * Closes the process on SIGINT or SIGTERM and exits with code 0; with 1 when closing fails, exceeds its deadline, or a
 * second signal asks for haste.
 *
 * @remarks Nest's own hooks raise the signal again (exit code 143) or know no deadline.
 */
export function closeOnSignal({ close, deadlineMs, log }: ShutdownOptions): void {
  let closing = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (closing) process.exit(1);
    closing = true;
    log.info('shutdown-begun', { signal });
    setTimeout(() => {
      log.error('shutdown-too-slow', { deadlineMs });
      process.exit(1);
    }, deadlineMs).unref();
    close().then(
      () => {
        log.info('shutdown-done');
        process.exit(0);
      },
      (error: unknown) => {
        log.error('shutdown-failed', { message: String(error) });
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

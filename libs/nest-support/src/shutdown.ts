import type { Log } from '#libs/broker-ports';
import { endProcess } from './end-process.ts';

/** How a process ends. */
export interface ShutdownOptions {
  /** Releases everything; called once. */
  readonly close: () => Promise<void>;
  /** How long it may take; asked when it begins. */
  readonly deadlineMs: number | (() => number);
  /** Asked for by a second signal; without it the process ends at once then. */
  readonly hurry?: () => void;
  readonly log: Log;
}

/**
 * Closes the process on SIGINT or SIGTERM and exits with code 0; with 1 when closing fails, exceeds its deadline, or one
 * signal more than can be obeyed asks for haste.
 *
 * @remarks Nest's own hooks raise the signal again (exit code 143) or know no deadline.
 */
export function closeOnSignal({ close, hurry, log, ...options }: ShutdownOptions): void {
  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals === 2 && hurry !== undefined) {
      log.info('shutdown-hurried', { signal });
      return hurry();
    }
    if (signals > 1) return endProcess(1);
    const { deadlineMs: given } = options;
    const deadlineMs = typeof given === 'number' ? given : given();
    log.info('shutdown-begun', { signal });
    setTimeout(() => {
      log.error('shutdown-too-slow', { deadlineMs });
      endProcess(1);
    }, deadlineMs).unref();
    close().then(
      () => {
        log.info('shutdown-done');
        endProcess(0);
      },
      (error: unknown) => {
        log.error('shutdown-failed', { message: String(error) });
        endProcess(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

/** A compiler thread asks within milliseconds, where it gets a processor; a machine that is busy takes longer. */
const IDLE_MS = 200;

/**
 * Ends the process with an exit code, a moment later: an exit at once may hang for ever. Node.js joins V8's compiler
 * threads at its end, and one that has asked for a garbage collection waits for the main thread, which no longer
 * collects (nodejs/node#54918; seen once in 540 starts that failed). An idle main thread collects first.
 */
export function endProcess(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), IDLE_MS);
}

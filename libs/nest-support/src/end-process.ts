/** A compiler thread asks within milliseconds, where it gets a processor; a machine that is busy takes longer. */
const IDLE_MS = 200;
/** How long whoever reads the log may take for the last lines. */
const LAST_LINES_MS = 5_000;

/**
 * Ends the process with an exit code, a moment later: an exit at once may hang for ever. Node.js joins V8's compiler
 * threads at its end, and one that has asked for a garbage collection waits for the main thread, which no longer
 * collects (nodejs/node#54918; seen once in 540 starts that failed). An idle main thread collects first. And a pipe takes what
 * is written to standard output as its reader does: an exit loses the rest.
 */
export function endProcess(code: number): void {
  process.exitCode = code;
  const end = (): never => process.exit(code);
  setTimeout(() => {
    if (process.stdout.writableLength === 0) return end();
    setTimeout(end, LAST_LINES_MS);
    process.stdout.write('', end);
  }, IDLE_MS);
}

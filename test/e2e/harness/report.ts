/** Prints a line among the results of the test run: a seed, a figure. */
export function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

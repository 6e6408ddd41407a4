const LINES_MAX = 1_000;
const CHARACTERS_MAX = 256 * 1024;
const LINE_MAX = 8 * 1024;

/** The latest lines of the log, for whoever has no access to where it goes. */
export class RecentLog {
  /** The oldest first. */
  #lines: string[] = [];
  #characters = 0;
  #gone = 0;

  /** Notes a line. */
  add(line: string): void {
    const kept = line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}...` : line;
    this.#lines.push(kept);
    this.#characters += kept.length;
    while (this.#lines.length > LINES_MAX || this.#characters > CHARACTERS_MAX) {
      this.#characters -= this.#lines.shift()?.length ?? 0;
      this.#gone += 1;
    }
  }

  /** What there is, and how many lines there were before. */
  shown(): { readonly lines: readonly string[]; readonly gone: number } {
    return { lines: [...this.#lines], gone: this.#gone };
  }
}

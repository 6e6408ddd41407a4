/** What a test has opened, closed in reverse order after it, however it ended. */
export class Scope {
  readonly #closers: (() => unknown)[] = [];

  /** Registers what must be closed. */
  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** Closes everything, also when one of the closers fails; the first failure is thrown at the end. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).toReversed()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

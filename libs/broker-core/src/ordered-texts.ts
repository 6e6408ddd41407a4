/** A chunk is halved when it grows beyond this: what an insertion moves is bounded by it. */
const CHUNK_MAX = 512;

/**
 * Distinct texts in the order of their UTF-16 code units, for lists that are read a page at a time while they change: a
 * step takes the logarithm of their number, and needs nothing of the step before but the text it has found.
 */
export class OrderedTexts {
  /** Sorted, each chunk and all of them; none is empty. */
  readonly #chunks: string[][] = [];

  add(text: string): void {
    const at = Math.min(this.#chunkFor(text), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([text]);
      return;
    }
    const index = firstFrom(chunk, text);
    if (chunk[index] === text) return;
    chunk.splice(index, 0, text);
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_MAX / 2));
  }

  delete(text: string): void {
    const at = this.#chunkFor(text);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const index = firstFrom(chunk, text);
    if (chunk[index] !== text) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The first text after this one, which need not be there; of all, when none is given. */
  after(text: string | undefined): string | undefined {
    if (text === undefined) return this.#chunks[0]?.[0];
    const at = this.#chunkFor(text);
    const chunk = this.#chunks[at] ?? [];
    const index = firstFrom(chunk, text);
    const next = chunk[index] === text ? index + 1 : index;
    return chunk[next] ?? this.#chunks[at + 1]?.[0];
  }

  /** The last text before this one, which need not be there; of all, when none is given. */
  before(text: string | undefined): string | undefined {
    if (text === undefined) return this.#chunks.at(-1)?.at(-1);
    const at = this.#chunkFor(text);
    const index = firstFrom(this.#chunks[at] ?? [], text);
    if (index > 0) return this.#chunks[at]?.[index - 1];
    return at === 0 ? undefined : this.#chunks[at - 1]?.at(-1);
  }

  /** Which chunk has a text, if any has; one beyond the last when all are smaller. */
  #chunkFor(text: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.at(-1) ?? '') < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Where the first text is that is not smaller; one beyond the last when all are. */
function firstFrom(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

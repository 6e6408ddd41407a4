/** Edit distance of two words, by insertions, deletions and replacements. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

/** Finds the known word that an unknown one was most likely meant to be. */
export function nearest(word: string, known: readonly string[]): string {
  const ranked = known.map((candidate) => ({ candidate, cost: distance(word, candidate) }));
  return ranked.toSorted((a, b) => a.cost - b.cost)[0]?.candidate ?? '';
}

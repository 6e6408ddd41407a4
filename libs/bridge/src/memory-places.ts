/** The places of records that live in memory alone: how many of each are not done with. Places only grow. */
export class MemoryPlaces {
  readonly #counts = new Map<number, number>();

  /** The lowest place of a record that waits. */
  get first(): number | undefined {
    for (const place of this.#counts.keys()) return place;
    return undefined;
  }

  enter(place: number): void {
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + 1);
  }

  leave(place: number): void {
    const left = (this.#counts.get(place) ?? 0) - 1;
    if (left > 0) this.#counts.set(place, left);
    else this.#counts.delete(place);
  }
}

// Reads the API as administrators' programs do: walks whole lists, and asks for single things.
import { ApiClient } from '#libs/api-client';

/** The middle of the times of many questions, in milliseconds, and the slowest of them. */
export function percentiles(timesMs) {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), mostMs: sorted.at(-1) };
}

/** How a walk differs from those that it had to find: nobody missed, nobody twice. */
export function faultsOf(seen, expected) {
  const distinct = new Set(seen);
  return {
    rows: seen.length,
    missed: expected.filter((id) => !distinct.has(id)),
    repeated: seen.length - distinct.size,
  };
}

/** One caller of the API, which asks one question after the other. */
export class Reader {
  #client;

  constructor(origin) {
    this.#client = new ApiClient({ server: origin });
  }

  /** How many clients are connected. */
  async connections() {
    return (await this.#client.call('getStatus')).body.connections;
  }

  /** Walks a list to its end: ids in the order in which they came, and what each page took. */
  async walk(operation, query) {
    const ids = [];
    const timesMs = [];
    let before = performance.now();
    for await (const { items, meta } of this.#client.pages(operation, { query })) {
      timesMs.push(performance.now() - before);
      if (meta.partial) throw new Error(`no answer from ${meta.unavailable_nodes.join()}`);
      for (const { client_id: id } of items) ids.push(id);
      before = performance.now();
    }
    return { ids, timesMs };
  }

  /** Asks for one page, so often; what each took. */
  async pages(operation, query, count) {
    return this.#times(count, () => this.#client.call(operation, { query }));
  }

  /** Asks for single things, chosen from ids by turns; what each took. */
  async points(operation, ids, count) {
    const step = Math.max(1, Math.floor(ids.length / count));
    return this.#times(count, (index) =>
      this.#client.call(operation, { path: { client_id: ids[(index * step) % ids.length] } }),
    );
  }

  async #times(count, ask) {
    const timesMs = [];
    for (let index = 0; index < count; index += 1) {
      const before = performance.now();
      await ask(index);
      timesMs.push(performance.now() - before);
    }
    return timesMs;
  }
}

// Reads the API as administrators' programs do: walks whole lists, and asks for single things.
import { ApiClient, ApiError } from '#libs/api-client';

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

/** How often a question is asked again that not all nodes have answered. */
const REPEATS_MAX = 20;
const UNAVAILABLE = 503;

/** One caller of the API, which asks one question after the other. */
export class Reader {
  #client;
  #incomplete = 0;

  constructor(origin) {
    this.#client = new ApiClient({ server: origin });
  }

  /** How many answers lacked a node, or all of them. Their questions were asked again. */
  get incomplete() {
    return this.#incomplete;
  }

  /** How many clients are connected; undefined as long as a node is too busy to say. */
  async connections() {
    try {
      const { body } = await this.#client.call('getStatus');
      return body.meta.partial ? undefined : body.connections;
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }

  /** Walks a list to its end: ids in the order in which they came, and what each page took. */
  async walk(operation, query) {
    const ids = [];
    const timesMs = [];
    let cursor;
    do {
      const before = performance.now();
      const asked = cursor === undefined ? query : { ...query, cursor };
      const { items, page } = await this.#whole(operation, { query: asked });
      timesMs.push(performance.now() - before);
      for (const { client_id: id } of items) ids.push(id);
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    return { ids, timesMs };
  }

  /** Asks for one page, so often; what each took. */
  async pages(operation, query, count) {
    return this.#times(count, () => this.#whole(operation, { query }));
  }

  /** Asks for single things, chosen from ids by turns; what each took. */
  async points(operation, ids, count) {
    const step = Math.max(1, Math.floor(ids.length / count));
    return this.#times(count, (index) =>
      this.#whole(operation, { path: { client_id: ids[(index * step) % ids.length] } }),
    );
  }

  /** What all nodes have answered. */
  async #whole(operation, call) {
    for (let attempt = 0; attempt <= REPEATS_MAX; attempt += 1) {
      try {
        const { body } = await this.#client.call(operation, call);
        if (body.meta?.partial !== true) return body;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
      this.#incomplete += 1;
    }
    throw new Error(`${operation}: no whole answer in ${REPEATS_MAX} attempts`);
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

const isUnavailable = (error) => error instanceof ApiError && error.status === UNAVAILABLE;

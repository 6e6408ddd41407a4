import type { FastifyReply, FastifyRequest } from 'fastify';
import type { List, Meta } from '#libs/api-contracts';
import { callerOf } from '../guard/caller.ts';
import type { Cursors } from './cursor.ts';

/** Part of a list and what is known of the rest. */
export interface Slice<Item, Position> {
  readonly items: readonly Item[];
  /** Where the next page begins; undefined on the last one. */
  readonly after: Position | undefined;
  readonly unavailable: readonly string[];
}

/** One HTTP exchange. */
export interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Turns cursors into positions and slices into replies. */
export class Pages {
  readonly #cursors: Cursors;

  constructor(cursors: Cursors) {
    this.#cursors = cursors;
  }

  /**
   * Where the request's page begins; undefined at the start of the list.
   *
   * @throws ProblemError for a cursor that is not one of this query.
   */
  position<Position>({ request }: Exchange): Position | undefined {
    const cursor = new URL(request.url, 'http://api').searchParams.get('cursor');
    return cursor === null ? undefined : this.#cursors.decode<Position>(queryOf(request), cursor);
  }

  /** The body of a list, with the next page in `Link` too. */
  list<Item, Position>(
    { request, reply }: Exchange,
    limit: number,
    { items, after, unavailable }: Slice<Item, Position>,
  ): List<Item> {
    const next = after === undefined ? undefined : this.#cursors.encode(queryOf(request), after);
    if (next !== undefined) {
      const url = new URL(request.url, 'http://api');
      url.searchParams.set('cursor', next);
      void reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
    }
    return {
      items: [...items],
      page: {
        ...(next === undefined ? {} : { next_cursor: next }),
        has_more: next !== undefined,
        limit,
      },
      meta: metaOf(unavailable),
    };
  }
}

/** Which nodes an answer lacks. */
export function metaOf(unavailable: readonly string[]): Meta {
  return { partial: unavailable.length > 0, unavailable_nodes: [...unavailable] };
}

/** What a cursor is bound to: the caller, the path and every filter, in whatever order they were written. */
function queryOf(request: FastifyRequest): string {
  const { pathname, searchParams } = new URL(request.url, 'http://api');
  const filters = [...searchParams].filter(([name]) => name !== 'cursor' && name !== 'limit');
  const sorted = filters.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([callerOf(request)?.id, pathname, sorted]);
}

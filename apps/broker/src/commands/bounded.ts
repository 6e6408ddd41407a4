/** A node bounds its own work, whatever it is asked. */
const PAGE_LIMIT_MAX = 1_000;

/** A query of a list with a limit that the node keeps. */
export function bounded<Query extends { readonly limit: number }>(query: Query): Query {
  return { ...query, limit: Math.min(Math.max(query.limit, 1), PAGE_LIMIT_MAX) };
}

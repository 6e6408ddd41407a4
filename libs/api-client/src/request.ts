import { ROUTES, type OperationId } from './operations.ts';

/** A parameter of a query; a list is written with commas. */
export type QueryValue = string | number | boolean | undefined | readonly (string | number)[];

/** The parts of a call, whatever its operation. */
export interface CallParts {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly body?: unknown;
}

/** What to send where. */
export interface PreparedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
}

/**
 * Writes a call down as HTTP has it.
 *
 * @throws RangeError when an id cannot stand in a path.
 */
export function prepare(
  server: string,
  id: OperationId,
  { path = {}, query = {}, body }: CallParts,
): PreparedRequest {
  const route = ROUTES[id];
  const filled = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    segment(path[name] ?? ''),
  );
  const search = searchOf(query);
  const headers = new Headers();
  if (body !== undefined) headers.set('content-type', route.bodyType);
  return {
    url: `${server.replace(/\/+$/, '')}${filled}${search}`,
    method: route.method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  };
}

function segment(id: string): string {
  if (['', '.', '..'].includes(id)) {
    const message = `the id '${id}' cannot stand in a path: use the list and its filter`;
    throw new RangeError(message);
  }
  return encodeURIComponent(id);
}

function searchOf(query: Readonly<Record<string, QueryValue>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    parameters.set(name, typeof value === 'object' ? value.join(',') : String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

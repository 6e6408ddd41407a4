import { StoreUnavailableError } from '#libs/broker-ports';
import { methodsOf, type ProblemCode } from '#libs/api-contracts';
import { ProblemError } from './problem-error.ts';

/** What of a request decides the problem. */
export interface FailedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

const BY_STATUS: Readonly<Record<number, readonly [ProblemCode, string]>> = {
  400: ['validation-failed', 'The request is not well-formed: check the path and the JSON body'],
  413: ['payload-too-large', 'The body is larger than the API takes'],
  414: ['validation-failed', 'A path segment is longer than the API takes'],
  415: ['unsupported-media-type', 'The body must be sent as application/json'],
};

/** The problem that an error amounts to; `internal` for everything that nobody foresaw. */
export function problemOf(error: unknown, request: FailedRequest): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof StoreUnavailableError) {
    return new ProblemError('storage-unavailable', 'The store of the API did not answer');
  }
  const status = statusOf(error);
  if (status === 404) return unrouted(request);
  const known = status === undefined ? undefined : BY_STATUS[status];
  if (known !== undefined) return new ProblemError(...known);
  return new ProblemError('internal', 'The log holds the cause under the request id');
}

/** Nest and Fastify carry a status in different places. */
function statusOf(error: unknown): number | undefined {
  const { status, statusCode } = (error ?? {}) as {
    readonly status?: unknown;
    readonly statusCode?: unknown;
  };
  return [status, statusCode].find((each) => typeof each === 'number');
}

/** The router found no handler: the path is unknown, or has other methods. */
function unrouted({ method, path }: FailedRequest): ProblemError {
  const methods = methodsOf(path);
  if (methods.length === 0) return new ProblemError('not-found', 'There is no such path');
  return new ProblemError('method-not-allowed', `${method} is not among the methods of the path`, {
    headers: { allow: methods.join(', ') },
  });
}

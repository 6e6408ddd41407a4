import type { Problem, ProblemCode } from './operations.ts';

/**
 * How a call failed: `refused` with a problem of the API, `unreachable` without any answer in time, `malformed` with an answer that
 * is none of the API's, such as a page of a proxy.
 */
export type ApiErrorKind = 'refused' | 'unreachable' | 'malformed';

/** What is known of a failed call. */
export interface ApiErrorOptions {
  readonly kind: ApiErrorKind;
  readonly status?: number | undefined;
  readonly problem?: Problem | undefined;
  readonly headers?: Headers | undefined;
  readonly cause?: unknown;
}

/** A call that did not succeed. Its message says what to know and holds no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: ApiErrorKind;
  /** The HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  /** What the API says about it, when it was the API. */
  readonly problem: Problem | undefined;
  /** Of the answer; `retry-after` for example. */
  readonly headers: Headers | undefined;

  constructor(message: string, { kind, status, problem, headers, cause }: ApiErrorOptions) {
    super(message, { cause });
    this.kind = kind;
    this.status = status;
    this.problem = problem;
    this.headers = headers;
  }

  /** The code of the problem; undefined when the API has not answered. */
  get code(): ProblemCode | undefined {
    return this.problem?.code;
  }
}

/** The error of an answer that is no success. */
export async function errorOf(response: Response): Promise<ApiError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const problem = problemIn(text, headers.get('content-type') ?? '');
  if (problem === undefined) {
    const message = `HTTP ${status} without a problem: this is not the admin API of Skein`;
    return new ApiError(message, { kind: 'malformed', status, headers });
  }
  return new ApiError(problem.detail, { kind: 'refused', status, problem, headers });
}

function problemIn(text: string, contentType: string): Problem | undefined {
  if (!contentType.startsWith('application/problem+json')) return undefined;
  try {
    const parsed = JSON.parse(text) as Partial<Problem> | null;
    const isProblem = typeof parsed?.code === 'string' && typeof parsed.detail === 'string';
    return isProblem ? (parsed as Problem) : undefined;
  } catch {
    return undefined;
  }
}

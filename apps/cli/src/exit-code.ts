import { ApiError, type ProblemCode } from '#libs/api-client';
import type { LongOperation } from '#libs/api-contracts';
import { printable } from './format.ts';

/** What the exit codes of the program mean. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  absent: 3,
  denied: 4,
  conflict: 5,
  unavailable: 6,
} as const;

/** The table of exit codes, for the help. */
export const EXIT_HELP = `Exit codes: 0 done, 1 failed, 2 wrong use or invalid request, 3 not found, 4 not permitted, 5 conflict with what is there,
6 no answer or overloaded: try again. An answer that lacks nodes is told on stderr and is no failure.`;

/** The command line is wrong; the message says how it is right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something of the caller's machine: a file, a profile. */
export class LocalError extends Error {
  override readonly name = 'LocalError';
}

/** A long operation has failed, or was cancelled. */
export class OperationFailed extends Error {
  override readonly name = 'OperationFailed';
  /** The status of the problem that it has failed with; undefined when it was cancelled. */
  readonly status: number | undefined;

  constructor({ id, kind, state, problem }: LongOperation) {
    const why = problem === null ? state : `${problem.code}: ${problem.detail}`;
    super(`${kind} ${why}\nsee skein operations show ${id}`);
    this.status = problem?.status;
  }
}

const BY_STATUS: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  401: EXIT.denied,
  403: EXIT.denied,
  404: EXIT.absent,
  409: EXIT.conflict,
  412: EXIT.conflict,
  413: EXIT.usage,
  422: EXIT.conflict,
  428: EXIT.conflict,
  429: EXIT.unavailable,
  503: EXIT.unavailable,
  504: EXIT.unavailable,
};

/** The exit code that an error amounts to. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof RangeError) return EXIT.usage;
  if (error instanceof OperationFailed) return BY_STATUS[error.status ?? 0] ?? EXIT.failed;
  if (!(error instanceof ApiError)) return EXIT.failed;
  if (error.kind === 'unreachable') return EXIT.unavailable;
  return BY_STATUS[error.status ?? 0] ?? EXIT.failed;
}

const FIXES: Partial<Record<ProblemCode, string>> = {
  unauthenticated: 'give a key: --key-file FILE, SKEINCTL_KEY, or `skein profiles set`',
  forbidden: 'the key lacks the scope; the help of the command names it',
  'precondition-failed': 'somebody else has changed it: look at it again and repeat',
};

/** What to do about it, where that is known. */
function fixOf(error: ApiError): string | undefined {
  if (error.kind === 'unreachable') {
    return 'is the API running there? Name another with --server, SKEINCTL_SERVER or a profile';
  }
  if (error.code === 'rate-limited') {
    return `try again in ${error.headers?.get('retry-after') ?? 'some'} seconds`;
  }
  return error.code && FIXES[error.code];
}

/** What people are told of an error: what, where, and the fix. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const { problem } = error;
  const lines = [problem === undefined ? error.message : `${problem.code}: ${error.message}`];
  for (const { pointer, detail } of problem?.errors ?? []) {
    lines.push(`  ${pointer === '' ? '/' : pointer}: ${detail}`);
  }
  const fix = fixOf(error);
  if (fix !== undefined) lines.push(`fix: ${fix}`);
  if (problem !== undefined && problem.status >= 500) {
    lines.push(`request id: ${problem.request_id}`);
  }
  // Some of it may be a name that a device has chosen.
  return lines.map((line) => printable(line)).join('\n');
}

import type { IncomingMessage } from 'node:http';
import { SinkError } from '#libs/bridge';

/** What of an answer decides the fate of records. */
export interface HttpAnswer {
  readonly status: number;
  /** Retry-After, bounded; undefined when there is none. */
  readonly retryAfterMs: number | undefined;
}

const RETRY_AFTER_MS_MAX = 300_000;

export function answerOf({ statusCode = 0, headers }: IncomingMessage): HttpAnswer {
  return { status: statusCode, retryAfterMs: retryAfterMs(headers['retry-after']) };
}

/** Seconds, or a date. */
function retryAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), RETRY_AFTER_MS_MAX);
}

/** What an answer to a POST means; undefined when the records are stored. */
export function answerError({ status, retryAfterMs: waitMs }: HttpAnswer): SinkError | undefined {
  if (status >= 200 && status < 300) return undefined;
  const code = codeOf(status);
  const moved = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  const details = waitMs === undefined ? {} : { retryAfterMs: waitMs };
  return new SinkError(code, `the endpoint answered ${status}${moved}`, details);
}

/** The rest of 5xx is for the endpoint to cure, the rest of 4xx for the sender. */
function codeOf(status: number): SinkError['code'] {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'NOT_AUTHORIZED';
    case 404:
    case 410:
      return 'UNKNOWN_TARGET';
    case 413:
      return 'TOO_LARGE';
    case 408:
    case 425:
    case 429:
      return 'UNAVAILABLE';
    default:
      if (status >= 300 && status < 400) return 'UNKNOWN_TARGET';
      return status >= 400 && status < 500 ? 'REJECTED' : 'UNAVAILABLE';
  }
}

import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { answerError, answerOf } from './http-answer.ts';

const answer = (statusCode: number, retryAfter?: string) =>
  answerOf({ statusCode, headers: { 'retry-after': retryAfter } } as IncomingMessage);

describe('answerError', () => {
  it.each([200, 201, 202, 204])('takes %d for stored', (status) => {
    expect(answerError(answer(status))).toBeUndefined();
  });

  it.each([
    ...[408, 425, 429, 500, 502, 503, 504, 507].map((status) => [status, 'UNAVAILABLE'] as const),
    ...[301, 302, 307, 308, 404, 410].map((status) => [status, 'UNKNOWN_TARGET'] as const),
    ...[401, 403, 407].map((status) => [status, 'NOT_AUTHORIZED'] as const),
    ...[400, 405, 409, 415, 422, 431].map((status) => [status, 'REJECTED'] as const),
    [413, 'TOO_LARGE'] as const,
  ])('takes %d for %s', (status, code) => {
    expect(answerError(answer(status))?.code).toBe(code);
  });

  it('says that redirects are not followed', () => {
    expect(answerError(answer(302))?.message).toBe(
      'the endpoint answered 302; redirects are not followed',
    );
  });
});

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['7', 7_000],
    ['99999', 300_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Thu, 01 Jan 2170 00:00:00 GMT', 300_000],
    ['soon', undefined],
    [undefined, undefined],
  ])('%j means %j ms', (text, expected) => {
    expect(answerError(answer(503, text))?.retryAfterMs).toBe(expected);
  });
});

import { expect, it } from '@jest/globals';
import { SinkError } from '#libs/bridge';
import { sinkErrorOf } from './rabbitmq-error.ts';

const failure = (message: string, code?: number | string) =>
  Object.assign(new Error(message), { code });

it.each<[SinkError['code'], Error]>([
  ['UNKNOWN_TARGET', failure('Operation failed: ExchangeDeclare; 404 (NOT-FOUND)', 404)],
  ['UNKNOWN_TARGET', failure('Channel closed by server: 404 (NOT-FOUND)', 404)],
  ['NOT_AUTHORIZED', failure('Channel closed by server: 403 (ACCESS-REFUSED)', 403)],
  ['TOO_LARGE', failure('Channel closed by server: 406 … message size 2 is larger', 406)],
  ['REJECTED', failure('Channel closed by server: 406 (PRECONDITION-FAILED)', 406)],
  ['UNAVAILABLE', failure('Channel closed by server: 541 (INTERNAL-ERROR)', 541)],
  // Nothing is given up because a login was refused.
  ['UNAVAILABLE', failure('Handshake terminated by server: 403 (ACCESS-REFUSED)', 403)],
  ['UNAVAILABLE', failure('Channel closed')],
  ['UNAVAILABLE', failure('message nacked')],
])('takes for %s: %s', (code, error) => {
  expect(sinkErrorOf(error)).toMatchObject({ code, message: error.message });
});

it('names a failure without words by its code', () => {
  expect(sinkErrorOf(failure('', 'ECONNREFUSED')).message).toBe('ECONNREFUSED');
});

it('leaves what is understood already as it is', () => {
  const error = new SinkError('TOO_LARGE', 'too large');
  expect(sinkErrorOf(error)).toBe(error);
});

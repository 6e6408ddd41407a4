import { describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import { clientFailure } from './kafkajs-client.ts';

function protocolError(type: string, retriable: boolean): Error {
  return Object.assign(new kafkajs.KafkaJSProtocolError(type), { type, retriable });
}

describe('clientFailure', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', false, 'TOO_LARGE', false],
    ['TOPIC_AUTHORIZATION_FAILED', false, 'NOT_AUTHORIZED', false],
    ['INVALID_RECORD', false, 'REJECTED', false],
    ['NOT_LEADER_FOR_PARTITION', true, 'UNAVAILABLE', false],
    ['NOT_ENOUGH_REPLICAS', true, 'UNAVAILABLE', false],
    // A client that knows a deleted topic, or lost its sequence numbers, fails for ever.
    ['UNKNOWN_TOPIC_OR_PARTITION', true, 'UNKNOWN_TARGET', true],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', false, 'UNAVAILABLE', true],
    ['DUPLICATE_SEQUENCE_NUMBER', false, 'UNAVAILABLE', true],
  ])('reads %s', (type, retriable, ...expected) => {
    const { error, spoiled } = clientFailure(protocolError(type, retriable));
    expect([error.code, spoiled]).toEqual(expected);
  });

  it('finds the first cause under the wrappings of the loops', () => {
    const first = protocolError('MESSAGE_TOO_LARGE', false);
    const wrapped = new Error('gave up', { cause: new Error('tried again', { cause: first }) });
    expect(clientFailure(wrapped).error).toMatchObject({
      code: 'TOO_LARGE',
      message: 'MESSAGE_TOO_LARGE',
    });
  });

  it('asks for another client after an error that nobody foresaw', () => {
    const { error, spoiled } = clientFailure(new TypeError('undefined is not a broker'));
    expect(error.code).toBe('UNAVAILABLE');
    expect(spoiled).toBe(true);
  });
});

import { describe, expect, it } from '@jest/globals';
import { UserProperties } from '#libs/mqtt-codec';
import {
  decodeBatch,
  decodeMessage,
  decodeQueued,
  encodeBatch,
  encodeMessage,
  encodeQueued,
  type Message,
} from './index.ts';

const MESSAGE: Message = {
  topic: 'a/b',
  payload: Buffer.from('hi'),
  qos: 1,
  retain: true,
  publisher: 'p',
  source: { nodeId: 'n1', incarnation: 0x0123_4567_89ab },
  sequence: 7,
  receivedAtMs: 0x019a_0000_0000,
  expiresAtMs: 0x019a_0000_ffff,
  origin: 'bridge',
  properties: { contentType: 't', userProperties: UserProperties.of([['k', 'v']]) },
};

const MESSAGE_HEX = [
  '01', // format
  '35', // QoS 1, retain, bridge, expires
  '000170', // publisher
  '00026e31', // node
  '0123456789ab', // incarnation
  '000000000007', // sequence
  '019a00000000', // received
  '019a0000ffff', // expires
  '0003612f62', // topic
  '0b', // property length
  '03000174', // content type
  '2600016b000176', // user property
  '6869', // payload
].join('');

const POSITION = { epoch: 3, sequence: 12 };

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('a message', () => {
  it('has this layout, on which stored data depends', () => {
    expect(hexOf(encodeMessage(MESSAGE))).toBe(MESSAGE_HEX);
    expect(decodeMessage(Buffer.from(MESSAGE_HEX, 'hex'))).toEqual(MESSAGE);
  });

  it.each([
    ['another format', MESSAGE_HEX.replace(/^01/, '02')],
    ['no bytes', ''],
    ['a reserved flag', MESSAGE_HEX.replace(/^0135/, '01b5')],
    ['QoS 3', MESSAGE_HEX.replace(/^0135/, '0137')],
    ['the source of a record before it', MESSAGE_HEX.replace(/^0135/, '0175')],
    ['a length beyond the end', MESSAGE_HEX.slice(0, 60)],
  ])('is not made of %s', (_, hex) => {
    expect(decodeMessage(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  it.each([-1, 0.5, 2 ** 48])('does not take %d for a time', (receivedAtMs) => {
    expect(() => encodeMessage({ ...MESSAGE, receivedAtMs })).toThrow(RangeError);
  });
});

describe('a queued message', () => {
  const queued = {
    message: MESSAGE,
    qos: 2,
    retain: true,
    subscriptionIdentifiers: [1, 128],
  } as const;

  it('has this layout, on which stored data depends', () => {
    const hex = `01060201${'8001'}${MESSAGE_HEX.slice(2)}`;
    expect(hexOf(encodeQueued(queued))).toBe(hex);
    expect(decodeQueued(Buffer.from(hex, 'hex'), POSITION)).toEqual({
      ...queued,
      position: POSITION,
    });
  });

  it.each([
    ['QoS 0', '010400'],
    ['QoS 3', '010700'],
    ['a reserved flag', '010900'],
  ])('is not made of %s', (_, head) => {
    const hex = head + MESSAGE_HEX.slice(2);
    expect(decodeQueued(Buffer.from(hex, 'hex'), POSITION)).toBeUndefined();
  });

  it('that announces more identifiers than there are bytes is none, at once', () => {
    expect(decodeQueued(Buffer.from('0105ffffff7f01', 'hex'), POSITION)).toBeUndefined();
  });
});

describe('a batch', () => {
  const other = { ...MESSAGE, source: { nodeId: 'n2', incarnation: 1 }, sequence: 1 };

  it('keeps order and source of each message', () => {
    const messages = [MESSAGE, { ...MESSAGE, sequence: 8 }, other, MESSAGE];
    expect(decodeBatch(encodeBatch(messages))).toEqual(messages);
  });

  it('names a source once where it does not change', () => {
    const one = encodeBatch([MESSAGE]).length;
    const two = encodeBatch([MESSAGE, MESSAGE]).length;
    expect(two).toBe(one + one - 1 - '00026e310123456789ab'.length / 2);
  });

  it('may be empty', () => {
    expect(decodeBatch(encodeBatch([]))).toEqual([]);
  });

  it('is read whole or not at all', () => {
    const bytes = encodeBatch([MESSAGE, other]);
    expect(decodeBatch(bytes.subarray(0, bytes.length - 70))).toBeUndefined();
    expect(decodeBatch(Buffer.concat([bytes, Buffer.from('00', 'hex')]))).toBeUndefined();
  });
});

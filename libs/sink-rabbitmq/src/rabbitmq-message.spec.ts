import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SinkRecord } from '#libs/bridge';
import { messageOf } from './rabbitmq-message.ts';

const require = createRequire(import.meta.url);
/** The client's own encoder, which throws for what it has no room for. */
const { BasicProperties, encodeProperties } = require(
  join(dirname(require.resolve('amqplib')), 'lib/defs.js'),
) as {
  readonly BasicProperties: number;
  readonly encodeProperties: (
    ...message: [id: number, channel: number, size: number, fields: object]
  ) => Buffer;
};

const record = (changes: Partial<SinkRecord> = {}): SinkRecord => ({
  target: 'orders',
  route: 'tills.t1',
  key: Buffer.from('t1'),
  value: Buffer.from('{}'),
  headers: { 'mqtt-msg-id': 'n1-1-7', 'content-type': 'application/json', list: ['a', 'b'] },
  timestampMs: 1_700_000_000_999,
  ...changes,
});

it('is persistent and mandatory, and named by the message', () => {
  expect(messageOf(record(), 3)).toEqual({
    route: 'tills.t1',
    options: {
      persistent: true,
      mandatory: true,
      messageId: 'n1-1-7',
      timestamp: 1_700_000_000,
      contentType: 'application/json',
      headers: { 'mqtt-msg-id': 'n1-1-7', list: ['a', 'b'] },
    },
  });
});

it('takes the place of a record that has no name', () => {
  expect(messageOf(record({ headers: {}, route: undefined }), 3)).toMatchObject({
    route: '',
    options: { messageId: '3', headers: {} },
  });
});

it('keeps a long type among the headers', () => {
  const type = 'x'.repeat(256);
  const { options } = messageOf(record({ headers: { 'content-type': type } }), 0) as {
    options: object;
  };
  expect(options).toMatchObject({ headers: { 'content-type': type } });
  expect(options).not.toHaveProperty('contentType');
});

it.each<[string, Partial<SinkRecord>]>([
  ['the routing key has more than 255 bytes', { route: 'é'.repeat(128) }],
  ['the name of a header has more than 255 bytes', { headers: { [`up.${'x'.repeat(253)}`]: '' } }],
  ['the headers have more than 65,536 bytes', { headers: { up: 'x'.repeat(65_525) } }],
  ['the headers have more than 65,536 bytes', { headers: { up: Array(10_921).fill('x') } }],
])('says that %s', (fault, changes) => {
  expect(messageOf(record(changes), 0)).toBe(fault);
});

it.each<SinkRecord['headers']>([
  { up: 'x'.repeat(65_524) },
  { up: Buffer.alloc(65_524) },
  { up: Array<string>(10_920).fill('x') },
  Object.fromEntries(Array.from({ length: 3_600 }, (_, index) => [`up.${index}`, ['']])),
])('takes no headers that the client cannot encode: %#', (headers) => {
  const message = messageOf(record({ headers }), 0);
  if (typeof message === 'string') throw new Error(message);
  const { length } = encodeProperties(BasicProperties, 1, 2, message.options);
  expect(length).toBeGreaterThan(60_000);
});

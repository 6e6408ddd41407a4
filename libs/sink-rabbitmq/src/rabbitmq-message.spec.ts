import { expect, it } from '@jest/globals';
import type { SinkRecord } from '#libs/bridge';
import { messageOf } from './rabbitmq-message.ts';

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
  ['the headers have more than 65,536 bytes', { headers: { up: ['x'.repeat(65_535)] } }],
])('says that %s', (fault, changes) => {
  expect(messageOf(record(changes), 0)).toBe(fault);
});

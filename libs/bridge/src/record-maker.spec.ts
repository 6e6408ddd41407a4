import { describe, expect, it } from '@jest/globals';
import { messageOf, outboundRule } from '#libs/testkit';
import { RecordMaker, isAllowed } from './record-maker.ts';

const RULE = outboundRule({ filter: '#', key: '${topic[0]}', ack: 'none' });

/** The lanes of messages with these payloads; undefined leaves it to the key, `none` when no lane can be chosen. */
function lanesOf(partition: string, payloads: readonly string[]): unknown[] {
  const maker = new RecordMaker({ ...RULE, partition });
  return payloads.map((text) => {
    const message = messageOf({ topic: 'a/b', payload: Buffer.from(text) });
    const record = maker.record(message, { target: 't', gate: undefined });
    return record === undefined ? 'none' : record.lane;
  });
}

describe('RecordMaker', () => {
  it('leaves the lane to the key, goes round, or takes the number of a template', () => {
    expect(lanesOf('key', ['1', '2'])).toEqual([undefined, undefined]);
    expect(lanesOf('5', ['1', '2'])).toEqual([5, 5]);
    const [first, second, third] = lanesOf('round-robin', ['', '', '']) as number[];
    expect([second, third]).toEqual([(first ?? 0) + 1, (first ?? 0) + 2]);
    expect(lanesOf('${payload}', ['7', '', '-1', '1.5', '1e9', '999999999'])).toEqual([
      ...[7, 'none', 'none', 'none', 'none', 999_999_999],
    ]);
  });

  it('makes the key and counts the bytes', () => {
    const maker = new RecordMaker(RULE);
    const sizes = [10, 1_010].map((length) => {
      const message = messageOf({ topic: 'a/b', payload: Buffer.alloc(length) });
      const record = maker.record(message, { target: 't', gate: undefined });
      expect(String(record?.key)).toBe('a');
      return record?.bytes ?? 0;
    });
    expect((sizes[1] ?? 0) - (sizes[0] ?? 0)).toBe(1_000);
  });
});

describe('isAllowed', () => {
  it.each([
    ['a', undefined, true],
    ['a', ['b', 'a'], true],
    ['ab', ['b', 'a'], false],
    ['ab', ['a*'], true],
    ['b', ['a*'], false],
    ['b', ['*'], true],
  ])('looks for %s among %j', (name, allowed, expected) => {
    expect(isAllowed(name, allowed)).toBe(expected);
  });
});

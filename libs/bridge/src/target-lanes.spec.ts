import { describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { laneOf } from './murmur2.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { Sink, SinkRecord } from './sink.ts';
import { TargetLanes } from './target-lanes.ts';

function record(key: string, text: string, timestampMs = 0): OutboundRecord {
  return {
    target: 't',
    key: Buffer.from(key),
    value: Buffer.from(text),
    headers: {},
    timestampMs,
    bytes: 10,
    gate: undefined,
    publisher: 'c1',
    sequence: 0,
    place: 0,
    isDone: false,
  };
}

function setUp(): {
  lanes: TargetLanes;
  sent: string[];
  answer: () => void;
  delivered: string[];
  time: { nowMs: number; monotonicMs: number };
} {
  const sent: string[] = [];
  const delivered: string[] = [];
  const answers: (() => void)[] = [];
  const time = { nowMs: 0, monotonicMs: 0 };
  const sink: Pick<Sink, 'send'> = {
    send: (_target: string, lane: number, records: readonly SinkRecord[]) => {
      sent.push(`${lane}: ${records.map(({ value }) => String(value)).join(' ')}`);
      return new Promise((resolve) => answers.push(() => resolve([lane])));
    },
  };
  const lanes = new TargetLanes('t', {
    sink: sink as Sink,
    limits: { lingerMs: 0, batchRecordsMax: 10, batchBytesMax: 1_000, ackTimeoutMs: 1_000 },
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.monotonicMs },
    events: {
      delivered: (records) => {
        delivered.push(...records.map(({ value }) => String(value)));
        lanes.settle();
      },
      failed: () => undefined,
      retried: () => undefined,
      noted: () => undefined,
    },
  });
  return { lanes, sent, delivered, time, answer: () => answers.shift()?.() };
}

describe('TargetLanes', () => {
  it('holds records in order of arrival until the lanes are known', async () => {
    const { lanes, sent } = setUp();
    for (const text of ['1', '2', '3']) lanes.push(record('c1', text));
    expect(lanes.idle).toBe(false);
    lanes.open(6);
    await until(() => sent.length === 1, 1_000);
    expect(sent).toEqual([`${laneOf(Buffer.from('c1'), 6)}: 1 2 3`]);
  });

  it('drains the lanes of the old count before a new one comes into force', async () => {
    const { lanes, sent, delivered, answer } = setUp();
    lanes.open(1);
    lanes.push(record('c1', 'old'));
    await until(() => sent.length === 1, 1_000);
    lanes.open(5);
    lanes.push(record('c1', 'new'));
    expect(sent).toEqual(['0: old']);
    answer();
    await until(() => sent.length === 2, 1_000);
    expect(delivered).toEqual(['old']);
    expect(sent[1]).toBe(`${laneOf(Buffer.from('c1'), 5)}: new`);
  });

  it('puts a record into the lane that it names, modulo their number', async () => {
    const { lanes, sent } = setUp();
    lanes.open(3);
    lanes.push({ ...record('c1', 'a'), lane: 7 });
    await until(() => sent.length === 1, 1_000);
    expect(sent).toEqual(['1: a']);
  });

  it('takes out only the held records that have waited too long for a target that is missing', () => {
    const { lanes, time } = setUp();
    const expiredAt = (ms: number): string[] => {
      Object.assign(time, { nowMs: ms, monotonicMs: ms });
      return lanes.takeExpired().map(({ value }) => String(value));
    };
    lanes.push(record('c1', 'old', -9_000));
    lanes.push(record('c1', 'young', 500));
    expect(expiredAt(100)).toEqual([]);
    expect(expiredAt(1_200)).toEqual(['old']);
    expect(lanes.idle).toBe(false);
    expect(expiredAt(1_600)).toEqual(['young']);
    expect(lanes.idle).toBe(true);
  });
});

import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { MemoryCluster, quiet } from '#libs/testkit';
import { decodeFrame } from './frame.ts';
import { InboxMarks } from './inbox-marks.ts';

function setUp() {
  const bus = new MemoryCluster().bus('a');
  const sent: number[] = [];
  bus.sendDurable = async (node, bytes) => {
    const frame = decodeFrame(bytes);
    if (node === bus.self && frame?.kind === 'mark') sent.push(frame.number);
  };
  const marks = new InboxMarks(bus);
  const told: string[] = [];
  const ask = (name: string): void =>
    void marks.caughtUp().then((isThere) => told.push(`${name} ${String(isThere)}`));
  return { bus, marks, sent, told, ask };
}

describe('InboxMarks', () => {
  it('tells whoever asks when a mark has come that was sent afterwards', async () => {
    const { marks, sent, told, ask } = setUp();
    ask('first');
    await quiet();
    ask('second');
    ask('third');
    await quiet();
    expect([sent, told]).toEqual([[1], []]);
    marks.passed(1);
    await quiet();
    expect([sent, told]).toEqual([[1, 2], ['first true']]);
    marks.passed(1);
    await quiet();
    expect(told).toEqual(['first true']);
    marks.passed(2);
    await quiet();
    expect(told).toEqual(['first true', 'second true', 'third true']);
  });

  it('keeps nobody waiting when the inbox cannot be reached', async () => {
    const { bus, told, ask } = setUp();
    bus.sendDurable = () => Promise.reject(new StoreUnavailableError('away'));
    ask('first');
    await quiet();
    expect(told).toEqual(['first false']);
  });

  it('keeps nobody waiting when the inbox is not read any more', async () => {
    const { marks, sent, told, ask } = setUp();
    ask('first');
    await quiet();
    marks.close();
    ask('second');
    await quiet();
    expect([sent, told]).toEqual([[1], ['first false', 'second false']]);
  });
});

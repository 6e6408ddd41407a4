import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  LaneSink,
  numbers,
  SpoolingBridge,
  spoolingRule as rule,
  type MemorySpoolStore,
  type RecordingLog,
} from '#libs/testkit';
import type { SpoolLimits } from './spool-limits.ts';

describe('records in the spool that are lost to age or damage', () => {
  let bench: SpoolingBridge;
  let store: MemorySpoolStore;
  let sink: LaneSink;
  let log: RecordingLog;
  let answers: string[];
  let counts: Record<string, number>;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    ({ store, sink, log, answers, counts } = bench);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  async function restart(limits?: Partial<SpoolLimits>, bytesMax?: number): Promise<void> {
    await bench.restart(limits, bytesMax);
    sink.away = false;
  }

  const first = (): number => bench.spool.open('r1').first;

  it('drops records that are too old when their turn comes', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offer('old');
    await bench.pass(100);
    await restart({ ageSecondsMax: 60 });
    await bench.pass(61_000);
    bench.bridge.apply([rule()]);
    bench.offer('new');
    await bench.pass(300);
    expect(sink.values).toEqual(['new']);
    expect(counts).toEqual({ 'dropped/expired': 1, 'delivered/ok': 1 });
    expect(first()).toBe(3);
  });

  it.each([false, true])(
    'drops records that become too old while the sink is away, and has room again (never there: %s)',
    async (isUnknown) => {
      sink.isUnknown = isUnknown;
      await restart({ ageSecondsMax: 60 }, 1_500_000);
      sink.away = true;
      bench.bridge.apply([rule()]);
      bench.offerMany(1, 3_000, 1_000);
      await bench.pass(200);
      const taken = answers.filter((answer) => answer.endsWith(':ok')).length;
      expect(taken).toBeGreaterThan(1_000);
      expect(taken).toBeLessThan(1_500);
      await bench.pass(65_000);
      expect(counts['dropped/expired']).toBe(taken);
      expect(bench.spool.bytes).toBe(0);
      expect(bench.buffered).toBe(0);
      bench.offer('new');
      await bench.pass(100);
      expect(answers.at(-1)).toBe('new:ok');
      sink.away = false;
      sink.isUnknown = false;
      await bench.pass(3_000);
      expect(sink.values).toEqual(['new']);
      expect(counts['delivered/ok']).toBe(1);
    },
  );

  it('drops them without regard to the limit of the replay', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 500);
    await bench.pass(200);
    await restart({ ageSecondsMax: 60, replayRecordsPerSecond: 1 });
    await bench.pass(61_000);
    bench.bridge.apply([rule()]);
    await bench.pass(5_000);
    expect(counts).toEqual({ 'dropped/expired': 500 });
  });

  it('passes over what is damaged, says what is lost at most, and goes on', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    for (let group = 0; group < 6; group += 1) {
      bench.offerMany(group * 10 + 1, group * 10 + 10);
      await bench.pass(100);
    }
    for (const sequence of [1, 11, 31]) store.damage('r1', sequence);
    await restart();
    bench.bridge.apply([rule()]);
    bench.offer('61');
    await bench.pass(1_000);
    expect(sink.values).toEqual([...numbers(21, 30), ...numbers(41, 61)]);
    expect(counts).toMatchObject({ 'dropped/spool_damaged': 30, 'delivered/ok': 31 });
    expect(bench.spool.open('r1').records).toBe(0);
    expect(log.lines.filter(({ event }) => event === 'bridge-spool-damaged')).toEqual([
      {
        level: 'error',
        event: 'bridge-spool-damaged',
        fields: {
          ...{ rule: 'r1', records: 30, from: 1, upTo: 40 },
          error: 'the spool is damaged: the block that ends at 10',
        },
      },
    ]);
  });

  it('keeps a batch together of which a part is not too old yet', async () => {
    await restart({ ageSecondsMax: 60 });
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offer('1', { receivedAtMs: Date.now() - 30_000 });
    bench.offer('2');
    await bench.pass(40_000);
    sink.away = false;
    await bench.pass(3_000);
    expect(sink.values).toEqual(['1', '2']);
  });
});

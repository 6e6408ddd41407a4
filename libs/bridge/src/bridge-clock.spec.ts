import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LaneSink, SpoolingBridge, spoolingRule } from '#libs/testkit';

const HALF_HOUR_MS = 1_800_000;

describe.each([
  ['is set back', -HALF_HOUR_MS],
  ['is put forward', HALF_HOUR_MS],
] as const)('a bridge whose wall clock %s', (_what, shiftMs) => {
  let bench: SpoolingBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const shift = (): unknown => jest.setSystemTime(Date.now() + shiftMs);
  const stored = (): string[] => bench.sink.stored.map(({ value }) => String(value));

  it('answers its publishers in time', async () => {
    bench.apply(spoolingRule({ ack: 'kafka' }));
    await bench.pass(10);
    bench.sink.away = true;
    bench.offer('1');
    await bench.pass(100);
    shift();
    await bench.pass(600);
    expect(bench.answers).toEqual([]);
    await bench.pass(500);
    expect(bench.answers).toEqual(['1:BRIDGE_UNAVAILABLE']);
  });

  it('finds the lanes of a target, and sends', async () => {
    bench.sink.isUnknown = true;
    bench.apply(spoolingRule({ ack: 'none' }));
    bench.offer('1');
    await bench.pass(100);
    shift();
    bench.sink.isUnknown = false;
    await bench.pass(1_000);
    bench.offer('2');
    await bench.pass(10);
    expect(stored()).toEqual(['1', '2']);
  });

  it('lets records wait for room no longer than it may', async () => {
    bench.apply(spoolingRule({ spool: { bytesMax: 1_000, onFull: 'block' } }));
    bench.sink.away = true;
    await bench.pass(10);
    bench.offerMany(1, 8, 300);
    await bench.pass(100);
    const taken = bench.answers.length;
    expect(taken).toBeLessThan(8);
    shift();
    await bench.pass(600);
    expect(bench.answers).toHaveLength(taken);
    await bench.pass(500);
    expect(bench.answers).toHaveLength(8);
  });
});

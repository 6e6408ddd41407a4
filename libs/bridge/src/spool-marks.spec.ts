import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SpoolMarks } from '#libs/broker-ports';
import { LANES, LaneSink, SpoolingBridge, spoolingRule } from '#libs/testkit';
import { DoneMarks, isMarked } from './done-marks.ts';

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What a log knows whose node was killed. */
function logOf(first: number, next: number, marks?: SpoolMarks) {
  return { first, next, marks };
}

function doneOf(first: number, sequences: readonly number[]): DoneMarks {
  const done = new DoneMarks(logOf(first, first));
  for (const sequence of sequences) done.add(sequence);
  return done;
}

describe('marks of records that are done with', () => {
  const isOdd = (sequence: number): boolean => sequence % 2 === 1;

  it('say of each sequence whether it is, over a restart too', () => {
    const odd = range(15, 9_001).filter(isOdd);
    const done = doneOf(14, odd.toReversed());
    expect(done.first).toBe(14);
    const { beyond } = done;
    const again = new DoneMarks(logOf(14, 9_002, beyond));
    const asked = range(14, 20_000);
    expect(asked.filter((sequence) => done.has(sequence))).toEqual(odd);
    expect(asked.filter((sequence) => again.has(sequence))).toEqual(odd);
    expect(asked.filter((sequence) => isMarked(beyond, sequence))).toEqual(odd);
    expect(isMarked(undefined, 15)).toBe(false);
  });

  it('advance to the first that is not, and are none when nothing is beyond it', () => {
    const done = doneOf(1, [1, 2, 4]);
    expect(done.first).toBe(3);
    expect(done.beyond).toBeDefined();
    done.add(3);
    expect([done.first, done.has(4), done.has(5)]).toEqual([5, true, false]);
    expect(done.beyond).toBeUndefined();
    done.add(2);
    expect(done.first).toBe(5);
  });

  it('keep those that were marked before, as far as the log still has them', () => {
    const { beyond } = doneOf(10, [12, 14, 30]);
    const done = new DoneMarks(logOf(13, 31, beyond));
    done.add(13);
    expect(done.first).toBe(15);
    expect(range(15, 40).filter((sequence) => done.has(sequence))).toEqual([30]);
    expect(new DoneMarks(logOf(100, 120, beyond)).first).toBe(100);
  });

  it('mark nothing that the log has not given, and nothing far away', () => {
    const { beyond } = doneOf(10, [12, 14]);
    const earlier = new DoneMarks(logOf(10, 13, beyond));
    expect([earlier.has(12), earlier.has(14)]).toEqual([true, false]);
    expect(isMarked(beyond, 2 ** 32 + 12)).toBe(false);
    expect(isMarked(beyond, 9)).toBe(false);
  });

  it('are right for millions, of which the first are written', () => {
    const done = doneOf(1, range(2, 1_200_000));
    expect([done.first, done.has(1), done.has(1_200_000)]).toEqual([1, false, true]);
    const { beyond } = done;
    expect(beyond?.bits.length).toBe(65_536);
    expect(isMarked(beyond, 500_000)).toBe(true);
    done.add(1);
    expect(done.first).toBe(1_200_001);
  });
});

describe('a spool whose node ends while a lane is stuck', () => {
  let bench: SpoolingBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    bench.apply(spoolingRule());
    await bench.pass(10);
    bench.sink.stuck.add(0);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const stored = (): string[] => bench.sink.stored.map(({ value }) => String(value));

  /** Offers numbers of as many clients, so that every lane has some. */
  function offerMany(from: number, to: number): void {
    for (const index of range(from, to)) bench.offer(String(index), { publisher: `c${index}` });
  }

  /** Starts it as after SIGKILL: what was not on the disk never comes there. */
  async function crash(): Promise<void> {
    bench.store.fault = 'FAILED';
    await bench.restart();
    bench.store.fault = undefined;
    bench.apply(spoolingRule());
    await bench.pass(100);
  }

  it('is sent again what the stuck lane had, and no more', async () => {
    offerMany(1, 900);
    await bench.pass(1_000);
    const before = stored().length;
    expect(before).toBeGreaterThan((900 / LANES) * 1.5);
    await crash();
    offerMany(901, 1_200);
    await bench.pass(1_000);
    // Twice: lane 0 is stuck all the time.
    await crash();
    bench.sink.stuck.clear();
    await bench.pass(3_000);
    expect(stored()).toHaveLength(1_200);
    expect(new Set(stored()).size).toBe(1_200);
    expect(bench.spool.open('r1').records).toBe(0);
    expect(bench.buffered).toBe(0);
  });

  it('is sent again no more than a batch for each lane, however slow the disk is', async () => {
    bench.sink.away = true;
    offerMany(1, 1_200);
    await bench.pass(2_500);
    const goOn = bench.store.hold();
    bench.sink.away = false;
    bench.sink.stuck.clear();
    await bench.pass(900);
    const { length } = stored();
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThanOrEqual(100 * LANES);
    bench.sink.away = true;
    goOn();
    await crash();
    bench.sink.away = false;
    await bench.pass(5_000);
    expect(new Set(stored()).size).toBe(1_200);
    expect(stored().length).toBeLessThanOrEqual(1_200 + 100 * LANES);
  });

  it('loses to damage what was not delivered, and no more', async () => {
    offerMany(1, 300);
    await bench.pass(1_000);
    await crash();
    const { length } = stored();
    bench.store.damage('r1', 2);
    await crash();
    offerMany(301, 400);
    bench.sink.stuck.clear();
    await bench.pass(3_000);
    const lost = 400 - new Set(stored()).size;
    expect(lost).toBe(300 - length);
    expect(stored()).toHaveLength(400 - lost);
    expect(bench.spool.open('r1').records).toBe(0);
  });

  it('sends again no more than what was delivered since the last look', async () => {
    offerMany(1, 300);
    await bench.pass(1_000);
    const before = stored().length;
    offerMany(301, 330);
    await bench.pass(50);
    const since = stored().length - before;
    await crash();
    bench.sink.stuck.clear();
    await bench.pass(3_000);
    expect(new Set(stored()).size).toBe(330);
    expect(stored().length).toBeLessThanOrEqual(330 + since);
  });

  it('leaves no doubt when it is stopped', async () => {
    offerMany(1, 30);
    await bench.pass(1_000);
    await bench.restart();
    bench.apply(spoolingRule());
    bench.sink.stuck.clear();
    await bench.pass(3_000);
    expect(stored()).toHaveLength(30);
  });
});

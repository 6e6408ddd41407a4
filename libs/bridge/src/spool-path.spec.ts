import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  BUFFER_BYTES_MAX,
  LANES,
  LaneSink,
  numbers,
  SpoolingBridge,
  spoolingRule as rule,
  type MemorySpoolStore,
} from '#libs/testkit';
import { laneOf } from './murmur2.ts';
import type { SpoolLimits } from './spool-limits.ts';

/** A client whose records take a lane. */
function clientOf(lane: number): string {
  const ids = Array.from({ length: 50 }, (_, index) => `c${String(index)}`);
  return ids.find((id) => laneOf(Buffer.from(id), LANES) === lane) ?? '';
}

describe('a rule that acknowledges from the spool', () => {
  let bench: SpoolingBridge;
  let store: MemorySpoolStore;
  let sink: LaneSink;
  let answers: string[];
  let counts: Record<string, number>;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    ({ store, sink, answers, counts } = bench);
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

  it('answers when the record is on the disk, whether or not the sink is there', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    const goOn = store.hold();
    bench.offer('1');
    await bench.pass(50);
    expect(answers).toEqual([]);
    goOn();
    await bench.pass(50);
    expect(answers).toEqual(['1:ok']);
    expect(bench.bridge.status()).toMatchObject([{ id: 'r1', spool: { records: 1 } }]);
    sink.away = false;
    await bench.pass(3_000);
    expect(sink.values).toEqual(['1']);
    expect(bench.bridge.status()).toMatchObject([{ state: 'running', spool: { records: 0 } }]);
    expect(counts).toEqual({ 'delivered/ok': 1 });
  });

  it('sends from memory what is durable, as it was rendered, QoS 0 in its place', async () => {
    const read = jest.spyOn(store, 'read');
    bench.bridge.apply([rule({ headers: { x: '${topic}' } })]);
    bench.offer('1');
    bench.offer('2', { qos: 0 });
    bench.offer('3');
    await bench.pass(200);
    expect(sink.values).toEqual(['1', '2', '3']);
    expect(answers).toEqual(['2:ok', '1:ok', '3:ok']);
    expect(sink.stored[0]).toMatchObject({ target: 'telemetry', headers: { x: 'a/b' } });
    expect(read).not.toHaveBeenCalled();
    expect(first()).toBe(4);
  });

  it('releases up to the first record that is not done with, however lanes overtake', async () => {
    bench.bridge.apply([rule()]);
    sink.stuck.add(0);
    await bench.pass(100);
    for (const [index, lane] of [1, 2, 0, 1, 2].entries()) {
      bench.offer(String(index + 1), { publisher: clientOf(lane) });
    }
    await bench.pass(300);
    expect(sink.values.toSorted()).toEqual(['1', '2', '4', '5']);
    expect(first()).toBe(3);
    await restart();
    sink.stored.length = 0;
    sink.stuck.clear();
    bench.bridge.apply([rule()]);
    await bench.pass(300);
    expect(sink.values).toEqual(['3']);
    expect(first()).toBe(6);
  });

  it('replays in order after a restart, live records behind', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 1_000);
    await bench.pass(200);
    expect(answers).toHaveLength(1_000);
    await restart();
    bench.bridge.apply([rule()]);
    expect(bench.spooled).toBe(1_000);
    bench.offerMany(1_001, 1_010);
    await bench.pass(1_000);
    bench.offerMany(1_011, 1_020);
    await bench.pass(200);
    expect(sink.values).toEqual(numbers(1, 1_020));
    expect(bench.events).toContain('bridge-spool-replay');
    expect(counts).toEqual({ 'delivered/ok': 1_020 });
  });

  it('drops nothing of a spool with room because the disk does not keep up', async () => {
    sink.away = true;
    bench.bridge.apply([rule({ spool: { onFull: 'drop-oldest' } })]);
    bench.offerMany(1, 100, 10_000);
    await bench.pass(200);
    const goOn = store.hold();
    bench.offerMany(101, 120, 1_000_000);
    await bench.pass(50);
    goOn();
    await bench.pass(200);
    const refused = answers.filter((answer) => answer.endsWith('QUOTA_EXCEEDED')).length;
    expect(refused).toBeGreaterThan(0);
    expect(counts).toEqual({ 'failed/spool_full': refused });
    expect(first()).toBe(1);
  });

  it('limits the replay when it is told to', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 300);
    await bench.pass(200);
    await restart({ replayRecordsPerSecond: 100 });
    bench.bridge.apply([rule()]);
    await bench.pass(1_000);
    expect(sink.stored.length).toBeGreaterThan(80);
    expect(sink.stored.length).toBeLessThan(120);
    bench.offer('301');
    await bench.pass(3_000);
    expect(sink.values).toEqual(numbers(1, 301));
  });

  it('holds no more in memory while the sink is away for long, and catches up in order', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    for (let round = 0; round < 30; round += 1) {
      bench.offerMany(round * 200 + 1, round * 200 + 200, 1_000);
      await bench.pass(100);
    }
    // Half of the buffer in the lanes, and the newest.
    expect(bench.buffered).toBeLessThan(BUFFER_BYTES_MAX / 2 + 1_200_000);
    expect(answers).toHaveLength(6_000);
    expect(bench.events).toContain('bridge-spool-behind');
    sink.away = false;
    for (let round = 30; round < 40; round += 1) {
      bench.offerMany(round * 200 + 1, round * 200 + 200, 1_000);
      await bench.pass(300);
    }
    await bench.pass(1_000);
    expect(sink.values).toEqual(numbers(1, 8_000));
    expect(bench.events).toContain('bridge-spool-caught-up');
    expect(bench.buffered).toBe(0);
    expect(bench.spool.bytes).toBe(0);
    const read = jest.spyOn(store, 'read');
    bench.offer('8001');
    await bench.pass(200);
    expect(sink.values.at(-1)).toBe('8001');
    expect(read).not.toHaveBeenCalled();
  });

  it('stops without waiting for the sink, and keeps what it has', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 10);
    await bench.pass(100);
    let isClosed = false;
    void bench.bridge.close().then(() => (isClosed = true));
    await bench.pass(600);
    expect(isClosed).toBe(true);
    expect(bench.spool.open('r1').records).toBe(10);
    expect(counts).toEqual({});
  });

  it('fails closed when the disk fails, and goes on when it works again', async () => {
    bench.bridge.apply([rule()]);
    bench.offer('1');
    await bench.pass(200);
    store.fault = 'FAILED';
    bench.offer('2');
    await bench.pass(100);
    expect(answers).toEqual(['1:ok', '2:BRIDGE_UNAVAILABLE']);
    expect(bench.bridge.status()).toMatchObject([
      { state: 'degraded', lastError: 'the spool fails: as the test wants it' },
    ]);
    store.fault = undefined;
    bench.offer('3');
    await bench.pass(11_000);
    expect(sink.values).toEqual(['1', '3']);
    expect(first()).toBe(4);
    expect(counts).toEqual({ 'delivered/ok': 2, 'failed/spool_failed': 1 });
    expect(bench.events).toEqual(
      expect.arrayContaining(['bridge-spool-failed', 'bridge-spool-recovered']),
    );
  });

  it('refuses with 0x97 what a full disk does not take', async () => {
    bench.bridge.apply([rule()]);
    store.fault = 'FULL';
    bench.offer('1');
    await bench.pass(100);
    expect(answers).toEqual(['1:QUOTA_EXCEEDED']);
    expect(counts).toEqual({ 'failed/spool_full': 1 });
    expect(bench.events).toContain('bridge-spool-full');
  });

  describe('when the spool is full', () => {
    /** Room for some 90 records of 1,000 bytes. */
    async function full(onFull: SpoolLimits['onFull']): Promise<void> {
      await restart({ onFull }, 100_000);
      sink.away = true;
      bench.bridge.apply([rule()]);
      await bench.pass(100);
      for (let index = 1; index <= 200; index += 1) {
        bench.offer(`${String(index)}${'.'.repeat(1_000)}`);
        if (index % 10 === 0) await bench.pass(1);
      }
      await bench.pass(100);
    }
    const codes = (code: string): number =>
      answers.filter((answer) => answer.endsWith(`:${code}`)).length;
    async function back(): Promise<void> {
      sink.away = false;
      await bench.pass(3_000);
    }

    it('reject: refuses publishers and keeps what it has', async () => {
      await full('reject');
      const kept = codes('ok');
      expect(kept).toBeGreaterThan(50);
      expect(kept).toBeLessThan(100);
      expect(codes('QUOTA_EXCEEDED')).toBe(200 - kept);
      await back();
      expect(sink.values).toEqual(numbers(1, kept));
      bench.offer('more');
      await bench.pass(200);
      expect(answers.at(-1)).toBe('more:ok');
      expect(counts['failed/spool_full']).toBe(200 - kept);
    });

    it('drop-newest: acknowledges, counts and keeps what it has', async () => {
      await full('drop-newest');
      expect(codes('ok')).toBe(200);
      await back();
      expect(sink.values).toEqual(numbers(1, sink.values.length));
      expect(sink.values.length).toBeLessThan(100);
      expect(counts['dropped/spool_full']).toBe(200 - sink.values.length);
    });

    it('drop-oldest: acknowledges, counts and keeps the newest', async () => {
      await full('drop-oldest');
      expect(codes('ok')).toBe(200);
      await back();
      const kept = sink.values.map(Number);
      expect(kept.at(-1)).toBe(200);
      expect(kept).toEqual(kept.toSorted((one, other) => one - other));
      expect((counts['dropped/spool_full'] ?? 0) + kept.length).toBe(200);
    });

    it('block: lets publishers wait for room, and refuses them at the deadline', async () => {
      await full('block');
      const kept = codes('ok');
      expect(kept).toBeLessThan(100);
      expect(answers).toHaveLength(kept);
      await back();
      expect(codes('ok') + codes('QUOTA_EXCEEDED')).toBe(200);
      expect(sink.values).toEqual(numbers(1, codes('ok')));
      await full('block');
      await bench.pass(2_000);
      expect(answers).toHaveLength(400);
      expect(codes('QUOTA_EXCEEDED')).toBeGreaterThan(100);
    });
  });

  it('holds to the bound of a rule', async () => {
    sink.away = true;
    bench.bridge.apply([rule({ spool: { bytesMax: 5_000 } }), rule({ id: 'r2', filter: 'b' })]);
    for (let count = 0; count < 10; count += 1) bench.offer('.'.repeat(1_000));
    await bench.pass(100);
    expect(counts['failed/spool_full']).toBeGreaterThan(4);
    bench.offer('.'.repeat(10_000), { topic: 'b' });
    await bench.pass(100);
    expect(answers.at(-1)).toMatch(/:ok$/);
  });

  it('gives up what can never be delivered, and goes on', async () => {
    bench.bridge.apply([rule()]);
    sink.away = true;
    sink.fault = 'TOO_LARGE';
    bench.offer('1');
    await bench.pass(100);
    sink.away = false;
    bench.offer('2');
    await bench.pass(200);
    expect(answers).toEqual(['1:ok', '2:ok']);
    expect(sink.values).toEqual(['2']);
    expect(counts).toEqual({ 'failed/too_large': 1, 'stage produce': 1, 'delivered/ok': 1 });
    expect(first()).toBe(3);
  });

  it('waits for a target that it names itself, for as long as records may live', async () => {
    sink.away = true;
    sink.fault = 'UNKNOWN_TARGET';
    bench.bridge.apply([rule(), rule({ id: 'r2', topic: '${topic[1]}' })]);
    bench.offer('1');
    await bench.pass(20_000);
    expect(counts).toEqual({ 'failed/unknown_topic': 1, 'stage topic': 1 });
    sink.away = false;
    await bench.pass(5_000);
    expect(sink.values).toEqual(['1']);
  });

  it('leaves nothing in memory when the rule changes', async () => {
    bench.apply(rule());
    bench.offerMany(1, 100);
    bench.apply(rule({ topic: 'elsewhere' }));
    await bench.pass(2_000);
    expect(sink.values).toEqual(numbers(1, 100));
    expect(bench.buffered).toBe(0);
  });

  it('hands its log on when the rule changes, in order and once', async () => {
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 100);
    bench.bridge.apply([rule({ topic: 'elsewhere' })]);
    bench.offerMany(101, 200);
    await bench.pass(2_000);
    const of = (target: string): string[] =>
      sink.stored.filter((each) => each.target === target).map(({ value }) => String(value));
    expect(of('telemetry')).toEqual(numbers(1, 100));
    expect(of('elsewhere')).toEqual(numbers(101, 200));
  });

  it('empties its log also when the rule does not acknowledge from it any more', async () => {
    sink.away = true;
    bench.bridge.apply([rule()]);
    bench.offerMany(1, 10);
    await bench.pass(100);
    await restart();
    bench.bridge.apply([rule({ ack: 'kafka' })]);
    await bench.pass(500);
    expect(sink.values).toEqual(numbers(1, 10));
  });
});

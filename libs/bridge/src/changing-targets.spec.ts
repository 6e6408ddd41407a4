import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LaneSink, SpoolingBridge, spoolingRule as rule } from '#libs/testkit';
import { SinkError, type SinkRecord } from './sink.ts';

/** A sink whose number of lanes may change. */
class ShrinkingSink extends LaneSink {
  count = 3;

  override async lanes(): Promise<number> {
    return this.count;
  }

  override async send(
    target: string,
    lane: number,
    records: readonly SinkRecord[],
  ): Promise<number[]> {
    if (lane >= this.count) throw new SinkError('UNKNOWN_TARGET', `no lane ${String(lane)}`);
    return super.send(target, lane, records);
  }
}

describe('rules whose targets change', () => {
  let bench: SpoolingBridge<ShrinkingSink>;
  let sink: ShrinkingSink;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new ShrinkingSink());
    ({ sink } = bench);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const values = (): string[] => sink.stored.map(({ value }) => String(value));

  /** Offers three records of each of so many clients, one client after the other, three times. */
  function offerOf(clients: number, round: string): void {
    for (const turn of ['1', '2', '3']) {
      for (let client = 0; client < clients; client += 1) {
        const publisher = `c${String(client)}`;
        bench.offer(`${publisher} ${round}${turn}`, { publisher });
      }
    }
  }

  it.each(['spool', 'kafka'] as const)(
    'sends what is in lanes that are gone over those that are left, in the order of its keys (ack: %s)',
    async (ack) => {
      bench.apply(rule({ ack }));
      await bench.pass(200);
      sink.count = 1;
      offerOf(10, 'a');
      await bench.pass(60);
      offerOf(10, 'b');
      await bench.pass(5_000);
      for (let client = 0; client < 10; client += 1) {
        const name = `c${String(client)}`;
        const own = values().filter((value) => value.startsWith(`${name} `));
        expect(own).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3'].map((each) => `${name} ${each}`));
      }
      expect(bench.counts).toMatchObject({ 'delivered/ok': 60 });
      expect(bench.bridge.status()).toMatchObject([{ state: 'running' }]);
    },
  );

  it('gives up what is in lanes that are gone when the rule ends before it is known', async () => {
    bench.apply(rule({ ack: 'kafka' }));
    await bench.pass(200);
    sink.count = 1;
    sink.isUnknown = true;
    offerOf(10, 'a');
    await bench.pass(60);
    await bench.close();
    expect(bench.answers.filter((answer) => answer.endsWith(':ok'))).toHaveLength(
      sink.stored.length,
    );
    expect(bench.answers).toHaveLength(30);
  });

  it('waits for the right to write what was acknowledged, unless it has a place for dead letters', async () => {
    bench.apply(rule());
    await bench.pass(200);
    [sink.away, sink.fault] = [true, 'NOT_AUTHORIZED'];
    bench.offerMany(1, 3);
    await bench.pass(60_000);
    expect(bench.bridge.status()).toMatchObject([{ state: 'degraded', lastError: 'away' }]);
    sink.away = false;
    await bench.pass(5_000);
    expect(values()).toEqual(['1', '2', '3']);
    expect(bench.counts).toEqual({ 'delivered/ok': 3 });
    sink.away = true;
    bench.apply(rule({ deadLetterTopic: 'dead' }));
    bench.offer('4');
    await bench.pass(5_000);
    expect(bench.counts).toMatchObject({ 'dropped/dead_letter': 1 });
  });

  it('forgets targets that nothing is on its way to when there are too many', async () => {
    bench.apply(rule({ topic: '${topic[1]}' }));
    for (let index = 1; index <= 1_200; index += 1) {
      const topic = String(index);
      bench.offer(topic, { topic: `a/${topic}` });
      if (index % 100 === 0) await bench.pass(1_000);
    }
    expect(bench.counts).toEqual({ 'delivered/ok': 1_200 });
    expect(new Set(sink.stored.map(({ target }) => target)).size).toBe(1_200);
  });

  it('keeps its bound of targets while something is on its way to all of them', async () => {
    sink.isUnknown = true;
    sink.lanes = () => Promise.reject(new SinkError('UNAVAILABLE', 'away'));
    bench.apply(rule({ topic: '${topic[1]}', ack: 'kafka' }));
    for (let index = 0; index < 1_003; index += 1) {
      bench.offer(String(index), { topic: `a/${String(index)}`, qos: 0 });
    }
    await bench.pass(100);
    expect(bench.counts).toMatchObject({ 'dropped/unknown_topic': 3 });
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LaneSink, numbers, SpoolingBridge, spoolingRule } from '#libs/testkit';

/** Three times what fits into the lanes. */
const BACKLOG = 300;

describe('a rule whose ack is changed from spool to kafka while records wait', () => {
  let bench: SpoolingBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    bench.apply(spoolingRule());
    await bench.pass(10);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const stored = (): string[] =>
    bench.sink.stored.map(({ value }) => String(parseInt(String(value), 10)));
  const answersSince = (count: number): string[] =>
    bench.answers.slice(count).map((answer) => answer.replaceAll('.', ''));

  /** More than the lanes take is in the spool, the rule has its new ack, and Kafka is away. */
  async function change(): Promise<void> {
    bench.sink.away = true;
    bench.offerMany(1, BACKLOG, 10_000);
    await bench.pass(100);
    expect(answersSince(0)).toEqual(numbers(1, BACKLOG).map((text) => `${text}:ok`));
    bench.apply(spoolingRule({ ack: 'kafka' }));
    // The version before has its time to end.
    await bench.pass(600);
    bench.offerMany(BACKLOG + 1, BACKLOG + 10);
    bench.offer(String(BACKLOG + 11), { qos: 0 });
    await bench.pass(100);
    expect(answersSince(BACKLOG)).toEqual([`${String(BACKLOG + 11)}:ok`]);
  }

  it('keeps the order of each key, and answers when Kafka has it', async () => {
    await change();
    bench.sink.away = false;
    await bench.pass(850);
    expect(stored()).toEqual(numbers(1, BACKLOG + 11));
    const live = numbers(BACKLOG + 1, BACKLOG + 10);
    expect(answersSince(BACKLOG + 1)).toEqual(live.map((text) => `${text}:ok`));
    await bench.pass(200);
    expect(bench.buffered).toBe(0);
    bench.offer('more');
    await bench.pass(10);
    expect(answersSince(BACKLOG + 11)).toEqual(['more:ok']);
  });

  it('refuses what has waited for too long, and forgets it', async () => {
    await change();
    await bench.pass(1_000);
    const live = numbers(BACKLOG + 1, BACKLOG + 10);
    expect(answersSince(BACKLOG + 1)).toEqual(live.map((text) => `${text}:BRIDGE_UNAVAILABLE`));
    bench.sink.away = false;
    await bench.pass(2_500);
    expect(stored()).toEqual([...numbers(1, BACKLOG), String(BACKLOG + 11)]);
    expect(bench.counts['failed/timeout']).toBe(10);
    expect(bench.buffered).toBe(0);
  });

  it('refuses what waits when it is changed again: what is in the spool stays before it', async () => {
    await change();
    bench.apply(spoolingRule());
    await bench.pass(10);
    const live = numbers(BACKLOG + 1, BACKLOG + 10);
    expect(answersSince(BACKLOG + 1)).toEqual(live.map((text) => `${text}:BRIDGE_UNAVAILABLE`));
    bench.offerMany(BACKLOG + 1, BACKLOG + 10);
    bench.sink.away = false;
    await bench.pass(8_000);
    expect([...new Set(stored())]).toEqual(numbers(1, BACKLOG + 10));
    expect(bench.counts['failed/shutdown']).toBe(11);
  });
});

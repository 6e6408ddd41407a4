import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LaneSink, SpoolingBridge, spoolingRule } from '#libs/testkit';

const UNAVAILABLE = 'BRIDGE_UNAVAILABLE';

describe('a rule with ack: kafka whose Kafka is away', () => {
  let bench: SpoolingBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    // All of one lane, in which the first record is under way from now on.
    bench.apply(spoolingRule({ ack: 'kafka', key: 'one' }));
    await bench.pass(10);
    bench.sink.away = true;
    bench.offer('0', { publisher: 'c0' });
    await bench.pass(10);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const stored = (): string[] => bench.sink.stored.map(({ value }) => String(value));

  async function comeBack(): Promise<void> {
    bench.sink.away = false;
    // The longest pause between two attempts.
    await bench.pass(2_000);
  }

  it('stores one copy of what clients send again, and two of what was under way', async () => {
    for (let round = 0; round < 5; round += 1) {
      for (const text of ['1', '2', '3']) bench.offer(text);
      await bench.pass(1_200);
    }
    expect(bench.answers).toHaveLength(16);
    expect(bench.answers.every((answer) => answer.endsWith(UNAVAILABLE))).toBe(true);
    expect(bench.counts).toEqual({ 'failed/timeout': 15 });
    await comeBack();
    for (const text of ['0', '1', '2', '3']) bench.offer(text);
    await bench.pass(200);
    expect(stored()).toEqual(['0', '0', '1', '2', '3']);
    expect(bench.answers.slice(16)).toEqual(['0:ok', '1:ok', '2:ok', '3:ok']);
    expect(bench.buffered).toBe(0);
  });

  it('refuses with a late message what its client has sent since, whose connection may have ended', async () => {
    bench.offer('1', { publisher: 'c1' });
    await bench.pass(600);
    for (const text of ['2', '3']) bench.offer(text, { publisher: 'c1' });
    bench.offer('a', { publisher: 'c2' });
    await bench.pass(500);
    expect(bench.answers).toEqual(['0', '1', '2', '3'].map((text) => `${text}:${UNAVAILABLE}`));
    // What the client sends again comes in its order, and nothing of it is there before.
    for (const text of ['1', '2', '3']) bench.offer(text, { publisher: 'c1' });
    bench.sink.away = false;
    await bench.pass(900);
    expect(stored()).toEqual(['0', 'a', '1', '2', '3']);
    expect(bench.counts).toEqual({ 'failed/timeout': 3, 'delivered/ok': 5 });
  });

  it('keeps what nobody waits for, and refuses requests of the API one by one', async () => {
    bench.offer('1', { qos: 0 });
    bench.offer('2', { publisher: '', origin: 'admin' });
    await bench.pass(600);
    bench.offer('3', { publisher: '', origin: 'admin' });
    await bench.pass(500);
    expect(bench.answers).toEqual(['1:ok', `0:${UNAVAILABLE}`, `2:${UNAVAILABLE}`]);
    bench.sink.away = false;
    await bench.pass(900);
    expect(stored()).toEqual(['0', '1', '3']);
  });

  it('sends nothing when all that waited was late', async () => {
    bench.sink.away = false;
    await bench.pass(900);
    expect(stored()).toEqual(['0']);
    bench.sink.isUnknown = true;
    bench.apply(spoolingRule({ id: 'r2', ack: 'kafka' }));
    await bench.pass(10);
    bench.offer('1');
    await bench.pass(1_200);
    bench.sink.isUnknown = false;
    await bench.pass(2_000);
    expect(stored()).toEqual(['0']);
    expect(bench.buffered).toBe(0);
  });
});

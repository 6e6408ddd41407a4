import { describe, expect, it } from '@jest/globals';
import type { NodeGauges } from '#libs/broker-ports';
import { countingMeter } from '#libs/testkit';
import { StatsLog } from './stats-log.ts';

const GAUGES = {
  connections: [
    { listener: 'tcp', version: 4, count: 2 },
    { listener: 'ws', version: 5, count: 3 },
  ],
  sessions: [{ state: 'connected', persistent: true, count: 7 }],
  subscriptions: { plain: 1, wildcard: 2, shared: 3 },
  ...{ inflightIn: 0, inflightOut: 4, queueMessages: 5, queueBytes: 6.6, slowConsumers: 1 },
  ...{ retainedMessages: 8, retainedBytes: 80, delayedMessages: 9, delayedBytes: 90 },
} as unknown as NodeGauges;

function setUp(atMs = 1_000_000_000_000) {
  const clock = { nowMs: atMs, read: 0 };
  const { meter } = countingMeter();
  const log = new StatsLog({
    gauges: () => {
      clock.read += 1;
      return GAUGES;
    },
    totals: () => meter.totals(),
    overloadLevel: () => 2,
    nowMs: () => clock.nowMs,
  });
  const live = (seconds: number, perSecond = 0) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.nowMs += 1_000;
      for (let count = 0; count < perSecond; count += 1) meter.publishReceived(0);
      log.sweep();
    }
  };
  return { log, live, clock };
}

describe('StatsLog', () => {
  it('shows the figures of now, with the rates of the latest seconds', () => {
    const { log, live } = setUp();
    live(20, 3);
    expect(log.current()).toMatchObject({
      startedAtMs: 1_000_000_000_000,
      figures: {
        ...{ connections: 5, sessions: 7, subscriptions: 6, queue_bytes: 7, overload_level: 2 },
        messages_received_per_second: 3,
      },
      totals: { messages_received: 60 },
    });
    live(11);
    expect(log.current().figures.messages_received_per_second).toBe(0);
  });

  it('keeps samples at moments that all nodes share, an hour finely and a day coarsely', () => {
    const { log, live } = setUp(1_000_000_003_000);
    live(60, 2);
    const { resolutionMs, samples } = log.history(30_000);
    expect(resolutionMs).toBe(10_000);
    expect(samples.map(({ atMs }) => atMs % 10_000)).toEqual([0, 0, 0]);
    expect(samples.at(-1)?.figures.messages_received_per_second).toBe(2);

    live(2 * 3_600);
    expect(log.history(3_600_000).samples).toHaveLength(360);
    const coarse = log.history(86_400_000);
    expect(coarse.resolutionMs).toBe(300_000);
    expect(coarse.samples).toHaveLength(24);
  });

  it('adds sessions up once for those who ask at once, and not for its seconds', () => {
    const { log, live, clock } = setUp();
    for (let count = 0; count < 5; count += 1) log.current();
    expect(clock.read).toBe(1);
    live(9);
    expect(clock.read).toBe(1);
    live(1);
    expect(clock.read).toBe(2);
  });

  it('a clock that is set back gives no rates below 0', () => {
    const { log, live, clock } = setUp();
    live(5, 1);
    clock.nowMs -= 3_600_000;
    expect(log.current().figures.messages_received_per_second).toBe(0);
  });
});

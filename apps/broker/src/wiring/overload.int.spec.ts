import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { RecordingLog } from '#libs/testkit';
import { OverloadWatch } from './overload.ts';

const DEADLINE_MS = 20_000;
const STALL_MS = 300;
const NEVER = [0, 0, 0];

/** Keeps the event loop from doing anything. */
const stall = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);

it('sees an event loop that is so late that each look finds one turn', async () => {
  const levels: number[] = [];
  const log = new RecordingLog();
  const watch = new OverloadWatch({
    settings: {
      enabled: true,
      loopDelayMs: [100, 0, 0],
      ...{ heapPercent: NEVER, redisDelayMs: NEVER, spoolPercent: NEVER },
      ...{ riseSeconds: 1, fallSeconds: 1 },
    },
    load: () => ({ redisDelayMs: 0, spoolShare: 0 }),
    meter: { overloaded: (level) => levels.push(level) },
    log,
  });
  const endMs = performance.now() + DEADLINE_MS;
  while (watch.level === 0 && performance.now() < endMs) {
    stall();
    // One turn, in which the monitor of the loop has its interval.
    await delay(1);
    watch.look();
  }
  expect(levels).toEqual([1]);
  while (watch.level === 1 && performance.now() < endMs) {
    await delay(200);
    watch.look();
  }
  expect(levels).toEqual([1, 0]);
  expect([log.of('overload').length, log.of('overload-less').length]).toEqual([1, 1]);
});

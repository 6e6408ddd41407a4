import { performance } from 'node:perf_hooks';
import { expect, it } from '@jest/globals';
import { EventLoopWatch } from './event-loop.ts';
import { HistogramCell } from './family.ts';

const BOUNDS = [0.01, 0.1, 1];

it('puts a blocked loop into the bucket of its length and the rest below', async () => {
  const watch = new EventLoopWatch();
  const cell = new HistogramCell(BOUNDS);
  const deadline = performance.now() + 5_000;
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const block = () => {
    const until = performance.now() + 250;
    while (performance.now() < until);
  };
  while ((cell.counts[2] ?? 0) === 0 && performance.now() < deadline) {
    for (let turns = 0; turns < 20_000; turns += 1) await turn();
    block();
    await turn();
    watch.drainDelay(cell, BOUNDS);
  }

  expect(cell.counts[2]).toBeGreaterThan(0);
  expect(cell.sum).toBeGreaterThan(0.1);
  expect(watch.utilization()).toBeGreaterThan(0);
});

import { expect, it } from '@jest/globals';
import { TraceIds } from './trace-ids.ts';

const source = { nodeId: 'node-a', incarnation: 1_764_000_000_000 };
const first = { source, sequence: 1 };

it('gives the same ids to the same message everywhere, and others to others', () => {
  const [here, there] = [new TraceIds(), new TraceIds()];
  there.publish({ source: { nodeId: 'b', incarnation: 2 }, sequence: 9 });
  const ids = (of: TraceIds): readonly string[] => [
    ...[of.traceId(first), of.publish(first), of.forward(first, source)],
    ...[of.forward(first, { nodeId: 'node-b' }), of.publish({ source, sequence: 2 })],
    of.publish({ source: { ...source, incarnation: source.incarnation + 1 }, sequence: 1 }),
    of.publish({ source: { ...source, nodeId: 'node-b' }, sequence: 1 }),
    of.publish({ source, sequence: 1 + 2 ** 32 }),
  ];
  expect(ids(there)).toEqual(ids(here));
  expect(new Set(ids(here)).size).toBe(ids(here).length);
  expect(here.traceId(first)).toMatch(/^[\da-f]{32}$/);
  expect(here.publish(first)).toMatch(/^[\da-f]{16}$/);
});

it('spreads messages evenly, and gives no id twice', () => {
  const ids = new TraceIds();
  const messages = 20_000;
  const buckets = Array.from({ length: 10 }, () => 0);
  const seen = new Set<string>();
  for (let sequence = 1; sequence <= messages; sequence += 1) {
    const message = { source, sequence };
    const bucket = Math.floor(ids.portion(message) * buckets.length);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    seen.add(ids.publish(message));
  }
  expect(seen.size).toBe(messages);
  for (const count of buckets) {
    expect(count).toBeGreaterThan((messages / buckets.length) * 0.9);
    expect(count).toBeLessThan((messages / buckets.length) * 1.1);
  }
});

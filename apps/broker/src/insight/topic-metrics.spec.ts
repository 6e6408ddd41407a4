import { describe, expect, it } from '@jest/globals';
import type { TopicTally } from '#libs/broker-ports';
import { LocalDefinitionStore } from '#libs/store-local';
import { TopicMetrics } from './topic-metrics.ts';

function setUp(store = new LocalDefinitionStore<never>('topic-metrics')) {
  const counted = new Map<string, TopicTally>();
  const admin = {
    countTopics: (filter: string, tally: TopicTally) => {
      counted.set(filter, tally);
      return () => void counted.delete(filter);
    },
  };
  const metrics = new TopicMetrics({ store, admin, nowMs: () => 7 });
  metrics.open();
  return { metrics, counted, store };
}

describe('TopicMetrics', () => {
  it('counts from when a filter was registered until it is removed', async () => {
    const { metrics, counted } = setUp();
    const added = await metrics.add('a/+');
    if (added.kind !== 'stored') throw new Error(added.kind);
    expect(added.metric).toMatchObject({ filter: 'a/+', createdAtMs: 7, messagesIn: [0, 0, 0] });
    expect(await metrics.add('a/+')).toEqual({ kind: 'exists', id: added.metric.id });

    const tally = counted.get('a/+');
    for (let second = 0; second < 20; second += 1) {
      metrics.sweep();
      if (tally === undefined) continue;
      tally.messagesIn[1] += 5;
      tally.messagesOut[0] += 2;
    }
    const [listed] = (await metrics.list()).metrics;
    expect(listed).toMatchObject({ messagesIn: [0, 100, 0], inPerSecond: 5, outPerSecond: 2 });

    expect(await metrics.remove(added.metric.id)).toEqual({ found: true });
    expect(await metrics.remove(added.metric.id)).toEqual({ found: false });
    expect([(await metrics.list()).metrics, counted.size]).toEqual([[], 0]);
  });

  it('counts what another node has registered, also when it starts later', async () => {
    const { metrics, store, counted } = setUp();
    await metrics.add('a');
    const late = setUp(store);
    expect(late.counted.has('a')).toBe(true);
    await late.metrics.add('b');
    expect([...counted.keys()]).toEqual(['a', 'b']);
    late.metrics.close();
    expect(late.counted.size).toBe(0);
  });

  it('counts fifty filters and no more', async () => {
    const { metrics } = setUp();
    for (let index = 0; index < 49; index += 1) await metrics.add(`t/${String(index)}`);
    const both = await Promise.all([metrics.add('x'), metrics.add('y')]);
    expect(both.map(({ kind }) => kind)).toContain('full');
    expect((await metrics.list()).metrics.length).toBeLessThanOrEqual(50);
    await metrics.add('z');
    expect(await metrics.add('too many')).toEqual({ kind: 'full' });
    expect((await metrics.list()).metrics).toHaveLength(50);
  });
});

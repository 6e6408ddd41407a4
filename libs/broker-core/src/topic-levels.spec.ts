import { describe, expect, it } from '@jest/globals';
import { topicLevels } from './topic-levels.ts';

const RETAINED = ['devices/1/state', 'devices/2/state', 'devices/2', 'plant'];
const FILTERS = ['devices/+/state', 'devices/#', 'other'];

function levelsOf(query: Partial<Parameters<typeof topicLevels>[1]> = {}) {
  const asked: string[] = [];
  const names = {
    retained: (filter: string) => {
      asked.push(filter);
      return RETAINED.filter((topic) => filter === '#' || topic.startsWith(filter.slice(0, -1)));
    },
    filters: () => FILTERS,
  };
  const { items, hasMore, isWhole } = topicLevels(names, { depth: 1, limit: 10, ...query });
  const shown = items.map(
    ({ topic, retainedMessages, filters, hasChildren }) =>
      `${topic} ${String(retainedMessages)} ${String(filters)}${hasChildren ? ' …' : ''}`,
  );
  return { shown, hasMore, isWhole, asked };
}

describe('topicLevels', () => {
  it('counts what is at a level and below it', () => {
    expect(levelsOf()).toEqual({
      shown: ['devices 3 2 …', 'other 0 1', 'plant 1 0'],
      ...{ hasMore: false, isWhole: true, asked: ['#'] },
    });
  });

  it('shows so many levels below a prefix', () => {
    expect(levelsOf({ prefix: 'devices' })).toMatchObject({
      shown: ['devices/# 0 1', 'devices/+ 0 1 …', 'devices/1 1 0 …', 'devices/2 2 0 …'],
      asked: ['devices/#'],
    });
    expect(levelsOf({ prefix: 'devices/2', depth: 3 }).shown).toEqual(['devices/2/state 1 0']);
    expect(levelsOf({ prefix: 'dev' }).shown).toEqual([]);
    expect(levelsOf({ depth: 2 }).shown).toContain('devices/1 1 0 …');
  });

  it('gives pages in the order of the texts', () => {
    expect(levelsOf({ limit: 2 })).toMatchObject({
      shown: ['devices 3 2 …', 'other 0 1'],
      hasMore: true,
    });
    expect(levelsOf({ limit: 2, after: 'other' })).toMatchObject({
      shown: ['plant 1 0'],
      hasMore: false,
    });
  });

  it('keeps to levels with retained messages, or without', () => {
    expect(levelsOf({ hasRetained: true }).shown).toEqual(['devices 3 2 …', 'plant 1 0']);
    expect(levelsOf({ hasRetained: false }).shown).toEqual(['other 0 1']);
  });

  it('looks at so many names and says that there are more', () => {
    const many = Array.from({ length: 50_001 }, (_, index) => `t/${String(index)}`);
    const names = { retained: () => [], filters: () => many };
    const { items, isWhole } = topicLevels(names, { depth: 1, limit: 10 });
    expect([items, isWhole]).toEqual([
      [{ topic: 't', retainedMessages: 0, filters: 50_000, hasChildren: true }],
      false,
    ]);
  });

  it('ends with empty levels at both ends of a topic', () => {
    const names = { retained: () => ['/a', 'b/'], filters: () => [] };
    const topics = topicLevels(names, { depth: 5, limit: 10 }).items.map(({ topic }) => topic);
    expect(topics).toEqual(['', '/a', 'b', 'b/']);
  });
});

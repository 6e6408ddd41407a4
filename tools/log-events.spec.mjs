import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { eventsOf, logEventsPage } from './log-events.mjs';

it('docs/log-events.md has every event that is logged, and no other', async () => {
  const { text, unnamed } = await logEventsPage();
  expect(unnamed).toEqual([]);
  expect(readFileSync(new URL('../docs/log-events.md', import.meta.url), 'utf8')).toBe(text);
});

it('finds events over lines, and calls that hide theirs', () => {
  const file = 'libs/x/src/a.ts';
  const text = "this.#log.warn(\n  'a-b', {});\nlog?.info('c');\nlog.error(name, {});";
  const { events, unnamed } = eventsOf([{ file, text }], {});
  expect([...events.keys()]).toEqual(['a-b', 'c']);
  expect(events.get('a-b').levels).toEqual(new Set(['warn']));
  expect(unnamed).toEqual([`${file}: log.error(name`]);
});

it('notices when an event that is handed on has gone', () => {
  const file = 'libs/x/src/a.ts';
  const handed = { [file]: { warn: ['gone'] } };
  expect(eventsOf([{ file, text: 'log.warn(event);' }], handed).unnamed).toHaveLength(1);
});

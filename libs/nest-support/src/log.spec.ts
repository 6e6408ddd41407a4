import { expect, it } from '@jest/globals';
import { createLog } from './index.ts';

it('writes one JSON object per event', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line) });

  log.warn('redis-unavailable', { host: 'a\nb', tries: 2 });

  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: expect.stringMatching(/Z$/),
    level: 'warn',
    event: 'redis-unavailable',
    host: 'a\nb',
    tries: 2,
  });
});

it('writes text whose values can forge neither a field nor a line', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'text', write: (line) => lines.push(line) });

  log.info('client-kicked', { id: 'a b\nlevel=error', node: 'node-1', why: undefined });

  expect(lines[0]).toMatch(/ info {2}client-kicked id="a b\\nlevel=error" node=node-1$/);
});

it.each(['json', 'text'] as const)('writes nothing as %s that a terminal would obey', (format) => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format, write: (line) => lines.push(line) });

  log.info('client-kicked', { id: 'a\u009b31m\u007f\u2028\u202eb' });

  expect(lines[0]).toContain('a\\u009b31m\\u007f\\u2028\\u202eb');
});

it('drops what is below its level', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line) });

  log.debug('a');
  log.info('b');
  log.error('c');

  expect(lines).toHaveLength(1);
});

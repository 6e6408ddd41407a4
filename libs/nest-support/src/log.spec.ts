import { expect, it } from '@jest/globals';
import { Logs, createLog } from './index.ts';

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

it.each(['json', 'text'] as const)('shows no secret as %s, whoever logs it', (format) => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', format, write: (line) => lines.push(line) });

  log.info('odd', { password: 'hunter2', 'api-key': 'hunter2', Authorization: 'hunter2' });
  log.warn('redis-unavailable', {
    reason: 'connect redis://user:hunter2@redis:6379 or amqps://hunter2@mq/vhost failed',
    topic: 'a://b',
    secret: undefined,
  });

  expect(lines.join()).not.toContain('hunter2');
  expect(lines[0]).toContain('***');
  expect(lines[1]).toContain('redis://***@redis:6379 or amqps://***@mq/vhost failed');
  expect(lines[1]).toContain('a://b');
  expect(lines[1]).not.toContain('secret');
});

it('drops what is below its level', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line) });

  log.debug('a');
  log.info('b');
  log.error('c');

  expect(lines).toHaveLength(1);
});

it('gives components levels of their own, which end by themselves', () => {
  const lines: string[] = [];
  let nowMs = 1_000;
  const write = (line: string): void => void lines.push(line.slice(25));
  const logs = new Logs({ level: 'warn', format: 'text', write, now: () => nowMs });
  const bridge = logs.of('bridge');
  const cluster = logs.of('cluster');
  const told = (): string[] => {
    bridge.debug('b');
    cluster.debug('c');
    cluster.warn('w');
    return lines.splice(0).map((line) => line.slice(6));
  };

  expect(told()).toEqual(['w component=cluster']);
  expect(logs.set({ component: 'bridge', level: 'debug', untilMs: 2_000 })).toBe(true);
  expect(logs.set({ component: 'nothing', level: 'debug' })).toBe(false);
  expect(told()).toEqual(['b component=bridge', 'w component=cluster']);
  expect(logs.levels()).toEqual([
    { component: 'bridge', level: 'debug', source: 'set', untilMs: 2_000 },
    { component: 'cluster', level: 'warn', source: 'config' },
  ]);
  nowMs = 2_000;
  logs.set({ level: 'error' });
  expect(told()).toEqual([]);
  logs.set({ level: undefined });
  logs.level = 'debug';
  expect(told()).toEqual(['b component=bridge', 'c component=cluster', 'w component=cluster']);
});

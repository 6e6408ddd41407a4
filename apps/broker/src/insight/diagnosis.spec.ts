import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Diagnosis } from './diagnosis.ts';
import { RecentLog } from './recent-log.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'skein-diagnosis-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('tells of its process and of the latest log lines, without environment and arguments', async () => {
  const log = new RecentLog();
  log.add('a line');
  const answer = await new Diagnosis({ log, dir, nowMs: Date.now }).answer({ kind: 'diagnose' });
  expect(answer).toMatchObject({
    process: { pid: process.pid, nodeVersion: process.version },
    log: { lines: ['a line'], gone: 0 },
  });
  expect(Object.keys('process' in answer ? answer.process : {}).toSorted()).toEqual([
    'active',
    'arch',
    'cpus',
    'heapSpaces',
    'memory',
    'nodeVersion',
    'pid',
    'platform',
    'resources',
  ]);
  expect(JSON.stringify(answer)).not.toContain(process.argv[1]);
});

it('writes no heap snapshot when the heap is large, or where it cannot', async () => {
  const command = { kind: 'write-heap-snapshot' } as const;
  const log = new RecentLog();
  const small = new Diagnosis({ log, dir, heapBytesMax: 1_000, nowMs: Date.now });
  expect(await small.answer(command)).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('above 1000'),
  });
  const file = join(dir, 'file');
  writeFileSync(file, '');
  const nowhere = { log, dir: file, heapBytesMax: Infinity, nowMs: Date.now };
  expect(await new Diagnosis(nowhere).answer(command)).toMatchObject({ kind: 'refused' });
  expect(readdirSync(dir)).toEqual(['file']);
});

it('writes a heap snapshot that nobody else may read, and keeps the latest', async () => {
  const log = new RecentLog();
  const diagnosis = new Diagnosis({ log, dir, heapBytesMax: Infinity, nowMs: Date.now });
  const first = await diagnosis.answer({ kind: 'write-heap-snapshot' });
  const second = await diagnosis.answer({ kind: 'write-heap-snapshot' });
  expect([first, second]).toMatchObject([{ kind: 'written' }, { kind: 'written' }]);
  const { file, bytes } = second as { readonly file: string; readonly bytes: number };
  const own = join(dir, 'diagnostics');
  expect(readdirSync(own).map((name) => join(own, name))).toEqual([file]);
  expect(statSync(file).size).toBe(bytes);
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(statSync(own).mode & 0o077).toBe(0);
}, 60_000);

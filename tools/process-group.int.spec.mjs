import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { ProcessGroup } from './process-group.mjs';

const node = (script) => [process.execPath, ['--input-type=module', '--eval', script]];

/** Starts a script and waits for its first line. */
async function started(group, script) {
  let said;
  const line = new Promise((resolve) => (said = resolve));
  const { child, ended } = group.start(...node(script), { output: said });
  return { child, ended, line: await line };
}

it('asks a process to end, once, and waits for it', async () => {
  const group = new ProcessGroup();
  const script =
    "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log('up')";
  const { ended, line } = await started(group, script);

  await Promise.all([group.stop(), group.stop()]);

  expect(line).toBe('up');
  expect(await ended).toBe(7);
});

it('ends one that does not listen when it is told to kill', async () => {
  const group = new ProcessGroup();
  const script = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')";
  const { ended } = await started(group, script);

  const stopped = group.stop();
  group.kill();
  await stopped;

  expect(await ended).toBe('killed by SIGKILL');
});

it('starts one again that asks for it by its code, and tells', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skein-group-'));
  const file = join(directory, 'runs');
  const script = `
    import { appendFileSync, readFileSync } from 'node:fs';
    appendFileSync(${JSON.stringify(file)}, 'x');
    process.exit(readFileSync(${JSON.stringify(file)}, 'utf8') === 'xxx' ? 4 : 75);`;
  let told = 0;
  const again = { code: 75, told: () => (told += 1) };

  const { ended } = new ProcessGroup().start(...node(script), { output: () => {}, again });
  const code = await ended;
  rmSync(directory, { recursive: true, force: true });

  expect([code, told]).toEqual([4, 2]);
});

it('does not start one again once it is told to stop', async () => {
  const group = new ProcessGroup();
  const script =
    "process.on('SIGTERM', () => process.exit(75)); setInterval(() => {}, 1000); console.log('up')";
  let said;
  const up = new Promise((resolve) => (said = resolve));
  let told = 0;
  const again = { code: 75, told: () => (told += 1) };
  const { ended } = group.start(...node(script), { output: said, again });
  await up;
  await group.stop();

  expect([await ended, told]).toEqual([75, 0]);
});

it('passes on the code of a process that ends by itself', async () => {
  const { ended } = new ProcessGroup().start(...node('process.exit(2)'), { output: () => {} });

  expect(await ended).toBe(2);
});

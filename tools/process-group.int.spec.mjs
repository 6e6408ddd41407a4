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

it('passes on the code of a process that ends by itself', async () => {
  const { ended } = new ProcessGroup().start(...node('process.exit(2)'), { output: () => {} });

  expect(await ended).toBe(2);
});

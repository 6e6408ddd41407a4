import { execFile } from 'node:child_process';
import { expect, it } from '@jest/globals';

const module = new URL('end-process.ts', import.meta.url).href;

const exitCodeOf = (script: string): Promise<unknown> =>
  new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', script];
    execFile(process.execPath, args, (error) => {
      resolve(error === null ? 0 : error.code);
    });
  });

it('ends a process that still has work, with the code', async () => {
  const script = `import { endProcess } from '${module}'; setInterval(() => {}, 1000); endProcess(2);`;

  expect(await exitCodeOf(script)).toBe(2);
});

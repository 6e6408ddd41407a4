import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';

const urlOf = (file: string): string => new URL(file, import.meta.url).href;
const LINES = 20_000;

it('loses no line of a process that ends while its reader is behind', async () => {
  const script = `
    import { endProcess } from '${urlOf('end-process.ts')}';
    import { createLog } from '${urlOf('log.ts')}';
    const log = createLog({
      level: 'info',
      format: 'json',
      write: (line) => void process.stdout.write(line + '\\n'),
    });
    for (let number = 1; number <= ${String(LINES)}; number += 1) log.info('line', { number });
    endProcess(3);
    setTimeout(() => process.stderr.write('still here'), 400);`;
  const args = ['--conditions=source', '--input-type=module', '--eval', script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // The pipe holds a small part of them, and nobody reads on until the process has waited, or has not.
  child.stdout.pause();
  await Promise.race([once(child.stderr, 'data'), once(child, 'exit')]);
  child.stdout.resume();

  expect(await ended).toEqual([3, null]);
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(LINES);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ event: 'line', number: LINES });
});

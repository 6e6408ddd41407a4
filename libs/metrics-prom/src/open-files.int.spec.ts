import { closeSync, openSync, readdirSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { PromMeter } from './index.ts';
import { entriesOf } from './open-files.ts';

it('tells how many files are open', async () => {
  const meter = new PromMeter({ version: '0', cluster: 'c', nodeId: 'n', listeners: [] });
  const open = async (): Promise<number> => {
    const { body } = await meter.expose();
    return Number(/^process_open_fds (\d+)$/m.exec(body)?.[1]);
  };
  const before = await open();
  const files = Array.from({ length: 300 }, () => openSync('/dev/null', 'r'));
  const during = await open();
  for (const file of files) closeSync(file);

  expect(before).toBeGreaterThan(3);
  expect(Math.abs(during - before - 300)).toBeLessThan(20);
});

it('counts the entries of a folder', async () => {
  const folder = new URL('.', import.meta.url).pathname;
  expect(await entriesOf(folder)).toBe(readdirSync(folder).length);
});

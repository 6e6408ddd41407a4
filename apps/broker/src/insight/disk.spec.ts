import { tmpdir } from 'node:os';
import { expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { DiskWatch } from './disk.ts';

it('knows how much of a disk is free, soon after it was asked', async () => {
  const disk = new DiskWatch(tmpdir(), Date.now);
  await until(() => disk.freeShare !== undefined, 20_000);
  expect(disk.freeShare).toBeGreaterThanOrEqual(0);
  expect(disk.freeShare).toBeLessThanOrEqual(1);
});

it('knows nothing of a disk that is not there', async () => {
  for (const dir of [undefined, '/nowhere/at/all']) {
    const disk = new DiskWatch(dir, Date.now);
    await disk.look();
    expect(disk.freeShare).toBeUndefined();
  }
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spoolContract } from '#libs/testkit';
import { openLocalSpool } from './local-spool.ts';

spoolContract('openLocalSpool', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skein-spool-'));
  return {
    open: (bytesMax) => openLocalSpool({ dir, bytesMax }),
    close: () => rm(dir, { recursive: true }),
  };
});

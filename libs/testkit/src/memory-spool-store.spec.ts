import { MemorySpoolStore, openMemorySpool } from './memory-spool-store.ts';
import { spoolContract } from './spool-suite.ts';

spoolContract('a spool in memory', async () => {
  const store = new MemorySpoolStore();
  return {
    open: (bytesMax) => openMemorySpool(bytesMax, store),
    close: async () => undefined,
  };
});

import { expect, it } from '@jest/globals';
import { StoreUnavailableError, type DefinitionStore } from '#libs/broker-ports';
import { Watched } from './watched.ts';

interface Item {
  readonly id: string;
}

it('what was heard of a store is gone by for less than two seconds, and not while it is away', async () => {
  let nowMs = 0;
  let isAway = false;
  let reads = 0;
  const store: Pick<DefinitionStore<Item>, 'list' | 'watch'> = {
    list: async () => {
      if (isAway) throw new StoreUnavailableError('away');
      reads += 1;
      return [{ item: { id: 'a' }, source: 'api', revision: 1 }];
    },
    watch: () => {},
  };
  const watched = new Watched(store as DefinitionStore<Item>, () => nowMs);
  await Promise.all([watched.items(), watched.items()]);
  nowMs = 1_000;
  await watched.items();
  expect(reads).toBe(1);
  isAway = true;
  expect([...(await watched.items()).keys()]).toEqual(['a']);
  nowMs = 2_000;
  await expect(watched.items()).rejects.toThrow(StoreUnavailableError);
  isAway = false;
  expect((await watched.items()).size).toBe(1);
  expect(reads).toBe(2);
});

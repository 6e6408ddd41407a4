import { describe, expect, it } from '@jest/globals';
import type { ExclusiveStore } from '#libs/broker-ports';
import { useStore, type StoreFactory } from './store-under-test.ts';

const ONE = { clientId: 'client {1} 😀', createdAtMs: 1_700_000_000_001 };
const LATER = { ...ONE, createdAtMs: 1_700_000_000_002 };
const OTHER = { clientId: 'other', createdAtMs: 1_700_000_000_001 };

/** What every ExclusiveStore must do: registers the tests, to be called in a spec file. */
export function exclusiveStoreSuite(name: string, factory: StoreFactory<ExclusiveStore>): void {
  describe(`${name} as an ExclusiveStore`, () => {
    const current = useStore(factory);

    it('gives a filter to the first, and tells the others who holds it', async () => {
      const { store, peer } = current();
      const second = peer === undefined ? store : await peer();
      expect(await store.claim('a/é', ONE)).toEqual(ONE);
      expect(await second.claim('a/é', OTHER)).toEqual(ONE);
      expect(await second.claim('a/é', LATER)).toEqual(ONE);
      expect(await second.claim('a/é', ONE)).toEqual(ONE);
      expect(await second.claim('a', OTHER)).toEqual(OTHER);
    });

    it('gives a filter to one of two that ask at once', async () => {
      const { store, peer } = current();
      const second = peer === undefined ? store : await peer();
      const answers = await Promise.all([store.claim('a', ONE), second.claim('a', OTHER)]);
      expect(answers[0]).toEqual(answers[1]);
    });

    it('replaces exactly the holder that is named', async () => {
      const { store } = current();
      await store.claim('a', ONE);
      expect(await store.claim('a', OTHER, LATER)).toEqual(ONE);
      expect(await store.claim('a', OTHER, ONE)).toEqual(OTHER);
      expect(await store.claim('a', LATER, ONE)).toEqual(OTHER);
      expect(await store.claim('b', OTHER, ONE)).toEqual(OTHER);
    });

    it('frees what its holder releases, and nothing else', async () => {
      const { store } = current();
      await store.claim('a', ONE);
      await store.claim('b', ONE);
      await store.claim('c', OTHER);
      await store.release(['a', 'c', 'unknown'], ONE);
      await store.release(['b'], LATER);
      await store.release([], ONE);
      expect(await store.claim('a', OTHER)).toEqual(OTHER);
      expect(await store.claim('b', OTHER)).toEqual(ONE);
      expect(await store.claim('c', ONE)).toEqual(OTHER);
    });

    it('keeps holds for a new instance over the same data', async () => {
      const { store, reopen } = current();
      await store.claim('a', ONE);
      await store.claim('b', ONE);
      await store.release(['b'], ONE);
      const later = reopen === undefined ? store : await reopen();
      expect(await later.claim('a', OTHER)).toEqual(ONE);
      expect(await later.claim('b', OTHER)).toEqual(OTHER);
      expect(await later.claim('c', OTHER)).toEqual(OTHER);
      expect(await later.claim('a', ONE)).toEqual(ONE);
    });
  });
}

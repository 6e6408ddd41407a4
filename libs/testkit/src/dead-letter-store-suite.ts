import { describe, expect, it } from '@jest/globals';
import type { DeadLetter, DeadLetterBounds, DeadLetterStore } from '#libs/broker-ports';
import { useStore, type StoreFactory } from './store-under-test.ts';
import { until } from './until.ts';

/** The bounds of the stores that the suite is given. */
export const DEAD_LETTER_BOUNDS: DeadLetterBounds = {
  lettersMax: 10,
  bytesMax: 10_000,
  ageMsMax: 60_000,
};

/** A dead letter with what was changed of it. */
export function deadLetterOf(changes: Partial<DeadLetter> = {}): DeadLetter {
  return {
    ...{ bridge: 'b', rule: 'r', stage: 'produce', reason: 'too_large', error: 'is too large' },
    ...{ target: 't', key: 'a2V5', value: 'AP8=', recordAtMs: 5 },
    headers: { one: 'é', many: ['a', 'b'], bytes: { base64: '/w==' } },
    ...changes,
  };
}

/** What every DeadLetterStore with {@link DEAD_LETTER_BOUNDS} must do: registers the tests, to be called in a spec file. */
export function deadLetterStoreSuite(name: string, factory: StoreFactory<DeadLetterStore>): void {
  describe(`${name} as a DeadLetterStore`, () => {
    const current = useStore(factory);
    const errorsOf = async (store: DeadLetterStore, after?: string): Promise<readonly string[]> =>
      (await store.page({ after, limit: 100 })).map(({ error }) => error);

    it('gives letters as they came, page by page, to every node', async () => {
      const { store, peer } = current();
      const second = peer === undefined ? store : await peer();
      const letters = ['1', '2', '3'].map((error) => deadLetterOf({ error }));
      expect(await store.append(letters.slice(0, 2))).toBe(0);
      await second.append(letters.slice(2));
      const [first, next] = await second.page({ limit: 2 });
      expect(first).toEqual({ ...letters[0], id: first?.id, atMs: first?.atMs });
      expect(await errorsOf(store, next?.id)).toEqual(['3']);
      expect(await store.get(first?.id ?? '')).toEqual(first);
      expect(await store.get('1-1')).toBeUndefined();
    });

    it('begins at a time', async () => {
      const { store } = current();
      await store.append([deadLetterOf({ error: 'before' })]);
      const [before] = await store.page({ limit: 1 });
      await until(async () => {
        await store.append([deadLetterOf({ error: 'later' })]);
        const all = await store.page({ limit: 100 });
        expect(all.at(-1)?.atMs).toBeGreaterThan(before?.atMs ?? Infinity);
      }, 5_000);
      const fromMs = (before?.atMs ?? 0) + 1;
      const later = await store.page({ fromMs, limit: 1 });
      expect(later).toMatchObject([{ error: 'later' }]);
      expect(later[0]?.atMs).toBeGreaterThanOrEqual(fromMs);
      expect(await store.page({ fromMs, after: before?.id, limit: 1 })).toEqual(later);
      expect(await store.page({ fromMs: fromMs + 3_600_000, limit: 1 })).toEqual([]);
    });

    it('forgets what is removed, once', async () => {
      const { store } = current();
      await store.append(['1', '2', '3'].map((error) => deadLetterOf({ error })));
      const ids = (await store.page({ limit: 2 })).map(({ id }) => id);
      expect(await store.remove([...ids, '1-1'])).toBe(2);
      expect(await store.remove(ids)).toBe(0);
      expect(await errorsOf(store)).toEqual(['3']);
    });

    it('lets go of the oldest when there are too many, and says so', async () => {
      const { store } = current();
      const texts = Array.from({ length: 12 }, (_, index) => String(index));
      const gone = await store.append(texts.map((error) => deadLetterOf({ error })));
      expect(gone).toBe(2);
      expect(await errorsOf(store)).toEqual(texts.slice(2));
    });

    it('lets go of the oldest when they take too much, also after others were removed', async () => {
      const { store } = current();
      const large = (error: string) => deadLetterOf({ error, value: 'x'.repeat(4_000) });
      await store.append([large('1'), large('2')]);
      expect(await store.append([large('3')])).toBe(1);
      expect(await errorsOf(store)).toEqual(['2', '3']);
      await store.remove((await store.page({ limit: 1 })).map(({ id }) => id));
      expect(await store.append([large('4')])).toBe(0);
      expect(await errorsOf(store)).toEqual(['3', '4']);
      expect(await store.append([deadLetterOf({ value: 'x'.repeat(20_000) })])).toBe(3);
      expect(await errorsOf(store)).toEqual([]);
    });

    it('keeps letters over a restart, and the order behind them', async () => {
      const { store, reopen } = current();
      if (reopen === undefined) return;
      await store.append(['1', '2'].map((error) => deadLetterOf({ error })));
      const again = await reopen();
      await again.append([deadLetterOf({ error: '3' })]);
      expect(await errorsOf(again)).toEqual(['1', '2', '3']);
    });
  });
}

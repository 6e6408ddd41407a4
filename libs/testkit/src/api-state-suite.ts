import { describe, expect, it } from '@jest/globals';
import type { ApiState, DefinitionStore } from '#libs/broker-ports';
import { definitionStoreSuite, type SampleDefinition } from './definition-store-suite.ts';
import { jobCases } from './api-state-job-cases.ts';
import { useStore, type StoreFactory, type StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

type Current = () => StoreUnderTest<ApiState>;

const HOUR_MS = 3_600_000;
const DEADLINE_MS = 20_000;
const REPLY = { status: 201, headers: { etag: '"1"', location: '/é' }, body: '{"a":"😀"}' };
const REQUEST = { key: 'k'.repeat(10_000), bodyHash: 'one', leaseMs: HOUR_MS };

/** What every ApiState must do: registers the tests, to be called in a spec file. */
export function apiStateSuite(name: string, factory: StoreFactory<ApiState>): void {
  definitionStoreSuite(`${name}, of a kind of its own,`, async () => {
    const under = await factory();
    const { store, reopen, peer } = under;
    const pick = (state: ApiState): DefinitionStore<SampleDefinition> =>
      state.definitions('api-keys');
    return {
      ...{ store: pick(store), close: () => under.close() },
      ...(reopen !== undefined && { reopen: async () => pick(await reopen()) }),
      ...(peer !== undefined && { peer: async () => pick(await peer()) }),
    };
  });
  describe(`${name} as an ApiState`, () => {
    const current = useStore(factory);
    kindCases(current);
    journalCases(current);
    replyCases(current);
    bucketCases(current);
    jobCases(current);
  });
}

/** Another instance where there can be one: another replica of the API. */
async function second({ store, peer }: StoreUnderTest<ApiState>): Promise<ApiState> {
  return peer === undefined ? store : peer();
}

function kindCases(current: Current): void {
  it('keeps kinds apart', async () => {
    const { store } = current();
    await store.definitions('roles').put({ id: 'one' }, undefined);
    expect(await store.definitions('api-keys').list()).toEqual([]);
    expect(await store.definitions('roles').list()).toHaveLength(1);
    expect(store.isReachable).toBe(true);
  });
}

function journalCases(current: Current): void {
  describe('journal', () => {
    const bounds = { entriesMax: 5, ageMsMax: HOUR_MS };
    const texts = (records: readonly { readonly entry: unknown }[]) =>
      records.map(({ entry }) => entry);

    it('gives what was appended by anybody, in pages, both ways', async () => {
      const under = current();
      const one = under.store.journal<string>('audit', bounds);
      const other = (await second(under)).journal<string>('audit', bounds);
      const ids: string[] = [];
      for (const text of ['a', 'b', 'c é 😀', 'd']) {
        ids.push(await (ids.length % 2 === 0 ? one : other).append(text));
      }
      const latest = await one.page({ limit: 3 });
      expect(texts(latest)).toEqual(['d', 'c é 😀', 'b']);
      expect(latest.map(({ id }) => id)).toEqual(ids.slice(1).toReversed());
      expect(latest[0]?.atMs).toBe(Number.parseInt(ids[3] ?? '', 10));
      expect(texts(await other.page({ before: ids[1], limit: 3 }))).toEqual(['a']);
      expect(texts(await one.page({ after: ids[1], limit: 1 }))).toEqual(['c é 😀']);
      expect(texts(await one.page({ after: '0-0', limit: 9 }))).toEqual(['a', 'b', 'c é 😀', 'd']);
      expect(await one.page({ after: ids[3], limit: 9 })).toEqual([]);
      expect(await one.page({ before: ids[0], limit: 9 })).toEqual([]);
    });

    it('keeps as many as it is to, and journals apart', async () => {
      const { store } = current();
      const journal = store.journal<number>('audit', bounds);
      for (let index = 0; index < 8; index += 1) await journal.append(index);
      expect(texts(await journal.page({ limit: 100 }))).toEqual([7, 6, 5, 4, 3]);
      expect(await store.journal('config-history', bounds).page({ limit: 9 })).toEqual([]);
    });

    it('lets go of what is too old, asked or not', async () => {
      const { store } = current();
      const journal = store.journal<string>('audit', { entriesMax: 5, ageMsMax: 1 });
      await journal.append('old');
      await until(async () => expect(await journal.page({ limit: 9 })).toEqual([]), DEADLINE_MS);
    });

    it('is found by a new instance over the same data', async () => {
      const { store, reopen } = current();
      const id = await store.journal<object>('audit', bounds).append({ list: [], deep: null });
      const later = reopen === undefined ? store : await reopen();
      const journal = later.journal<object>('audit', bounds);
      expect(await journal.page({ limit: 9 })).toMatchObject([
        { id, entry: { list: [], deep: null } },
      ]);
      const next = await journal.append({});
      expect(await journal.page({ after: id, limit: 9 })).toMatchObject([{ id: next }]);
    });
  });
}

function replyCases(current: Current): void {
  describe('replies', () => {
    const begun = async (state: ApiState, request = REQUEST) => {
      const result = await state.replies.begin(request);
      if (result.kind !== 'fresh') throw new Error(`begin: ${result.kind}`);
      return { key: request.key, claim: result.claim };
    };

    it('let one carry out a request, and give its reply to others', async () => {
      const under = current();
      const { store } = under;
      const other = await second(under);
      const claim = await begun(store);
      expect(await other.replies.begin(REQUEST)).toEqual({ kind: 'in-progress' });
      expect(await other.replies.begin({ ...REQUEST, bodyHash: 'two' })).toEqual({
        kind: 'mismatch',
      });
      expect(await store.replies.extend(claim, HOUR_MS)).toBe(true);
      expect(await store.replies.finish(claim, REPLY, HOUR_MS)).toBe(true);
      expect(await other.replies.begin(REQUEST)).toEqual({ kind: 'replay', reply: REPLY });
      expect(await other.replies.begin({ ...REQUEST, bodyHash: 'two' })).toEqual({
        kind: 'mismatch',
      });
      expect(await store.replies.finish(claim, { ...REPLY, status: 200 }, HOUR_MS)).toBe(false);
      expect(await store.replies.extend(claim, HOUR_MS)).toBe(false);
      await begun(store, { ...REQUEST, key: 'another' });
    });

    it('let exactly one of two that begin at once carry it out', async () => {
      const under = current();
      const other = await second(under);
      const results = await Promise.all([
        under.store.replies.begin(REQUEST),
        other.replies.begin(REQUEST),
      ]);
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(['fresh', 'in-progress']);
    });

    it('free a key that is given up, or whose owner is not heard of', async () => {
      const { store } = current();
      const claim = await begun(store);
      await store.replies.abandon({ ...claim, claim: 'of another' });
      expect(await store.replies.begin(REQUEST)).toEqual({ kind: 'in-progress' });
      await store.replies.abandon(claim);
      const short = await begun(store, { ...REQUEST, leaseMs: 1 });
      await until(
        async () => expect((await store.replies.begin(REQUEST)).kind).toBe('fresh'),
        DEADLINE_MS,
      );
      expect(await store.replies.finish(short, REPLY, HOUR_MS)).toBe(false);
      expect(await store.replies.begin(REQUEST)).toEqual({ kind: 'in-progress' });
    });

    it('forget a reply after its time', async () => {
      const { store } = current();
      const claim = await begun(store);
      await store.replies.finish(claim, REPLY, 1);
      await until(
        async () => expect((await store.replies.begin(REQUEST)).kind).toBe('fresh'),
        DEADLINE_MS,
      );
    });

    it('are known to a new instance over the same data', async () => {
      const { store, reopen } = current();
      const claim = await begun(store);
      await store.replies.finish(claim, REPLY, HOUR_MS);
      await begun(store, { ...REQUEST, key: 'another' });
      const later = reopen === undefined ? store : await reopen();
      expect(await later.replies.begin(REQUEST)).toEqual({ kind: 'replay', reply: REPLY });
      expect((await later.replies.begin({ ...REQUEST, key: 'another' })).kind).toBe('in-progress');
    });
  });
}

function bucketCases(current: Current): void {
  describe('buckets', () => {
    /** One token in more time than a test takes. */
    const slow = { ratePerSecond: 0.001, burst: 3 };

    it('give what they hold, to all replicas together', async () => {
      const under = current();
      const other = await second(under);
      const taken = [];
      for (const state of [under.store, other, under.store, other, under.store]) {
        taken.push(await state.buckets.take('a', slow, 1));
      }
      expect(taken.map(({ allowed }) => allowed)).toEqual([true, true, true, false, false]);
      expect(taken.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0]);
      expect(taken[2]).toMatchObject({ retryAfterMs: 0 });
      expect(taken[4]?.retryAfterMs).toBeGreaterThan(HOUR_MS / 10);
      expect(taken[4]?.resetMs).toBeGreaterThan(taken[4]?.retryAfterMs ?? Infinity);
      expect(await other.buckets.take('b', slow, 1)).toMatchObject({ allowed: true, remaining: 2 });
    });

    it('never give more than they hold to those who ask at once', async () => {
      const under = current();
      const other = await second(under);
      const asks = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? under.store : other).buckets.take('a', slow, 1),
      );
      const given = (await Promise.all(asks)).filter(({ allowed }) => allowed);
      expect(given).toHaveLength(3);
    });

    it('fill with time', async () => {
      const { store } = current();
      const fast = { ratePerSecond: 50, burst: 1 };
      expect((await store.buckets.take('a', fast, 1)).allowed).toBe(true);
      await until(
        async () => expect((await store.buckets.take('a', fast, 1)).allowed).toBe(true),
        DEADLINE_MS,
      );
    });

    it('give more than they hold when they are full, and then owe it', async () => {
      const { store } = current();
      const { allowed, remaining, resetMs } = await store.buckets.take('a', slow, 10);
      expect({ allowed, remaining }).toEqual({ allowed: true, remaining: 0 });
      expect(resetMs).toBeGreaterThan(9_990_000);
      expect((await store.buckets.take('a', slow, 1)).allowed).toBe(false);
      await store.buckets.take('b', slow, 1);
      expect((await store.buckets.take('b', slow, 10)).allowed).toBe(false);
    });
  });
}

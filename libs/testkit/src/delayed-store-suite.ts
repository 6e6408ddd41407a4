import { describe, expect, it } from '@jest/globals';
import type { DelayedStore, DueMessage, Message } from '#libs/broker-ports';
import { comparable, fullMessage, messageOf } from './messages.ts';
import { useStore, type StoreFactory, type StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

type Current = () => StoreUnderTest<DelayedStore>;

const WIDE = { messagesMax: 1_000_000, bytesMax: 1_000_000_000 };
const CLAIM = { claimer: 'node-a#1', leaseMs: 60_000, limit: 1000 };
const OTHER = { ...CLAIM, claimer: 'node-b#1' };
const DEADLINE_MS = 5000;
const LATER_MS = 3_600_000;

/** What every DelayedStore must do: registers the tests, to be called in a spec file. */
export function delayedStoreSuite(name: string, factory: StoreFactory<DelayedStore>): void {
  describe(`${name} as a DelayedStore`, () => {
    const current = useStore(factory);
    dueCases(current);
    leaseCases(current);
    onceCases(current);
    boundCases(current);
    lookCases(current);
    lifetimeCases(current);
  });
}

/** What a DelayedStore must do that several nodes share. */
export function sharedDelayedStoreSuite(name: string, factory: StoreFactory<DelayedStore>): void {
  describe(`${name} as a DelayedStore of several nodes`, () => {
    const current = useStore(factory);
    sharedCases(async () => {
      const { store, peer } = current();
      if (peer === undefined) throw new Error('the store has no peer');
      return [store, await peer()];
    });
  });
}

/** Adds messages that wait equally long. */
async function added(
  store: DelayedStore,
  delayMs: number,
  ...topics: readonly string[]
): Promise<void> {
  const messages = topics.map((topic) => ({ delayMs, message: messageOf({ topic }) }));
  expect(await store.add(messages, WIDE)).toEqual(topics.map(() => 'stored'));
}

function topicsOf(due: readonly DueMessage[]): string[] {
  return due.map(({ message }) => message.topic);
}

/** Claims until something is due. */
async function nextTopics(store: DelayedStore, claim = CLAIM): Promise<string[]> {
  let topics: string[] = [];
  await until(async () => {
    topics = topicsOf(await store.claim(claim));
    return topics.length > 0;
  }, DEADLINE_MS);
  return topics;
}

function dueCases(current: Current): void {
  describe('claim', () => {
    it('gives a message with all that it had', async () => {
      const { store } = current();
      const messages: Message[] = [
        fullMessage(),
        messageOf({ payload: new Uint8Array(0), qos: 0 }),
      ];
      await store.add(
        messages.map((message) => ({ delayMs: 0, message })),
        WIDE,
      );
      const due = await store.claim(CLAIM);
      expect(due.map(({ message }) => comparable(message))).toEqual(messages.map(comparable));
    });

    it('gives nothing before its time, and all of it after', async () => {
      const { store } = current();
      const begunAt = performance.now();
      await added(store, 300, 'soon/1', 'soon/2');
      await added(store, LATER_MS, 'later');
      expect(await store.claim(CLAIM)).toEqual([]);
      expect(await nextTopics(store)).toEqual(['soon/1', 'soon/2']);
      expect(performance.now() - begunAt).toBeGreaterThan(280);
      expect(await store.claim(CLAIM)).toEqual([]);
    });

    it('keeps the order of the times, and of coming for equal times', async () => {
      const { store } = current();
      await added(store, 100, 'third');
      await added(store, 50, 'second');
      const many = Array.from({ length: 20 }, (_, index) => `first/${String(index)}`);
      await added(store, 0, ...many);
      const all = [...many, 'second', 'third'];
      const claimed: string[] = [];
      // A slow machine may find several times due at once.
      while (claimed.length < all.length) claimed.push(...(await nextTopics(store)));
      expect(claimed).toEqual(all);
    });

    it('gives no more than asked for, and the rest the next time', async () => {
      const { store } = current();
      await added(store, 0, 'a', 'b', 'c');
      expect(topicsOf(await store.claim({ ...CLAIM, limit: 2 }))).toEqual(['a', 'b']);
      expect(topicsOf(await store.claim({ ...CLAIM, limit: 2 }))).toEqual(['c']);
    });

    it('gives large messages in several parts', async () => {
      const { store } = current();
      const payload = new Uint8Array(1_000_000);
      const messages = Array.from({ length: 12 }, (_, index) => ({
        delayMs: 0,
        message: messageOf({ topic: String(index), payload }),
      }));
      await store.add(messages, WIDE);
      const topics: string[] = [];
      for (let calls = 0; calls < 12 && topics.length < 12; calls += 1) {
        topics.push(...topicsOf(await store.claim(CLAIM)));
      }
      expect(topics).toEqual(messages.map(({ message }) => message.topic));
    });

    it('takes a delay of 4,294,967,295 seconds', async () => {
      const { store } = current();
      await added(store, 4_294_967_295_000, 'in 136 years');
      expect(await store.claim(CLAIM)).toEqual([]);
      expect(store.size().messages).toBe(1);
    });
  });
}

function leaseCases(current: Current): void {
  describe('a claim', () => {
    it('is final when it is settled', async () => {
      const { store } = current();
      await added(store, 0, 'a', 'b');
      const due = await store.claim({ ...CLAIM, leaseMs: 100 });
      await store.settle(due.map(({ id }) => id));
      await store.settle(due.map(({ id }) => id));
      await store.settle(['unknown']);
      await store.settle([]);
      await added(store, 200, 'c');
      expect(await nextTopics(store)).toEqual(['c']);
    });

    it('is repeated when its lease has ended', async () => {
      const { store } = current();
      await added(store, 0, 'a', 'b');
      const claim = { ...CLAIM, leaseMs: 150 };
      const [first] = await store.claim(claim);
      expect(first?.message.topic).toBe('a');
      expect(await store.claim(claim)).toEqual([]);
      await store.settle([first?.id ?? '']);
      expect(await nextTopics(store)).toEqual(['b']);
    });
  });
}

function onceCases(current: Current): void {
  it.each([0, 1] as const)('a message of QoS %d that says so is stored once', async (qos) => {
    const { store } = current();
    const source = { nodeId: 'schedule-1', incarnation: 1 };
    const message = messageOf({ qos, source, sequence: 7 });
    const once = { delayMs: 0, message, isOnce: true };
    expect(await store.add([once, once], WIDE)).toEqual(['stored', 'repeat']);
    expect(await store.add([once], WIDE)).toEqual(['repeat']);
    expect(await store.add([{ delayMs: 0, message }], WIDE)).toEqual(['stored']);
  });

  describe('a message of QoS 2', () => {
    const source = { nodeId: 'node-a', incarnation: 1 };
    const once = (sequence: number) => ({
      delayMs: 0,
      message: messageOf({ qos: 2, source, sequence, topic: String(sequence) }),
    });

    it('is stored once: while it waits, when it was given, and when it was settled', async () => {
      const { store } = current();
      expect(await store.add([once(1), once(2), once(1)], WIDE)).toEqual([
        'stored',
        'stored',
        'repeat',
      ]);
      expect(await store.add([once(2)], WIDE)).toEqual(['repeat']);
      const due = await store.claim(CLAIM);
      expect(topicsOf(due)).toEqual(['1', '2']);
      expect(await store.add([once(1)], WIDE)).toEqual(['repeat']);
      await store.settle(due.map(({ id }) => id));
      expect(await store.add([once(1), once(2), once(3)], WIDE)).toEqual([
        'repeat',
        'repeat',
        'stored',
      ]);
      expect(topicsOf(await store.claim(CLAIM))).toEqual(['3']);
    });

    it('is recognised by a new instance over the same data', async () => {
      const { store, reopen } = current();
      await store.add([once(1), { ...once(2), delayMs: LATER_MS }], WIDE);
      await store.settle((await store.claim(CLAIM)).map(({ id }) => id));
      const later = reopen === undefined ? store : await reopen();
      expect(await later.add([once(1), once(2)], WIDE)).toEqual(['repeat', 'repeat']);
    });

    it('that was refused is none that was stored', async () => {
      const { store } = current();
      expect(await store.add([once(1)], { ...WIDE, messagesMax: 0 })).toEqual(['full']);
      expect(await store.add([once(1)], WIDE)).toEqual(['stored']);
      expect(await store.add([once(1)], { ...WIDE, messagesMax: 0 })).toEqual(['repeat']);
    });

    it('is told by its identity from others, and those of QoS 0 and 1 are not compared', async () => {
      const { store } = current();
      const [{ message }, delayMs] = [once(1), 0];
      const others = [
        { ...message, sequence: 2 },
        { ...message, source: { nodeId: 'node-b', incarnation: 1 } },
        { ...message, source: { nodeId: 'node-a', incarnation: 2 } },
        ...([0, 0, 1, 1] as const).map((qos) => ({ ...message, qos })),
      ].map((other) => ({ delayMs, message: other }));
      const outcomes = await store.add([once(1), ...others], WIDE);
      expect(outcomes).toEqual([once(1), ...others].map(() => 'stored'));
    });
  });
}

function boundCases(current: Current): void {
  describe('the bounds', () => {
    it('refuse one message too many, and take one again when there is room', async () => {
      const { store } = current();
      const bounds = { ...WIDE, messagesMax: 2 };
      const messages = ['a', 'b', 'c'].map((topic) => ({
        delayMs: 0,
        message: messageOf({ topic }),
      }));
      expect(await store.add(messages, bounds)).toEqual(['stored', 'stored', 'full']);
      const [first] = await store.claim(CLAIM);
      expect(await store.add(messages.slice(2), bounds)).toEqual(['full']);
      await store.settle([first?.id ?? '']);
      expect(await store.add(messages.slice(2), bounds)).toEqual(['stored']);
    });

    it('refuse what makes too many bytes, and go on with what fits', async () => {
      const { store } = current();
      const bounds = { ...WIDE, bytesMax: 2500 };
      const messages = [1000, 2000, 1000].map((bytes) => ({
        delayMs: 0,
        message: messageOf({ payload: new Uint8Array(bytes) }),
      }));
      expect(await store.add(messages, bounds)).toEqual(['stored', 'full', 'stored']);
      await store.settle((await store.claim(CLAIM)).map(({ id }) => id));
      expect(await store.add(messages.slice(1, 2), bounds)).toEqual(['stored']);
    });

    it('are seen in size()', async () => {
      const { store } = current();
      expect(store.size()).toEqual({ messages: 0, bytes: 0 });
      await added(store, 0, 'a');
      await added(store, LATER_MS, 'b', 'c');
      const { messages, bytes } = store.size();
      expect(messages).toBe(3);
      expect(bytes).toBeGreaterThan(3 * 4);
      await store.settle((await store.claim(CLAIM)).map(({ id }) => id));
      expect(store.size().messages).toBe(2);
      expect(store.size().bytes).toBeLessThan(bytes);
    });

    it('hold for an empty list', async () => {
      const { store } = current();
      expect(await store.add([], { messagesMax: 0, bytesMax: 0 })).toEqual([]);
    });
  });
}

function lookCases(current: Current): void {
  const later = (topic: string, delayMs = LATER_MS) => ({ delayMs, message: messageOf({ topic }) });

  describe('what waits', () => {
    it('is listed in the order of its times, piece by piece', async () => {
      const { store } = current();
      await store.add([later('c', 3 * LATER_MS), later('a'), later('b', 2 * LATER_MS)], WIDE);
      const same = Array.from({ length: 12 }, (_, index) =>
        later(`d/${String(index)}`, 4 * LATER_MS),
      );
      await store.add(same, WIDE);
      const topics: string[] = [];
      let after: Awaited<ReturnType<DelayedStore['page']>>['next'];
      do {
        const page = await store.page({ after, limit: 4 });
        expect(page.items.length).toBeLessThanOrEqual(4);
        topics.push(...topicsOf(page.items));
        after = page.next;
      } while (after !== undefined);
      expect(topics).toEqual(['a', 'b', 'c', ...same.map(({ message }) => message.topic)]);
    });

    it('is named when it is put, shown by that name, and removed once', async () => {
      const { store } = current();
      const place = await store.put(later('a'), WIDE);
      const { id = '', dueAtMs = 0 } = place ?? {};
      const shown = await store.get(id);
      expect(shown).toMatchObject({ id, dueAtMs, message: { topic: 'a' } });
      expect(Math.abs(dueAtMs - Date.now() - LATER_MS)).toBeLessThan(DEADLINE_MS);
      expect(await store.remove(id)).toBe(true);
      expect(await store.remove(id)).toBe(false);
      expect(await store.get(id)).toBeUndefined();
      expect((await store.page({ limit: 9 })).items).toEqual([]);
      expect(store.size()).toEqual({ messages: 0, bytes: 0 });
    });

    it('is not put where there is no room', async () => {
      const { store } = current();
      expect(await store.put(later('a'), { ...WIDE, messagesMax: 0 })).toBeUndefined();
    });
  });
}

function lifetimeCases(current: Current): void {
  describe('a new instance over the same data', () => {
    it('finds what waits, and what was given but not settled', async () => {
      const { store, reopen } = current();
      await added(store, 0, 'settled', 'given');
      const due = await store.claim({ ...CLAIM, leaseMs: 100, limit: 2 });
      await store.settle([due[0]?.id ?? '']);
      await added(store, 300, 'waits');
      const later = reopen === undefined ? store : await reopen();
      expect(await nextTopics(later)).toEqual(['given']);
      expect(await nextTopics(later)).toEqual(['waits']);
      await until(() => expect(later.size().messages).toBe(2), DEADLINE_MS);
    });
  });
}

function sharedCases(stores: () => Promise<readonly [DelayedStore, DelayedStore]>): void {
  it('gives each message to one of two claimers', async () => {
    const [store, other] = await stores();
    const topics = Array.from({ length: 200 }, (_, index) => String(index));
    await added(store, 0, ...topics);
    const given: string[] = [];
    await until(async () => {
      const both = await Promise.all([
        store.claim({ ...CLAIM, limit: 7 }),
        other.claim({ ...OTHER, limit: 7 }),
      ]);
      for (const due of both) given.push(...topicsOf(due));
      return given.length >= 200;
    }, DEADLINE_MS);
    expect(given).toEqual(topics);
  });

  it('keeps other claimers off until one is through, so that the order holds', async () => {
    const [store, other] = await stores();
    await added(store, 0, 'a', 'b');
    expect(topicsOf(await store.claim({ ...CLAIM, limit: 1 }))).toEqual(['a']);
    expect(await other.claim(OTHER)).toEqual([]);
    expect(topicsOf(await store.claim({ ...CLAIM, limit: 1 }))).toEqual(['b']);
    expect(await store.claim(CLAIM)).toEqual([]);
    await added(store, 0, 'c');
    expect(topicsOf(await other.claim(OTHER))).toEqual(['c']);
  });

  it('gives what a claimer leaves behind to another one', async () => {
    const [store, other] = await stores();
    await added(store, 0, 'settled', 'a', 'b', 'c');
    const due = await store.claim({ ...CLAIM, limit: 3, leaseMs: 200 });
    await store.settle([due[0]?.id ?? '']);
    const given: string[] = [];
    await until(async () => {
      given.push(...topicsOf(await other.claim(OTHER)));
      return given.length >= 3;
    }, DEADLINE_MS);
    expect(given.toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('counts the messages of all nodes', async () => {
    const [store, other] = await stores();
    const bounds = { ...WIDE, messagesMax: 2 };
    const message = { delayMs: LATER_MS, message: messageOf() };
    expect(await store.add([message], bounds)).toEqual(['stored']);
    expect(await other.add([message, message], bounds)).toEqual(['stored', 'full']);
    await store.claim(CLAIM);
    expect(store.size()).toEqual(other.size());
  });
}

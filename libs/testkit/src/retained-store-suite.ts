import { describe, expect, it } from '@jest/globals';
import type { Message, RetainedStore } from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';
import { comparable, fullMessage, messageOf } from './messages.ts';
import { useStore, type StoreFactory, type StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

type Current = () => StoreUnderTest<RetainedStore>;

const EMPTY = new Uint8Array(0);
/** Below the time a test may take. */
const DEADLINE_MS = 4000;

/** What every RetainedStore must do: registers the tests, to be called in a spec file. Expiry is by real time. */
export function retainedStoreSuite(name: string, factory: StoreFactory<RetainedStore>): void {
  describe(`${name} as a RetainedStore`, () => {
    const current = useStore(factory);
    storeCases(current);
    matchCases(current);
    listCases(current);
    lifetimeCases(current);
  });
}

function retained(topic: string, partial: Partial<Message> = {}): Message {
  return messageOf({ topic, retain: true, ...partial });
}

/** All retained messages that a filter matches. */
export async function retainedMessages(
  store: Pick<RetainedStore, 'match'>,
  filter: string,
): Promise<readonly Message[]> {
  const found: Message[] = [];
  for await (const piece of store.match(filter)) found.push(...piece);
  return found;
}

async function topicsOf(store: RetainedStore, filter: string): Promise<string[]> {
  const found = await retainedMessages(store, filter);
  return found.map(({ topic }) => topic).toSorted();
}

function storeCases(current: Current): void {
  describe('store', () => {
    it('keeps a message with all it carried, bytes untouched', async () => {
      const { store } = current();
      const message = fullMessage();
      await store.store([message]);
      const found = await retainedMessages(store, message.topic);
      expect(found.map(comparable)).toEqual([comparable(message)]);
    });

    it('replaces the message of a topic', async () => {
      const { store } = current();
      await store.store([retained('a', { sequence: 1 })]);
      await store.store([retained('a', { sequence: 2 })]);
      expect(await retainedMessages(store, 'a')).toMatchObject([{ sequence: 2 }]);
    });

    it('removes the message of a topic by an empty payload [MQTT-3.3.1-6]', async () => {
      const { store } = current();
      await store.store([retained('a'), retained('b')]);
      await store.store([retained('a', { payload: EMPTY }), retained('none', { payload: EMPTY })]);
      expect(await topicsOf(store, '#')).toEqual(['b']);
    });

    it('carries out the messages of a turn in the order given', async () => {
      const { store } = current();
      await store.store([
        retained('last', { sequence: 1 }),
        retained('last', { sequence: 2 }),
        retained('gone'),
        retained('gone', { payload: EMPTY }),
        retained('back', { payload: EMPTY }),
        retained('back', { sequence: 3 }),
      ]);
      expect(await topicsOf(store, '#')).toEqual(['back', 'last']);
      expect(await retainedMessages(store, 'last')).toMatchObject([{ sequence: 2 }]);
      await store.store([]);
    });

    it('counts messages and their bytes, topics and properties included', async () => {
      const { store } = current();
      expect(store.size()).toEqual({ messages: 0, bytes: 0 });
      await store.store([
        retained('a', { payload: new Uint8Array(10) }),
        retained('b', { payload: new Uint8Array(20) }),
        retained('a', { payload: new Uint8Array(3) }),
      ]);
      await until(() => expect(store.size()).toEqual({ messages: 2, bytes: 25 }), DEADLINE_MS);
      await store.store([retained('b', { payload: EMPTY })]);
      await until(() => expect(store.size()).toEqual({ messages: 1, bytes: 4 }), DEADLINE_MS);
    });

    it('knows at once which topics it counts, and their bytes', async () => {
      const { store } = current();
      await retainedMessages(store, '#');
      const bytesOf = (...topics: string[]) => topics.map((topic) => store.bytesOf(topic));
      await store.store([retained('a'), retained('b', { payload: new Uint8Array(20) })]);
      expect([store.size().messages, bytesOf('a', 'b')]).toEqual([2, [4, 21]]);
      await store.store([
        retained('b', { payload: EMPTY }),
        retained('a', { payload: Uint8Array.of(1) }),
      ]);
      expect([store.size().messages, bytesOf('a', 'b')]).toEqual([1, [2, undefined]]);
      expect(bytesOf('a/', '+', '')).toEqual([undefined, undefined, undefined]);
    });

    it('names the topics that it counts, as many as are wanted', async () => {
      const { store } = current();
      await retainedMessages(store, '#');
      await store.store(['a', 'a/b', 'a/c', 'b', '$x'].map((topic) => retained(topic)));
      expect(store.topics('a/#', 10).toSorted()).toEqual(['a', 'a/b', 'a/c']);
      expect(store.topics('#', 10).toSorted()).toEqual(['a', 'a/b', 'a/c', 'b']);
      expect(store.topics('#', 2)).toHaveLength(2);
      await store.store([retained('a', { payload: EMPTY })]);
      expect(store.topics('a/#', 10).toSorted()).toEqual(['a/b', 'a/c']);
    });
  });
}

function matchCases(current: Current): void {
  const topics = ['a', 'a/', 'a/b', 'a/b/c', '/a', '$SYS/a', 'é/😀', 'a b/{c}*[d]?\\'];

  describe('match', () => {
    it.each([
      ['a/b', ['a/b']],
      ['a/+', ['a/', 'a/b']],
      ['a/#', ['a', 'a/', 'a/b', 'a/b/c']],
      ['+', ['a']],
      ['/+', ['/a']],
      ['+/b/#', ['a/b', 'a/b/c']],
      ['é/+', ['é/😀']],
      ['+/{c}*[d]?\\', ['a b/{c}*[d]?\\']],
      ['?', []],
      ['*', []],
      ['$SYS/#', ['$SYS/a']],
      ['$SYS/+', ['$SYS/a']],
      ['+/a', ['/a']],
      ['#', topics.filter((topic) => !topic.startsWith('$'))], // [MQTT-4.7.2-1]
    ])('finds what %j matches', async (filter, expected) => {
      const { store } = current();
      await store.store(topics.map((topic) => retained(topic)));
      expect(await topicsOf(store, filter)).toEqual(expected.toSorted());
    });

    it('tells where those are that no wildcard in front finds', async () => {
      const { store } = current();
      await store.store(['$a', '$a/b', '$b/c/d', 'a/$c'].map((topic) => retained(topic)));
      expect((await store.dollarLevels()).toSorted()).toEqual(['$a', '$b']);
      expect(await topicsOf(store, '$a/#')).toEqual(['$a', '$a/b']);
      await store.store(['$a', '$a/b'].map((topic) => retained(topic, { payload: EMPTY })));
      expect(await store.dollarLevels()).toEqual(['$b']);
    });

    it('gives many in pieces, each as it is when it is asked for', async () => {
      const { store } = current();
      const count = 1_000;
      const many = Array.from({ length: count }, (_, index) => `many/${String(index)}`);
      await store.store(many.map((topic) => retained(topic)));
      const pieces = store.match('many/+')[Symbol.asyncIterator]();
      const { value: first = [] } = (await pieces.next()) as { value?: readonly Message[] };
      expect(first.length).toBeGreaterThan(0);
      expect(first.length).toBeLessThan(count / 2);
      await store.store(many.map((topic) => retained(topic, { payload: EMPTY })));
      const left: Message[] = [];
      for await (const piece of { [Symbol.asyncIterator]: () => pieces }) left.push(...piece);
      expect(left).toEqual([]);
    });

    it('takes topics of 65,535 bytes and of many levels', async () => {
      const { store } = current();
      const long = `long/${'x'.repeat(65_530)}`;
      const deep = `deep${'/'.repeat(1000)}`;
      await store.store([retained(long), retained(deep)]);
      expect(await topicsOf(store, 'long/+')).toEqual([long]);
      expect(await topicsOf(store, 'deep/#')).toEqual([deep]);
      await store.store([retained(long, { payload: EMPTY })]);
      expect(await topicsOf(store, '#')).toEqual([deep]);
    });

    it('sees what another instance has stored', async () => {
      const { store, peer } = current();
      const writer = peer === undefined ? store : await peer();
      for (let round = 0; round < 20; round += 1) {
        const topic = `seen/${String(round)}`;
        await writer.store([retained(topic)]);
        expect(await topicsOf(store, topic)).toEqual([topic]);
        expect(await topicsOf(store, 'seen/+')).toHaveLength(round + 1);
      }
      await writer.store([retained('seen/0', { payload: EMPTY })]);
      expect(await topicsOf(store, 'seen/+')).toHaveLength(19);
    });
  });
}

function listCases(current: Current): void {
  /** The topics of each page, read to the last one. */
  async function pagesOf(filter: string, limit: number): Promise<string[][]> {
    const { store } = current();
    const pages: string[][] = [];
    let after: string | undefined;
    do {
      const query = { filter, limit, ...(after === undefined ? {} : { after }) };
      const page = await store.list(query);
      pages.push(page.messages.map(({ topic }) => topic));
      after = page.nextAfter;
    } while (after !== undefined);
    return pages;
  }

  describe('list', () => {
    it('goes through all matches in the order of their topics', async () => {
      const { store } = current();
      const topics = Array.from({ length: 50 }, (_, index) => `t/${String((index * 37) % 50)}`);
      await store.store([...topics, 'other', '$SYS/t'].map((topic) => retained(topic)));
      const pages = await pagesOf('t/+', 7);
      expect(pages.map((page) => page.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
      expect(pages.flat()).toEqual(topics.toSorted());
      expect((await pagesOf('#', 20)).flat()).toEqual([...topics, 'other'].toSorted());
      expect(await pagesOf('$SYS/#', 20)).toEqual([['$SYS/t']]);
    });

    it('knows that a full page is the last one', async () => {
      const { store } = current();
      await store.store(['a', 'b', 'c', 'd'].map((topic) => retained(topic)));
      expect(await pagesOf('#', 2)).toEqual([
        ['a', 'b'],
        ['c', 'd'],
      ]);
      expect(await pagesOf('none', 2)).toEqual([[]]);
    });

    it('goes on after a topic that is gone', async () => {
      const { store } = current();
      await store.store(['a', 'b', 'c'].map((topic) => retained(topic)));
      await store.store([retained('b', { payload: EMPTY })]);
      const page = await store.list({ filter: '#', after: 'b', limit: 5 });
      expect(page).toMatchObject({ messages: [{ topic: 'c' }], nextAfter: undefined });
    });
  });
}

function lifetimeCases(current: Current): void {
  describe('expiry', () => {
    it('never gives an expired message', async () => {
      const { store } = current();
      const now = Date.now();
      const expired = ['a/1', 'a/2', 'a/3'].map((topic) =>
        retained(topic, { expiresAtMs: now - 1 }),
      );
      await store.store([...expired, retained('a/4', { expiresAtMs: now + 3_600_000 })]);
      expect(await topicsOf(store, 'a/#')).toEqual(['a/4']);
      expect(await topicsOf(store, 'a/1')).toEqual([]);
      const page = await store.list({ filter: 'a/+', limit: 1 });
      expect(page).toMatchObject({ messages: [{ topic: 'a/4' }], nextAfter: undefined });
    });

    it('stops giving a message when its time has come', async () => {
      const { store } = current();
      const expiresAtMs = Date.now() + 500;
      await store.store([retained('short', { expiresAtMs }), retained('long')]);
      await until(async () => expect(await topicsOf(store, '#')).toEqual(['long']), DEADLINE_MS);
      expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs);
    });

    it('replaces an expired message', async () => {
      const { store } = current();
      await store.store([retained('a', { expiresAtMs: Date.now() - 1 })]);
      await store.store([retained('a')]);
      expect(await topicsOf(store, '#')).toEqual(['a']);
    });
  });

  describe('a new instance over the same data', () => {
    it('finds all that was stored', async () => {
      const { store, reopen } = current();
      const message = fullMessage();
      await store.store([message, retained('a'), retained('b')]);
      await store.store([retained('a', { payload: EMPTY })]);
      const later = reopen === undefined ? store : await reopen();
      expect(await topicsOf(later, '#')).toEqual(['b', message.topic].toSorted());
      const found = await retainedMessages(later, message.topic);
      expect(found.map(comparable)).toEqual([comparable(message)]);
      const bytes = sizeOf(message) + sizeOf(retained('b'));
      await until(() => expect(later.size()).toEqual({ messages: 2, bytes }), DEADLINE_MS);
    });
  });
}

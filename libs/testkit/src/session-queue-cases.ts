import { describe, expect, it } from '@jest/globals';
import type { QueuedMessage, SessionStore } from '#libs/broker-ports';
import { comparableQueued, fullMessage, messageOf, queuedOf } from './messages.ts';
import {
  appendsOf,
  CLIENT,
  disconnectOf,
  fill,
  NODE_B,
  NOW_MS,
  sortedRecord,
  subscriptionOf,
  taken,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

type Current = () => StoreUnderTest<SessionStore>;

const sequencesOf = (messages: readonly QueuedMessage[]) =>
  messages.map(({ position }) => position.sequence);

/** @internal */
export function sessionQueueCases(current: Current): void {
  describe('queue', () => {
    it('gives a message back with all it carried, bytes untouched', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      const queued: QueuedMessage[] = [
        {
          position: { epoch, sequence: 1 },
          message: fullMessage(),
          qos: 2,
          retain: true,
          subscriptionIdentifiers: [1, 268_435_455],
        },
        { ...queuedOf({ epoch, sequence: 2 }), group: '$share/é 😀/+/#' },
        queuedOf({ epoch, sequence: 3 }, { payload: new Uint8Array(0) }),
        queuedOf({ epoch, sequence: 4 }, { payload: new Uint8Array(300_000).fill(0xc3) }),
      ];
      const by = { clientId: CLIENT, epoch, kind: 'append', once: false } as const;
      await store.write(queued.map((message) => ({ ...by, queued: message })));
      const read = await store.read(CLIENT, undefined, 10);
      expect(read.map(comparableQueued)).toEqual(queued.map(comparableQueued));
    });

    it('is read oldest first, page by page', async () => {
      const { store } = current();
      const record = await taken(store);
      const sequences = Array.from({ length: 250 }, (_, index) => index + 1);
      await store.write(appendsOf(record, ...sequences));
      expect(await store.load(CLIENT)).toMatchObject({ queueMessages: 250, lastSequence: 250 });
      const pages: number[][] = [];
      let after: QueuedMessage['position'] | undefined;
      for (;;) {
        const page = await store.read(CLIENT, after, 100);
        if (page.length === 0) break;
        pages.push(sequencesOf(page));
        after = page.at(-1)?.position;
      }
      expect(pages.map((page) => page.length)).toEqual([100, 100, 50]);
      expect(pages.flat()).toEqual(sequences);
    });

    it('goes on across epochs: sequences count up, positions grow', async () => {
      const { store } = current();
      const first = await taken(store);
      await store.write(appendsOf(first, 1, 2));
      const second = await taken(store, { node: NODE_B, replacesEpoch: first.epoch });
      expect(second.lastSequence).toBe(2);
      await store.write(appendsOf(second, 3));
      const all = await store.read(CLIENT, undefined, 10);
      expect(all.map(({ position }) => position)).toEqual([
        { epoch: first.epoch, sequence: 1 },
        { epoch: first.epoch, sequence: 2 },
        { epoch: second.epoch, sequence: 3 },
      ]);
      const read = (epoch: number, sequence: number) => store.read(CLIENT, { epoch, sequence }, 10);
      expect(sequencesOf(await read(first.epoch, 1))).toEqual([2, 3]);
      expect(sequencesOf(await read(first.epoch, 2))).toEqual([3]);
      expect(await read(second.epoch, 3)).toEqual([]);
    });

    it('forgets what is settled, whatever the order, and keeps its sequence', async () => {
      const { store } = current();
      const record = await taken(store);
      const { epoch } = record;
      const at = (sequence: number) => ({ epoch, sequence });
      await store.write(appendsOf(record, 1, 2, 3, 4, 5));
      const settle = { clientId: CLIENT, epoch, kind: 'settle' } as const;
      await store.write([
        { ...settle, positions: [at(4), at(1), at(99)] },
        ...appendsOf(record, 6),
        { ...settle, positions: [at(6), at(5)] },
      ]);
      expect(sequencesOf(await store.read(CLIENT, undefined, 10))).toEqual([2, 3]);
      expect(sequencesOf(await store.read(CLIENT, at(1), 1))).toEqual([2]);
      expect(await store.load(CLIENT)).toMatchObject({ queueMessages: 2, lastSequence: 6 });
      await store.write([{ ...settle, positions: [at(2), at(3)] }]);
      expect(await taken(store)).toMatchObject({ queueMessages: 0, lastSequence: 6 });
    });

    it('has the bytes of its messages, and some that the store adds, for each owner', async () => {
      const { store } = current();
      const record = await taken(store);
      const { epoch } = record;
      const payload = new Uint8Array(10_000).fill(0xc3);
      const positions = Array.from({ length: 10 }, (_, index) => ({ epoch, sequence: index + 1 }));
      const by = { clientId: CLIENT, epoch } as const;
      await store.write(
        positions.map((position) => ({
          ...by,
          kind: 'append',
          queued: queuedOf(position, { payload }),
          once: false,
        })),
      );
      await store.write([{ ...by, kind: 'settle', positions: positions.slice(5) }]);
      const next = await taken(store, { node: NODE_B, replacesEpoch: epoch });
      expect(next.queueBytes).toBeGreaterThanOrEqual(50_000);
      expect(next.queueBytes).toBeLessThan(70_000);
      await store.write([{ ...by, epoch: next.epoch, kind: 'settle', positions }]);
      expect(await store.load(CLIENT)).toMatchObject({ queueMessages: 0, queueBytes: 0 });
    });

    it('forgets a released message', async () => {
      const { store } = current();
      const record = await taken(store);
      const { epoch } = record;
      const position = { epoch, sequence: 1 };
      await store.write([
        ...appendsOf(record, 1, 2),
        { clientId: CLIENT, epoch, kind: 'release', position, packetId: 7 },
      ]);
      expect(sequencesOf(await store.read(CLIENT, undefined, 10))).toEqual([2]);
      expect(await store.load(CLIENT)).toMatchObject({ queueMessages: 1, releasedPacketIds: [7] });
    });

    it('grows while the client is away', async () => {
      const { store } = current();
      const record = await taken(store);
      const outcomes = await store.write([
        disconnectOf(record, NOW_MS, 60),
        ...appendsOf(record, 1),
      ]);
      expect(outcomes).toEqual(['done', 'done']);
      expect(await store.load(CLIENT)).toMatchObject({ connected: false, queueMessages: 1 });
    });

    it('of an unknown client is empty', async () => {
      expect(await current().store.read('unknown', undefined, 10)).toEqual([]);
    });
  });
}

/** @internal */
export function sessionSurvivalCases(current: Current): void {
  describe('client ids', () => {
    it.each(['}', '{', '{a}', 'a b', ' ', ':', 'a:b', '😀', 'é/+#', '\u0001', 'x'.repeat(1000)])(
      'may be any text: %j',
      async (clientId) => {
        const { store } = current();
        const other = await taken(store, { clientId: `${clientId}2` });
        const record = await taken(store, { clientId });
        await fill(store, record);
        expect((await store.ownedBy(record.owner)).toSorted()).toEqual(
          [clientId, other.clientId].toSorted(),
        );
        expect(await store.load(clientId)).toMatchObject({ clientId, queueMessages: 3 });
        expect(await store.read(clientId, undefined, 10)).toHaveLength(3);
        expect(await store.load(other.clientId)).toEqual(other);
        await store.write([{ clientId, epoch: record.epoch, kind: 'discard' }]);
        expect(await store.load(clientId)).toBeUndefined();
        expect(await store.load(other.clientId)).toEqual(other);
      },
    );
  });

  describe('a new instance over the same data', () => {
    it('finds all that was written', async () => {
      const { store, reopen } = current();
      const record = await taken(store);
      const { epoch } = record;
      await fill(store, record);
      await store.write([
        {
          clientId: CLIENT,
          epoch,
          kind: 'append',
          queued: { ...queuedOf({ epoch, sequence: 5 }), message: messageOf(fullMessage()) },
          once: false,
        },
        { clientId: CLIENT, epoch, kind: 'settle', positions: [{ epoch, sequence: 2 }] },
        { clientId: CLIENT, epoch, kind: 'subscribe', subscriptions: [subscriptionOf('c/#')] },
        { clientId: CLIENT, epoch, kind: 'unsubscribe', filters: ['a/b'] },
        disconnectOf(record, NOW_MS, 3600),
      ]);
      const gone = await taken(store, { clientId: 'gone' });
      await fill(store, gone);
      await store.write([{ clientId: 'gone', epoch: gone.epoch, kind: 'discard' }]);
      const recordBefore = sortedRecord(await store.load(CLIENT));
      const queueBefore = await store.read(CLIENT, undefined, 10);

      const later = reopen === undefined ? store : await reopen();
      expect(sortedRecord(await later.load(CLIENT))).toEqual(recordBefore);
      const queue = await later.read(CLIENT, undefined, 10);
      expect(sequencesOf(queue)).toEqual([1, 3, 5]);
      expect(queue.map(comparableQueued)).toEqual(queueBefore.map(comparableQueued));
      expect(await later.ownedBy(record.owner)).toEqual([CLIENT]);
      expect(await later.load('gone')).toBeUndefined();
      expect(await later.read('gone', undefined, 10)).toEqual([]);
      expect(await taken(later)).toMatchObject({ epoch: epoch + 1, lastSequence: 5 });
    });
  });
}

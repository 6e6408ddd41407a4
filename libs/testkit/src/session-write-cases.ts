import { describe, expect, it } from '@jest/globals';
import type { SessionOperation, SessionStore } from '#libs/broker-ports';
import {
  appendsOf,
  CLIENT,
  everyOperation,
  fill,
  NODE_B,
  NOW_MS,
  sortedRecord,
  subscriptionOf,
  taken,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

type Current = () => StoreUnderTest<SessionStore>;

const kinds = everyOperation(CLIENT, 1)
  .map(({ kind }, index) => [kind, index] as const)
  .filter(([kind]) => kind !== 'settle');

/** @internal */
export function sessionFencingCases(current: Current): void {
  describe('fencing', () => {
    it.each(kinds)('refuses %s of a former owner and changes nothing', async (_kind, index) => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      await taken(store, { node: NODE_B, replacesEpoch: first.epoch });
      const before = await store.load(CLIENT);
      const operation = everyOperation(CLIENT, first.epoch).slice(index, index + 1);
      expect(await store.write(operation)).toEqual(['fenced']);
      expect(await store.load(CLIENT)).toEqual(before);
      expect(await store.read(CLIENT, undefined, 10)).toHaveLength(3);
    });

    it.each(kinds)('refuses %s to no session and leaves nothing', async (_kind, index) => {
      const { store } = current();
      expect(await store.write(everyOperation(CLIENT, 1).slice(index, index + 1))).toEqual([
        'fenced',
      ]);
      expect(await store.load(CLIENT)).toBeUndefined();
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
    });

    it('refuses a former owner also when the session ended and a new one was made', async () => {
      const { store } = current();
      const first = await taken(store);
      const { epoch } = await taken(store, { node: NODE_B, replacesEpoch: first.epoch });
      await store.write([{ clientId: CLIENT, epoch, kind: 'discard' }]);
      await taken(store, { node: NODE_B, nowMs: NOW_MS + 5 });
      for (const former of [first.epoch, epoch]) {
        const outcomes = await store.write([{ clientId: CLIENT, epoch: former, kind: 'discard' }]);
        expect(outcomes).toEqual(['fenced']);
      }
      expect(await store.load(CLIENT)).toMatchObject({ owner: NODE_B });
    });

    it('answers each operation of a turn, in the order given', async () => {
      const { store } = current();
      const one = await taken(store, { clientId: 'one' });
      const two = await taken(store, { clientId: 'two' });
      const stale = { ...one, epoch: one.epoch - 1 };
      const outcomes = await store.write([
        ...appendsOf(one, 1),
        ...appendsOf(stale, 1),
        ...appendsOf(two, 1, 2),
        ...appendsOf({ ...one, clientId: 'three' }, 1),
        ...appendsOf(one, 2),
      ]);
      expect(outcomes).toEqual(['done', 'fenced', 'done', 'done', 'fenced', 'done']);
      expect(await store.read('one', undefined, 10)).toHaveLength(2);
      expect(await store.read('two', undefined, 10)).toHaveLength(2);
      expect(await store.write([])).toEqual([]);
    });
  });
}

/** @internal */
export function sessionWriteCases(current: Current): void {
  /** Writes as the owner of a new session; gives the record then stored. */
  async function written(...steps: readonly Partial<SessionOperation>[]) {
    const { store } = current();
    const { epoch } = await taken(store);
    const operations = steps.map((step) => ({ ...step, clientId: CLIENT, epoch }));
    const outcomes = await store.write(operations as SessionOperation[]);
    expect(outcomes).toEqual(steps.map(() => 'done'));
    return sortedRecord(await store.load(CLIENT));
  }

  describe('inbound QoS 2 packet ids', () => {
    it('are remembered from receive to forget, each once', async () => {
      const record = await written(
        { kind: 'receive', packetId: 1 },
        { kind: 'receive', packetId: 65_535 },
        { kind: 'receive', packetId: 3 },
        { kind: 'receive', packetId: 3 },
        { kind: 'forget', packetId: 1 },
        { kind: 'forget', packetId: 2 },
      );
      expect(record).toMatchObject({ receivedPacketIds: [3, 65_535], releasedPacketIds: [] });
    });

    it('have the identity of their message until it is taken, also for the next owner', async () => {
      const source = { nodeId: 'node/1#2', incarnation: 1_700_000_000_000 };
      const begun = (sequence: number) => ({
        source,
        sequence,
        digest: 2 ** 32 - 1 - (sequence % 7),
      });
      const record = await written(
        { kind: 'begin', packetId: 1, message: begun(11) },
        { kind: 'begin', packetId: 2, message: begun(12) },
        { kind: 'begin', packetId: 3, message: begun(13) },
        { kind: 'begin', packetId: 4, message: begun(14) },
        { kind: 'receive', packetId: 2 },
        { kind: 'forget', packetId: 3 },
        { kind: 'begin', packetId: 4, message: begun(2 ** 53 - 1) },
      );
      const expected = {
        receivedPacketIds: [2],
        receiving: [
          { packetId: 1, ...begun(11) },
          { packetId: 4, ...begun(2 ** 53 - 1) },
        ],
      };
      expect(record).toMatchObject(expected);
      const { store } = current();
      const next = await taken(store, { node: NODE_B, replacesEpoch: record?.epoch ?? 0 });
      expect(sortedRecord(next)).toMatchObject(expected);
    });
  });

  describe('outbound QoS 2 packet ids', () => {
    it('are remembered from release to complete, each once', async () => {
      const position = { epoch: 1, sequence: 1 };
      const record = await written(
        { kind: 'release', position, packetId: 4 },
        { kind: 'release', position, packetId: 4 },
        { kind: 'release', position, packetId: 65_535 },
        { kind: 'release', position, packetId: 5 },
        { kind: 'complete', packetId: 5 },
        { kind: 'complete', packetId: 6 },
      );
      expect(record).toMatchObject({ releasedPacketIds: [4, 65_535], receivedPacketIds: [] });
    });
  });

  describe('subscriptions', () => {
    it('are kept with all their options and replaced by filter', async () => {
      const full = subscriptionOf('$share/g/{a}:é 😀/+', {
        qos: 2,
        noLocal: true,
        retainAsPublished: true,
        retainHandling: 2,
        subscriptionIdentifier: 268_435_455,
      });
      const record = await written(
        { kind: 'subscribe', subscriptions: [subscriptionOf('a'), subscriptionOf('b')] },
        { kind: 'subscribe', subscriptions: [full, subscriptionOf('b', { qos: 0 })] },
      );
      const expected = [full, subscriptionOf('a'), subscriptionOf('b', { qos: 0 })];
      expect(record?.subscriptions).toEqual(expected);
    });

    it('are removed by filter, in the order of the operations', async () => {
      const record = await written(
        { kind: 'subscribe', subscriptions: ['a', 'b', 'c'].map((key) => subscriptionOf(key)) },
        { kind: 'unsubscribe', filters: ['a', 'c', 'unknown'] },
        { kind: 'subscribe', subscriptions: [subscriptionOf('c', { qos: 2 })] },
        { kind: 'unsubscribe', filters: ['b'] },
      );
      expect(record?.subscriptions).toEqual([subscriptionOf('c', { qos: 2 })]);
    });
  });

  describe('discard', () => {
    it('removes all of the session, and what comes after it is refused', async () => {
      const { store } = current();
      const record = await taken(store);
      await fill(store, record);
      const { epoch } = record;
      const discard: SessionOperation = { clientId: CLIENT, epoch, kind: 'discard' };
      expect(await store.write([discard, ...appendsOf(record, 9)])).toEqual(['done', 'fenced']);
      expect(await store.load(CLIENT)).toBeUndefined();
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
      expect(await taken(store)).toMatchObject({
        subscriptions: [],
        receivedPacketIds: [],
        receiving: [],
        releasedPacketIds: [],
        queueMessages: 0,
        lastSequence: 0,
      });
    });
  });
}

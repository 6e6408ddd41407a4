import { describe, expect, it } from '@jest/globals';
import type { SessionStore } from '#libs/broker-ports';
import {
  CLIENT,
  disconnectOf,
  fill,
  NEVER,
  NODE_A,
  NODE_A_LATER,
  NODE_B,
  NOW_MS,
  sortedRecord,
  taken,
  takeRequest,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

type Current = () => StoreUnderTest<SessionStore>;

/** @internal */
export function sessionTakeCases(current: Current): void {
  describe('take', () => {
    it('creates the session of an unknown client', async () => {
      const { store } = current();
      const result = await store.take(takeRequest());
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
      const record = await store.load(CLIENT);
      expect(record).toEqual({
        clientId: CLIENT,
        epoch: expect.any(Number),
        owner: NODE_A,
        connected: true,
        durable: true,
        expiryIntervalSeconds: 3600,
        createdAtMs: NOW_MS,
        expiresAtMs: 0,
        subscriptions: [],
        receivedPacketIds: [],
        receiving: [],
        releasedPacketIds: [],
        queueMessages: 0,
        queueBytes: 0,
        lastSequence: 0,
      });
      expect(result).toMatchObject({ record });
    });

    it('finds the session of a known client and grows its epoch by one', async () => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      const before = sortedRecord(await store.load(CLIENT));
      const result = await store.take(
        takeRequest({ nowMs: NOW_MS + 5, expiryIntervalSeconds: 60 }),
      );
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: true });
      const after = sortedRecord(await store.load(CLIENT));
      expect(after).toEqual({ ...before, epoch: first.epoch + 1, expiryIntervalSeconds: 60 });
      expect(after).toMatchObject({ queueMessages: 3, lastSequence: 4, receivedPacketIds: [7] });
    });

    it('connects a session that was offline', async () => {
      const { store } = current();
      const first = await taken(store);
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      const record = await taken(store, { nowMs: NOW_MS + 1 });
      expect(record).toMatchObject({ connected: true, expiresAtMs: 0, createdAtMs: NOW_MS });
    });

    it('discards what is stored when asked for a clean start', async () => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      const nowMs = NOW_MS + 5;
      const result = await store.take(takeRequest({ cleanStart: true, nowMs, durable: false }));
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
      expect(await store.load(CLIENT)).toEqual({
        ...first,
        epoch: first.epoch + 1,
        durable: false,
        createdAtMs: nowMs,
      });
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
    });

    it('starts anew when the former session ended with its connection', async () => {
      const { store } = current();
      const first = await taken(store, { durable: false });
      await fill(store, first);
      const result = await store.take(takeRequest());
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
      expect(await store.load(CLIENT)).toEqual({ ...first, epoch: first.epoch + 1, durable: true });
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
    });
  });
}

/** @internal */
export function sessionTakeOverCases(current: Current): void {
  describe('take from another owner', () => {
    it.each([
      ['another node', { node: NODE_B }],
      ['another node with a clean start', { node: NODE_B, cleanStart: true }],
      ['a later incarnation of the owner', { node: NODE_A_LATER }],
    ])('tells %s who owns the session, and changes nothing', async (_name, partial) => {
      const { store } = current();
      const { epoch } = await taken(store);
      const before = await store.load(CLIENT);
      const result = await store.take(takeRequest(partial));
      expect(result).toEqual({ kind: 'owned', owner: NODE_A, epoch, hasWill: false });
      expect(await store.load(CLIENT)).toEqual(before);
    });

    it('gives an offline session away only for its epoch, too', async () => {
      const { store } = current();
      const first = await taken(store);
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      expect(await store.take(takeRequest({ node: NODE_B }))).toMatchObject({ kind: 'owned' });
    });

    it('replaces the epoch it was told', async () => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      const record = await taken(store, { node: NODE_B, replacesEpoch: first.epoch });
      expect(record).toMatchObject({ owner: NODE_B, epoch: first.epoch + 1, queueMessages: 3 });
      expect(await store.read(CLIENT, undefined, 10)).toHaveLength(3);
    });

    it.each([NODE_A, NODE_B])('does not replace an epoch that has passed (%j)', async (node) => {
      const { store } = current();
      const first = await taken(store);
      const second = await taken(store);
      const result = await store.take(takeRequest({ node, replacesEpoch: first.epoch }));
      expect(result).toEqual({
        kind: 'owned',
        owner: NODE_A,
        epoch: second.epoch,
        hasWill: false,
      });
    });

    it('creates the session when the one to replace is gone', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      await store.write([{ clientId: CLIENT, epoch, kind: 'discard' }]);
      const result = await store.take(takeRequest({ node: NODE_B, replacesEpoch: epoch }));
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
    });

    it('lets exactly one of many that ask at once have it', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      const nodes = [1, 2, 3, 4, 5].map((id) => ({ nodeId: `n${String(id)}`, incarnation: id }));
      const results = await Promise.all(
        nodes.map((node) => store.take(takeRequest({ node, replacesEpoch: epoch }))),
      );
      const winners = nodes.filter((_, index) => results[index]?.kind === 'taken');
      expect(winners).toHaveLength(1);
      expect(results.filter(({ kind }) => kind === 'owned')).toHaveLength(4);
      expect(await store.load(CLIENT)).toMatchObject({ owner: winners[0], epoch: epoch + 1 });
    });
  });

  sessionOwnerCases(current);

  describe('take for a dead node (connected: false)', () => {
    it('creates nothing', async () => {
      const { store } = current();
      expect(await store.take(takeRequest({ connected: false }))).toEqual({ kind: 'absent' });
      expect(await store.load(CLIENT)).toBeUndefined();
      expect(await store.ownedBy(NODE_A)).toEqual([]);
    });

    it('keeps an offline session as it was left', async () => {
      const { store } = current();
      const first = await taken(store, { expiryIntervalSeconds: 60 });
      await fill(store, first);
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      const before = sortedRecord(await store.load(CLIENT));
      const survivor = { node: NODE_B, connected: false, durable: false, expiryIntervalSeconds: 1 };
      await taken(store, { ...survivor, nowMs: NOW_MS + 5, replacesEpoch: first.epoch });
      expect(sortedRecord(await store.load(CLIENT))).toEqual({
        ...before,
        owner: NODE_B,
        epoch: first.epoch + 1,
        expiresAtMs: NOW_MS + 60_000,
      });
    });

    it.each([
      [60, NOW_MS + 5 + 60_000],
      [NEVER, 0],
    ])('ends the connection that died with it (interval %d)', async (interval, expiresAtMs) => {
      const { store } = current();
      const { epoch } = await taken(store, { expiryIntervalSeconds: interval });
      const survivor = { node: NODE_B, connected: false, expiryIntervalSeconds: 1 };
      await taken(store, { ...survivor, nowMs: NOW_MS + 5, replacesEpoch: epoch });
      expect(await store.load(CLIENT)).toMatchObject({
        connected: false,
        durable: true,
        expiryIntervalSeconds: interval,
        expiresAtMs,
      });
    });

    it('finds no session that ended with its connection, and leaves nothing of it', async () => {
      const { store } = current();
      const { epoch } = await taken(store, { durable: false });
      const result = await store.take(
        takeRequest({ node: NODE_B, connected: false, replacesEpoch: epoch }),
      );
      expect(result).toEqual({ kind: 'absent' });
      expect(await store.load(CLIENT)).toBeUndefined();
      expect(await store.ownedBy(NODE_B)).toEqual([]);
    });
  });
}

function sessionOwnerCases(current: Current): void {
  describe('take by a user', () => {
    it.each([
      ['of the owner', {}],
      ['of the owner with a clean start', { cleanStart: true }],
      ['of another node', { node: NODE_B }],
      ['that was told the epoch', { node: NODE_B, replaces: true }],
    ])('%s finds the session of another foreign, and changes nothing', async (_, partial) => {
      const { replaces, ...own } = { replaces: false, ...partial };
      for (const [user, other] of [
        ['ann', 'bob'],
        ['', 'bob'],
        ['ann', ''],
      ] as const) {
        const clientId = `of-${user}-and-${other}`;
        const first = await taken(current().store, { clientId, user });
        for (const isConnected of [true, false]) {
          if (!isConnected) await current().store.write([disconnectOf(first, NOW_MS, 60)]);
          const before = await current().store.load(clientId);
          expect(before).toMatchObject({ user, connected: isConnected });
          const told = replaces ? { replacesEpoch: first.epoch } : {};
          const request = takeRequest({ clientId, user: other, ...own, ...told });
          expect(await current().store.take(request)).toEqual({ kind: 'foreign' });
          expect(await current().store.load(clientId)).toEqual(before);
        }
      }
    });

    it('does not list a session that it was not given', async () => {
      const { store } = current();
      await taken(store, { user: 'ann' });
      await store.take(takeRequest({ node: NODE_B, user: 'bob' }));
      expect(await store.ownedBy(NODE_B)).toEqual([]);
      await store.take(takeRequest({ user: 'bob' }));
      expect(await store.ownedBy(NODE_A)).toEqual([CLIENT]);
    });

    it('finds its own, and one that is nobody’s, which is its from then on', async () => {
      const { store } = current();
      await taken(store);
      expect(await store.load(CLIENT)).not.toHaveProperty('user');
      expect(await taken(store, { user: 'ann' })).toMatchObject({ user: 'ann' });
      expect(await store.take(takeRequest({ user: 'ann' }))).toMatchObject({
        kind: 'taken',
        sessionPresent: true,
      });
      // Where nobody is asked any more, sessions stay whose they were.
      expect(await taken(store)).toMatchObject({ user: 'ann' });
      expect(await store.take(takeRequest({ user: 'bob' }))).toEqual({ kind: 'foreign' });
    });

    it('finds the client id free when the session has ended', async () => {
      const { store } = current();
      const first = await taken(store, { user: 'ann' });
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      const record = await taken(store, { nowMs: NOW_MS + 60_001, user: 'bob' });
      expect(record).toMatchObject({ user: 'bob', connected: true });
    });

    it('keeps the user of a session that a survivor takes', async () => {
      const { store } = current();
      const { epoch } = await taken(store, { user: 'ann' });
      const heir = { node: NODE_B, connected: false, replacesEpoch: epoch };
      expect(await taken(store, heir)).toMatchObject({ user: 'ann' });
    });
  });
}

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
  taken,
  takeRequest,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

type Current = () => StoreUnderTest<SessionStore>;

/** @internal */
export function sessionExpiryCases(current: Current): void {
  describe('expiry', () => {
    it('keeps a disconnected session until the interval is over', async () => {
      const { store } = current();
      const record = await taken(store);
      expect(await store.write([disconnectOf(record, NOW_MS + 5, 60)])).toEqual(['done']);
      expect(await store.load(CLIENT)).toMatchObject({
        connected: false,
        expiryIntervalSeconds: 60,
        expiresAtMs: NOW_MS + 60_005,
      });
      expect(await store.take(takeRequest({ nowMs: NOW_MS + 60_004 }))).toMatchObject({
        sessionPresent: true,
      });
    });

    it('keeps a session for ever when the interval is 0xFFFFFFFF', async () => {
      const { store } = current();
      const record = await taken(store);
      await store.write([disconnectOf(record, NOW_MS, NEVER)]);
      expect(await store.load(CLIENT)).toMatchObject({ connected: false, expiresAtMs: 0 });
      expect(await store.take(takeRequest({ nowMs: NOW_MS * 2 }))).toMatchObject({
        sessionPresent: true,
      });
    });

    it('gives an offline session another interval, from now on, or none', async () => {
      const { store } = current();
      const record = await taken(store);
      await store.write([disconnectOf(record, NOW_MS, 60)]);
      const { epoch } = record;
      const expiry = { clientId: CLIENT, epoch, kind: 'expiry' } as const;
      const later = { ...expiry, nowMs: NOW_MS + 10_000, expiryIntervalSeconds: 600 };
      expect(await store.write([later])).toEqual(['done']);
      expect(await store.load(CLIENT)).toMatchObject({
        connected: false,
        expiryIntervalSeconds: 600,
        expiresAtMs: NOW_MS + 610_000,
      });
      await store.write([{ ...expiry, nowMs: NOW_MS, expiryIntervalSeconds: NEVER }]);
      expect(await store.load(CLIENT)).toMatchObject({ expiresAtMs: 0 });
      expect(await store.take(takeRequest({ nowMs: NOW_MS * 2 }))).toMatchObject({
        sessionPresent: true,
      });
    });

    it('keeps another interval of a connected session for whoever has it when the connection ends', async () => {
      const { store } = current();
      const record = await taken(store);
      const { epoch } = record;
      const operation = { clientId: CLIENT, epoch, kind: 'expiry', nowMs: NOW_MS } as const;
      expect(await store.write([{ ...operation, expiryIntervalSeconds: 900 }])).toEqual(['done']);
      expect(await store.load(CLIENT)).toMatchObject({
        connected: true,
        expiryIntervalSeconds: 900,
        expiresAtMs: 0,
      });
    });

    it('counts an expired session as absent, whoever owned it', async () => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      const nowMs = NOW_MS + 60_000;
      const result = await store.take(takeRequest({ node: NODE_B, nowMs }));
      expect(result).toMatchObject({
        kind: 'taken',
        sessionPresent: false,
        record: { owner: NODE_B, createdAtMs: nowMs, subscriptions: [], queueMessages: 0 },
      });
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
      expect(await store.write([disconnectOf(first, NOW_MS, 60)])).toEqual(['fenced']);
    });

    it('leaves nothing of an expired session when a survivor asks for it', async () => {
      const { store } = current();
      const first = await taken(store);
      await fill(store, first);
      await store.write([disconnectOf(first, NOW_MS, 60)]);
      const survivor = { node: NODE_B, connected: false, replacesEpoch: first.epoch };
      const result = await store.take(takeRequest({ ...survivor, nowMs: NOW_MS + 60_000 }));
      expect(result).toEqual({ kind: 'absent' });
      expect(await store.load(CLIENT)).toBeUndefined();
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
      expect(await store.ownedBy(NODE_B)).toEqual([]);
    });

    it('does not load an expired session', async () => {
      const { store } = current();
      const record = await taken(store);
      await store.write([disconnectOf(record, NOW_MS - 10_000, 5)]);
      expect(await store.load(CLIENT)).toBeUndefined();
    });

    it('ends a session with its connection when the interval is 0', async () => {
      const { store } = current();
      const record = await taken(store);
      await store.write([disconnectOf(record, NOW_MS, 0)]);
      expect(await store.take(takeRequest())).toMatchObject({ sessionPresent: false });
    });
  });
}

/** @internal */
export function sessionOwnersCases(current: Current): void {
  describe('owners', () => {
    const ids = Array.from({ length: 50 }, (_, index) => `client-${String(index)}`);

    it('lists each incarnation with the sessions it owns', async () => {
      const { store } = current();
      expect(await store.owners()).toEqual([]);
      for (const clientId of ids) await taken(store, { clientId });
      await taken(store, { clientId: 'later', node: NODE_A_LATER });
      await taken(store, { clientId: 'b', node: NODE_B });
      const owners = await store.owners();
      expect(owners).toHaveLength(3);
      expect(owners).toEqual(expect.arrayContaining([NODE_A, NODE_A_LATER, NODE_B]));
      expect((await store.ownedBy(NODE_A)).toSorted()).toEqual(ids.toSorted());
      expect(await store.ownedBy(NODE_A_LATER)).toEqual(['later']);
      expect(await store.ownedBy(NODE_B)).toEqual(['b']);
      expect(await store.ownedBy({ nodeId: 'node-c', incarnation: 1 })).toEqual([]);
    });

    it('lists a session with its new owner after a take-over', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      await taken(store, { node: NODE_B, replacesEpoch: epoch });
      expect(await store.ownedBy(NODE_B)).toEqual([CLIENT]);
      expect(await store.owners()).toEqual(expect.arrayContaining([NODE_B]));
    });

    it('lists a session with its new owner alone once the former one has disowned it', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      await taken(store, { clientId: 'other' });
      await taken(store, { node: NODE_B, replacesEpoch: epoch });
      await store.disown(NODE_A, [CLIENT, 'unknown']);
      expect(await store.ownedBy(NODE_A)).toEqual(['other']);
      expect(await store.ownedBy(NODE_B)).toEqual([CLIENT]);
    });

    it('forgets a dead incarnation whose sessions have all been taken', async () => {
      const { store } = current();
      for (const clientId of ids) {
        const { epoch } = await taken(store, { clientId });
        await taken(store, { clientId, node: NODE_B, connected: false, replacesEpoch: epoch });
      }
      await store.abandon(NODE_A);
      expect(await store.owners()).toEqual([NODE_B]);
      expect(await store.ownedBy(NODE_A)).toEqual([]);
      expect((await store.ownedBy(NODE_B)).toSorted()).toEqual(ids.toSorted());
      expect(await store.load(ids[0] ?? '')).toMatchObject({ owner: NODE_B });
    });

    it('does not list a session that was discarded', async () => {
      const { store } = current();
      const { epoch } = await taken(store);
      await taken(store, { clientId: 'other' });
      await store.write([{ clientId: CLIENT, epoch, kind: 'discard' }]);
      expect(await store.ownedBy(NODE_A)).toEqual(['other']);
    });
  });
}

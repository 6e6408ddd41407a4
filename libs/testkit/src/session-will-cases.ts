import { describe, expect, it } from '@jest/globals';
import type {
  SessionOperation,
  SessionRecord,
  SessionStore,
  StoredWill,
  TakeResult,
} from '#libs/broker-ports';
import { fullMessage } from './messages.ts';
import {
  CLIENT,
  NODE_A,
  NODE_A_LATER,
  NODE_B,
  NOW_MS,
  taken,
  takeRequest,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

type Current = () => StoreUnderTest<SessionStore>;

const WILL: StoredWill = {
  message: { topic: 'gone', payload: Buffer.from([0, 255, 10]), qos: 1, retain: true },
  identity: { source: NODE_A, sequence: 7 },
  delaySeconds: 30,
  client: { clientId: CLIENT, username: 'é 😀', listener: 'tcp', remoteAddress: '192.0.2.1:1' },
};

const DUE_AT_MS = NOW_MS + 30_000;

/** @internal */
export function sessionWillCases(current: Current): void {
  describe('wills', () => {
    const store = () => current().store;
    const before = (replacesEpoch: number) => ({ node: NODE_B, replacesEpoch });

    it('are given to who takes the session from a node that died while the client was connected', async () => {
      const { epoch } = await taken(store(), { will: WILL });
      const result = await store().take(takeRequest({ ...before(epoch), connected: false }));
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: 0 });
    });

    it('are given with the time at which they are due', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record, { willDueAtMs: DUE_AT_MS })]);
      const result = await store().take(takeRequest(before(record.epoch)));
      expect(result).toMatchObject({ sessionPresent: true });
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
    });

    it('may have every property, no user name and no delay', async () => {
      const { topic, payload, qos, retain, properties = {} } = fullMessage();
      const will: StoredWill = {
        message: { topic, payload, qos, retain, properties },
        identity: { source: NODE_B, sequence: 2 ** 47 },
        delaySeconds: 0,
        client: { ...WILL.client, username: undefined },
      };
      const { epoch } = await taken(store(), { will });
      const result = await store().take(takeRequest(before(epoch)));
      expect(formerOf(result)?.will).toEqual(plain(will));
    });

    it('are given once: a new connection has its own will or none', async () => {
      const { epoch } = await taken(store(), { will: WILL });
      const other = { ...WILL, delaySeconds: 5 };
      const second = await taken(store(), { ...before(epoch), will: other });
      const third = await store().take(takeRequest({ replacesEpoch: second.epoch }));
      expect(formerOf(third)).toEqual({ will: plain(other), dueAtMs: 0 });
      if (third.kind !== 'taken') throw new Error(third.kind);
      const fourth = await store().take(takeRequest(before(third.record.epoch)));
      expect(formerOf(fourth)).toBeUndefined();
    });

    it('are dropped when the connection ends without one, and when they were published', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record)]);
      const second = await taken(store(), { ...before(record.epoch), will: WILL });
      await store().write([
        leftOf(second, { willDueAtMs: DUE_AT_MS }),
        { clientId: CLIENT, epoch: second.epoch, kind: 'forget-will' },
      ]);
      const third = await store().take(takeRequest({ replacesEpoch: second.epoch }));
      expect(formerOf(third)).toBeUndefined();
    });

    it('are known to who asks for a session of another node', async () => {
      const record = await taken(store(), { will: WILL });
      const other = takeRequest({ node: NODE_B });
      expect(await store().take(other)).toMatchObject({ kind: 'owned', hasWill: true });
      await store().write([leftOf(record)]);
      expect(await store().take(other)).toMatchObject({ kind: 'owned', hasWill: false });
    });

    it('of a connection that never was give way to those before', async () => {
      for (const own of [{ will: { ...WILL, delaySeconds: 1 } }, {}]) {
        const { epoch } = await taken(store(), { will: WILL });
        const second = await taken(store(), { ...before(epoch), ...own });
        await store().write([leftOf(second, { willDueAtMs: DUE_AT_MS, will: WILL })]);
        const third = await store().take(takeRequest({ replacesEpoch: second.epoch }));
        expect(formerOf(third)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
        await store().write([{ clientId: CLIENT, epoch: second.epoch + 1, kind: 'discard' }]);
      }
    });

    it('of a session that ends at once are left to who takes it', async () => {
      const record = await taken(store(), { durable: false });
      const over = { expiryIntervalSeconds: 0, willDueAtMs: DUE_AT_MS, will: WILL };
      await store().write([leftOf(record, over)]);
      const result = await store().take(takeRequest(before(record.epoch)));
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
    });

    it('that are claimed are due from then on, for whoever takes the session', async () => {
      for (const durable of [true, false]) {
        const { clientId, epoch } = await taken(store(), { durable, will: WILL });
        const claim = { clientId, epoch, kind: 'claim-will', dueAtMs: NOW_MS + 5 } as const;
        expect(await store().write([claim])).toEqual(['done']);
        const result = await store().take(takeRequest({ ...before(epoch), connected: false }));
        expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: NOW_MS + 5 });
        expect(await store().write([claim])).toEqual(['fenced']);
        await store().write([{ clientId, epoch: epoch + 1, kind: 'discard' }]);
      }
    });

    it('are not made by a claim', async () => {
      const { clientId, epoch } = await taken(store());
      const claim = { clientId, epoch, kind: 'claim-will', dueAtMs: NOW_MS } as const;
      expect(await store().write([claim])).toEqual(['done']);
      expect(formerOf(await store().take(takeRequest(before(epoch))))).toBeUndefined();
    });

    it('stay with a session that changes nodes while its client is away', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record, { willDueAtMs: DUE_AT_MS })]);
      const heir = await store().take(takeRequest({ ...before(record.epoch), connected: false }));
      if (heir.kind !== 'taken') throw new Error(heir.kind);
      const later = { node: NODE_A_LATER, replacesEpoch: heir.record.epoch, connected: false };
      expect(formerOf(await store().take(takeRequest(later)))).toEqual(formerOf(heir));
    });

    it('of a session that ends with its connection are left to one heir', async () => {
      const { epoch } = await taken(store(), { durable: false, will: WILL });
      const heir = { ...before(epoch), connected: false };
      const result = await store().take(takeRequest(heir));
      expect(result).toMatchObject({ kind: 'taken', record: { durable: false, owner: NODE_B } });
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: 0 });
      const other = { node: NODE_A_LATER, replacesEpoch: epoch, connected: false };
      expect(await store().take(takeRequest(other))).toMatchObject({
        kind: 'owned',
        owner: NODE_B,
      });
      await store().write([{ clientId: CLIENT, epoch: epoch + 1, kind: 'discard' }]);
      expect(await store().take(takeRequest(other))).toEqual({ kind: 'absent' });
    });

    it('of a session that is over are left to one heir', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record, { expiryIntervalSeconds: 1, willDueAtMs: DUE_AT_MS })]);
      const nowMs = NOW_MS + 2_000;
      const heir = takeRequest({ node: NODE_B, nowMs, connected: false });
      expect(await store().take(heir)).toMatchObject({ kind: 'owned', owner: NODE_A });
      const result = await store().take({ ...heir, replacesEpoch: record.epoch });
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
    });

    it('of a session that is over are given to its client’s next connection', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record, { expiryIntervalSeconds: 1, willDueAtMs: DUE_AT_MS })]);
      const result = await store().take(takeRequest({ nowMs: NOW_MS + 2_000 }));
      expect(result).toMatchObject({ kind: 'taken', sessionPresent: false });
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
    });

    it('are given with a clean start, and gone with the session', async () => {
      const { epoch } = await taken(store(), { will: WILL });
      const clean = await store().take(takeRequest({ ...before(epoch), cleanStart: true }));
      expect(formerOf(clean)).toEqual({ will: plain(WILL), dueAtMs: 0 });
      if (clean.kind !== 'taken') throw new Error(clean.kind);
      await store().write([{ clientId: CLIENT, epoch: clean.record.epoch, kind: 'discard' }]);
      expect(formerOf(await store().take(takeRequest()))).toBeUndefined();
    });

    it('survive a new instance over the same data', async () => {
      const record = await taken(store(), { will: WILL });
      await store().write([leftOf(record, { willDueAtMs: DUE_AT_MS })]);
      const { reopen } = current();
      const later = reopen === undefined ? store() : await reopen();
      const result = await later.take(takeRequest(before(record.epoch)));
      expect(formerOf(result)).toEqual({ will: plain(WILL), dueAtMs: DUE_AT_MS });
    });
  });
}

/** The end of the connection of a record. */
function leftOf(
  { clientId, epoch }: SessionRecord,
  partial: {
    readonly expiryIntervalSeconds?: number;
    readonly willDueAtMs?: number;
    readonly will?: StoredWill;
  } = {},
): SessionOperation {
  const kind = 'disconnect';
  return { clientId, epoch, kind, nowMs: NOW_MS, expiryIntervalSeconds: 3600, ...partial };
}

/** The former will of a result, its bytes as arrays. */
function formerOf(result: TakeResult): { will: unknown; dueAtMs: number } | undefined {
  if (result.kind !== 'taken' || result.formerWill === undefined) return undefined;
  const { will, dueAtMs } = result.formerWill;
  return { will: plain(will), dueAtMs };
}

function plain({ message, ...rest }: StoredWill): unknown {
  const { properties } = message;
  const correlationData = properties?.correlationData;
  return {
    ...rest,
    message: {
      ...message,
      payload: [...message.payload],
      ...(properties && {
        properties: {
          ...properties,
          ...(correlationData && { correlationData: [...correlationData] }),
        },
      }),
    },
  };
}

import { beforeEach, describe, expect, it } from '@jest/globals';
import type { QueuedMessage, SessionDraft, SessionRestored } from '#libs/broker-ports';
import {
  DURABLE,
  MemoryFleet,
  fakeClock,
  queuedOf,
  quiet,
  type FakeClock,
  type FleetNode,
} from '#libs/testkit';

const DRAFT: SessionDraft = {
  ...{ clientId: 'client', expiryIntervalSeconds: 60, expiresAtMs: 0 },
  subscriptions: [
    {
      ...{ filter: 't/#', qos: 2, noLocal: false, retainAsPublished: false },
      ...{ retainHandling: 0, subscriptionIdentifier: 7 },
    },
  ],
  ...{ receivedPacketIds: [11], receiving: [], releasedPacketIds: [12] },
  lastSequence: 44,
};

const payloadOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function queuedAs(sequence: number, text: string): QueuedMessage {
  const queued = queuedOf({ epoch: 3, sequence });
  return { ...queued, message: { ...queued.message, payload: payloadOf(text) } };
}

async function* piecesOf(
  ...pieces: readonly (readonly QueuedMessage[])[]
): AsyncGenerator<readonly QueuedMessage[], void, undefined> {
  for (const piece of pieces) yield piece;
}

const QUEUE = [[queuedAs(41, 'one')], [queuedAs(42, 'two'), queuedAs(43, 'three')]];

let clock: FakeClock;
let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  a = await fleet.join('a');
  b = await fleet.join('b');
});

const restore = (
  node: FleetNode,
  more: Partial<SessionDraft> = {},
  { replaces = false, queue = piecesOf(...QUEUE) } = {},
): Promise<SessionRestored> =>
  node.node.admin.sessions.restore({ draft: { ...DRAFT, ...more }, queue, replaces });

describe('restoring a session', () => {
  it('gives its client the queue in order at any node, and what comes later behind it', async () => {
    expect(await restore(a)).toEqual({ kind: 'restored' });
    const publisher = await b.connected('publisher');
    publisher.publish('t/1', 'later', { qos: 1 });
    await publisher.next('puback');
    const client = await b.connected('client', DURABLE);
    await quiet(40);
    expect(client.takeTexts()).toEqual(['pubrel', 'one', 'two', 'three', 'later']);
  });

  it('keeps packet ids, handshakes and the end of the session', async () => {
    const expiresAtMs = clock.now() + 20_000;
    await restore(a, { expiresAtMs });
    const record = await fleet.sessions.load('client');
    expect(record).toMatchObject({
      ...{ connected: false, durable: true, expiresAtMs, lastSequence: 44 },
      ...{ receivedPacketIds: [11], releasedPacketIds: [12], queueMessages: 3 },
      subscriptions: DRAFT.subscriptions,
    });
    const queue = await fleet.sessions.read('client', undefined, 10);
    expect(queue.map(({ position }) => position.sequence)).toEqual([41, 42, 43]);
    clock.advance(20_001);
    a.node.sweep();
    await quiet(40);
    expect(await fleet.sessions.load('client')).toBeUndefined();
    expect(await restore(a, { expiresAtMs })).toEqual({ kind: 'expired' });
  });

  it('is refused where the client is connected, at its node or another one', async () => {
    await b.connected('client', DURABLE);
    expect(await restore(b, {}, { replaces: true })).toEqual({ kind: 'connected' });
    expect(await restore(a, {}, { replaces: true })).toEqual({ kind: 'elsewhere', nodeId: 'b' });
    expect(await restore(a)).toEqual({ kind: 'present' });
    expect(await fleet.sessions.load('client')).toMatchObject({ connected: true });
  });

  it('takes the place of one whose client is away only if asked, at its owner', async () => {
    const before = await b.connected('client', DURABLE);
    await before.subscribe('old/#');
    before.cut();
    await quiet();
    expect(await restore(b)).toEqual({ kind: 'present' });
    expect(await restore(b, {}, { replaces: true })).toEqual({ kind: 'restored' });
    const publisher = await a.connected('publisher');
    publisher.publish('old/1', 'of the old one', { qos: 1 });
    await publisher.next('puback');
    const client = await a.connected('client', DURABLE);
    await quiet(40);
    expect(client.takeTexts()).toEqual(['pubrel', 'one', 'two', 'three']);
  });

  it('is refused to a session of another user, and while a will waits', async () => {
    const will = { topic: 'gone', payload: payloadOf('x'), qos: 0, retain: false } as const;
    const away = await a.connected('client', {
      ...DURABLE,
      will: { ...will, properties: { willDelayInterval: 30 } },
    });
    away.cut();
    await quiet();
    expect(await restore(a, {}, { replaces: true })).toEqual({ kind: 'busy' });
    expect(await restore(a, { clientId: 'other', user: 'ann' })).toEqual({ kind: 'restored' });
    const again = { clientId: 'other', user: 'bob' };
    expect(await restore(a, again, { replaces: true })).toEqual({ kind: 'foreign' });
    expect(await fleet.sessions.load('other')).toMatchObject({ user: 'ann', queueMessages: 3 });
  });

  it('leaves nothing when its queue ends half way, and can be repeated', async () => {
    async function* broken(): AsyncGenerator<readonly QueuedMessage[], void, undefined> {
      yield [queuedAs(41, 'one')];
      throw new Error('the rest did not come');
    }
    expect(await restore(a, {}, { queue: broken() })).toEqual({ kind: 'failed' });
    expect(await fleet.sessions.load('client')).toBeUndefined();
    expect(await restore(b)).toEqual({ kind: 'restored' });
  });

  it('is one session though the client connects meanwhile', async () => {
    let goOn = (): void => undefined;
    const promise = new Promise<void>((resolve) => (goOn = resolve));
    async function* slow(): AsyncGenerator<readonly QueuedMessage[], void, undefined> {
      yield [queuedAs(41, 'one')];
      await promise;
      yield [queuedAs(42, 'two')];
    }
    const restoring = restore(a, {}, { queue: slow() });
    await quiet();
    const coming = b.client();
    const connack = coming.connect({ clientId: 'client', ...DURABLE });
    await quiet();
    goOn();
    expect(await restoring).toEqual({ kind: 'restored' });
    expect(await connack).toMatchObject({ sessionPresent: true, reasonCode: 0 });
    await quiet(40);
    expect(coming.takeTexts()).toEqual(['pubrel', 'one', 'two']);
  });
});

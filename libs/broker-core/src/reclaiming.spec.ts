import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type SessionStore } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryCluster,
  MemoryNode,
  fakeClock,
  quiet,
  type FakeClock,
  type MemoryClient,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };

let clock: FakeClock;
let stored: LocalSessionStore;
/** The store as b reaches it. */
let storeB: SessionStore;
let a: MemoryNode;
let b: MemoryNode;

beforeEach(async () => {
  clock = fakeClock();
  const cluster = new MemoryCluster();
  stored = new LocalSessionStore({ clock: clock.now });
  const retained = new LocalRetainedStore({ clock: clock.now });
  storeB = {
    take: (request) => stored.take(request),
    write: (operations) => stored.write(operations),
    read: (...args) => stored.read(...args),
    load: (clientId) => stored.load(clientId),
    owners: () => stored.owners(),
    ownedBy: (owner) => stored.ownedBy(owner),
    abandon: (owner) => stored.abandon(owner),
    close: () => stored.close(),
  };
  a = new MemoryNode({ sessions: stored, retained, clock, bus: cluster.bus('a') });
  b = new MemoryNode({ sessions: storeB, retained, clock, bus: cluster.bus('b') });
  for (const memory of [a, b]) await memory.node.start();
});

async function connected(
  memory: MemoryNode,
  clientId: string,
  options: Parameters<MemoryClient['connect']>[0] = {},
): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...options });
  return client;
}

async function refusedAtB(): Promise<void> {
  const refused = b.client();
  const { reasonCode } = await refused.connect({ clientId: 'client', ...DURABLE });
  expect(reasonCode).toBe(0x88);
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000);
    for (const memory of [a, b]) memory.node.sweep();
    await quiet();
  }
}

describe('a session that is back at its node because nobody took it', () => {
  it('leaves its will when the delay has passed', async () => {
    const watcher = await connected(a, 'watcher');
    await watcher.subscribe('gone');
    await connected(a, 'client', {
      ...DURABLE,
      will: {
        topic: 'gone',
        payload: Buffer.from('late'),
        qos: 1,
        retain: false,
        properties: { willDelayInterval: 10 },
      },
    });
    storeB.take = async (request) => {
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await stored.take(request);
    };
    await refusedAtB();
    await pass(9);
    expect(watcher.takeTexts()).toEqual([]);
    await pass(3);
    expect(watcher.takeTexts()).toEqual(['late']);
  });
});

describe('a session whose take was carried out and its answer lost', () => {
  it('ends as any other whose client stays away', async () => {
    storeB.take = async (request) => {
      await stored.take(request);
      throw new StoreUnavailableError('answer lost');
    };
    await refusedAtB();
    await pass(57);
    expect(await stored.load('client')).toMatchObject({ connected: false });
    await pass(10);
    expect(await stored.load('client')).toBeUndefined();
  });
});

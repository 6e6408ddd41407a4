import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type NodeRef, type SessionStore } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryCluster,
  MemoryNode,
  fakeClock,
  quiet,
  type FakeClock,
  type MemoryClient,
} from '#libs/testkit';
import { PASSED_ON_MS } from './moved-sessions.ts';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

let clock: FakeClock;
let cluster: MemoryCluster;
let stored: LocalSessionStore;
let retained: LocalRetainedStore;
/** What each node has taken off its list, call by call. */
let disowned: [nodeId: string, clientIds: readonly string[]][];
let a: MemoryNode;
let b: MemoryNode;

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  stored = new LocalSessionStore({ clock: clock.now });
  retained = new LocalRetainedStore({ clock: clock.now });
  disowned = [];
  a = await join('a');
  b = await join('b');
});

async function join(nodeId: string): Promise<MemoryNode> {
  const sessions: SessionStore = {
    take: (request) => stored.take(request),
    write: (operations) => stored.write(operations),
    read: (...args) => stored.read(...args),
    load: (clientId) => stored.load(clientId),
    owners: () => stored.owners(),
    ownedBy: (owner) => stored.ownedBy(owner),
    disown: async (owner: NodeRef, clientIds) => {
      expect(owner.nodeId).toBe(nodeId);
      disowned.push([nodeId, clientIds]);
    },
    abandon: (owner) => stored.abandon(owner),
    close: () => stored.close(),
  };
  const bus = cluster.bus(nodeId);
  const limits = { connectTimeoutMs: PASSED_ON_MS * 10 };
  const memory = new MemoryNode({ sessions, retained, clock, bus, limits });
  await memory.node.start();
  return memory;
}

async function connected(
  memory: MemoryNode,
  clientId: string,
  options: Parameters<MemoryClient['connect']>[0] = {},
): Promise<MemoryClient> {
  const client = memory.client();
  const { reasonCode } = await client.connect({ clientId, ...options });
  expect(reasonCode).toBe(0);
  return client;
}

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  for (const memory of [a, b]) memory.node.sweep();
  await quiet();
}

describe('a node that sessions have left', () => {
  it('takes them off its list together, a minute later', async () => {
    for (const clientId of ['one', 'two', 'stays']) await connected(a, clientId, DURABLE);
    for (const clientId of ['one', 'two']) await connected(b, clientId, DURABLE);
    await pass(PASSED_ON_MS);
    expect(disowned).toEqual([]);
    await pass(1);
    expect(disowned).toEqual([['a', ['one', 'two']]]);
    await pass(PASSED_ON_MS * 2);
    expect(disowned).toHaveLength(1);
  });

  it('keeps those that are back, and those that left anew', async () => {
    for (const clientId of ['back', 'again']) await connected(a, clientId, DURABLE);
    for (const clientId of ['back', 'again']) await connected(b, clientId, DURABLE);
    await pass(PASSED_ON_MS / 2);
    for (const clientId of ['back', 'again']) await connected(a, clientId, DURABLE);
    await connected(b, 'again', DURABLE);
    await pass(PASSED_ON_MS / 2 + 1);
    expect(disowned).toEqual([]);
    await pass(PASSED_ON_MS / 2);
    expect(disowned).toEqual([
      ['a', ['again']],
      ['b', ['back']],
    ]);
  });

  it('keeps one that is about to be back', async () => {
    await connected(a, 'client', DURABLE);
    await connected(b, 'client', DURABLE);
    let goOn = (): void => undefined;
    const take = stored.take.bind(stored);
    stored.take = async (request) => {
      const result = await take(request);
      // The store has given it to the node, which does not know it yet.
      if (result.kind === 'taken') await new Promise<void>((resolve) => (goOn = resolve));
      return result;
    };
    const back = connected(a, 'client', DURABLE);
    await quiet();
    expect(await stored.load('client')).toMatchObject({ owner: { nodeId: 'a' } });
    await pass(PASSED_ON_MS + 1);
    goOn();
    await back;
    expect(disowned).toEqual([]);
  });

  it('keeps one whose take has failed: it may be carried out yet', async () => {
    await connected(a, 'client', DURABLE);
    const take = stored.take.bind(stored);
    stored.take = async (request) => {
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await take(request);
    };
    expect(await b.client().connect({ clientId: 'client', ...DURABLE })).toMatchObject({
      reasonCode: 0x88,
    });
    await pass(2_000);
    await pass(PASSED_ON_MS + 1);
    expect(disowned).toEqual([]);
  });

  it('takes one off that it has lost unnoticed', async () => {
    const client = await connected(a, 'client', DURABLE);
    const { epoch = 0 } = (await stored.load('client')) ?? {};
    await stored.take({
      ...{ clientId: 'client', node: { nodeId: 'b', incarnation: 9 }, cleanStart: false },
      ...{ nowMs: clock.now(), durable: true, expiryIntervalSeconds: 3600, connected: true },
      replacesEpoch: epoch,
    });
    client.cut();
    await quiet();
    await pass(PASSED_ON_MS + 1);
    expect(disowned).toEqual([['a', ['client']]]);
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type SessionStore } from '#libs/broker-ports';
import type { ConnectPacket, Will } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryCluster,
  MemoryNode,
  fakeClock,
  quiet,
  type FakeClock,
  type MemoryBus,
  type MemoryClient,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };

let clock: FakeClock;
let stored: LocalSessionStore;
/** The store as b reaches it. */
let storeB: SessionStore;
let retained: LocalRetainedStore;
let cluster: MemoryCluster;
let busA: MemoryBus;
let busB: MemoryBus;
let a: MemoryNode;
let b: MemoryNode;
/** Those that sweep. */
let nodes: readonly MemoryNode[];

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  stored = new LocalSessionStore({ clock: clock.now });
  retained = new LocalRetainedStore({ clock: clock.now });
  storeB = {
    take: (request) => stored.take(request),
    write: (operations) => stored.write(operations),
    read: (...args) => stored.read(...args),
    load: (clientId) => stored.load(clientId),
    owners: () => stored.owners(),
    ownedBy: (owner) => stored.ownedBy(owner),
    disown: () => stored.disown(),
    abandon: (owner) => stored.abandon(owner),
    close: () => stored.close(),
  };
  busA = cluster.bus('a');
  busB = cluster.bus('b');
  a = new MemoryNode({ sessions: stored, retained, clock, bus: busA });
  b = new MemoryNode({ sessions: storeB, retained, clock, bus: busB });
  nodes = [a, b];
  for (const memory of nodes) await memory.node.start();
});

async function join(nodeId: string): Promise<MemoryNode> {
  const memory = new MemoryNode({ sessions: stored, retained, clock, bus: cluster.bus(nodeId) });
  await memory.node.start();
  nodes = [...nodes, memory];
  return memory;
}

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
    for (const memory of nodes) memory.node.sweep();
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

describe('a session whose client came back to its node, and the answer to the take was lost', () => {
  function willOf(payload: string): Will {
    const properties = { willDelayInterval: 10 };
    return { topic: 'gone', payload: Buffer.from(payload), qos: 1, retain: false, properties };
  }

  async function refused(options: Partial<ConnectPacket> = {}): Promise<void> {
    let isLost = false;
    storeB.take = async (request) => {
      const result = await stored.take(request);
      if (isLost) return result;
      isLost = true;
      throw new StoreUnavailableError('answer lost');
    };
    const packet = { clientId: 'client', ...DURABLE, will: willOf('of the refused'), ...options };
    expect(await b.client().connect(packet)).toMatchObject({ reasonCode: 0x88 });
  }

  it('leaves its will to the heir, and ends as any other', async () => {
    const watcher = await connected(a, 'watcher');
    await watcher.subscribe('gone');
    (await connected(b, 'client', { ...DURABLE, will: willOf('left') })).cut();
    await quiet();
    await refused();
    await pass(3);
    busB.kill();
    await quiet();
    nodes = [a];
    await pass(12);
    expect(watcher.takeTexts()).toEqual(['left']);
    await pass(60);
    expect([await stored.load('client'), watcher.takeTexts()]).toEqual([undefined, []]);
  });

  it('wants nothing any more if it has begun anew', async () => {
    const client = await connected(b, 'client', DURABLE);
    await client.subscribe('t');
    client.cut();
    await pass(1);
    await refused({ cleanStart: true });
    await pass(3);
    const publisher = await connected(a, 'publisher');
    publisher.publish('t', 'late', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await stored.load('client')).toMatchObject({ subscriptions: [], queueMessages: 0 });
  });
});

describe('a will of a silent node whose session was taken, and the answer lost', () => {
  const CASES = [
    { which: 'to the take that leaves the will in the store', isConnected: false },
    { which: 'to the take for the client', isConnected: true },
  ].flatMap((each) => [
    { ...each, kind: 'durable', own: DURABLE },
    { ...each, kind: 'in memory', own: {} },
  ]);
  let watcher: MemoryClient;

  beforeEach(async () => {
    watcher = await connected(b, 'watcher');
    await watcher.subscribe('gone');
  });

  function willOf(payload: string, willDelayInterval = 0): Will {
    const properties = { willDelayInterval };
    return { topic: 'gone', payload: Buffer.from(payload), qos: 1, retain: false, properties };
  }

  /** The client is refused by b, which does not hear that it has taken the session from a. */
  async function refused(
    isConnected: boolean,
    own: Partial<ConnectPacket>,
    delaySeconds = 0,
  ): Promise<void> {
    await connected(a, 'client', { ...own, will: willOf('left', delaySeconds) });
    busA.isDeaf = true;
    let isLost = false;
    storeB.take = async (request) => {
      const result = await stored.take(request);
      if (isLost || result.kind !== 'taken' || request.connected !== isConnected) return result;
      isLost = true;
      // The first look into the store fails, too.
      storeB.load = async () => {
        storeB.load = (clientId) => stored.load(clientId);
        throw new StoreUnavailableError('away');
      };
      throw new StoreUnavailableError('answer lost');
    };
    const options = { clientId: 'client', ...own, will: willOf('of the refused') };
    expect(await b.client().connect(options)).toMatchObject({ reasonCode: 0x88 });
    expect(isLost).toBe(true);
  }

  it.each(CASES)(
    'comes once when the client stays away ($which, $kind)',
    async ({ isConnected, own }) => {
      await refused(isConnected, own);
      await pass(3);
      expect(watcher.takeTexts()).toEqual(['left']);
      await pass(70);
      expect(watcher.takeTexts()).toEqual([]);
      expect(await stored.ownedBy(busB.self)).toEqual(['watcher']);
    },
  );

  it.each(CASES)(
    'comes once when the client is back at once ($which, $kind)',
    async ({ isConnected, own }) => {
      await refused(isConnected, own);
      await connected(b, 'client', own);
      await pass(3);
      expect(watcher.takeTexts()).toEqual(['left']);
    },
  );

  it.each(CASES)(
    'comes once when the client goes on to another node ($which, $kind)',
    async ({ isConnected, own }) => {
      const c = await join('c');
      await refused(isConnected, own);
      await connected(c, 'client', own);
      await pass(3);
      expect(watcher.takeTexts()).toEqual(['left']);
    },
  );

  it.each(CASES)(
    'comes once when that node inherits it meanwhile ($which, $kind)',
    async ({ isConnected, own }) => {
      // The list of a node still has what has just been taken from it.
      storeB.ownedBy = async (owner) => [...(await stored.ownedBy(owner)), 'client'];
      await refused(isConnected, own);
      busA.kill();
      await quiet();
      nodes = [b];
      await pass(70);
      expect(watcher.takeTexts()).toEqual(['left']);
    },
  );

  it.each(CASES)('waits for its delay ($which, $kind)', async ({ kind, isConnected, own }) => {
    await refused(isConnected, own, 10);
    await pass(8);
    // A session in memory is over.
    expect(watcher.takeTexts()).toEqual(kind === 'durable' ? [] : ['left']);
    await pass(4);
    expect(watcher.takeTexts()).toEqual(kind === 'durable' ? ['left'] : []);
  });

  it.each(CASES)(
    'is dropped when the client is back in time ($which, $kind)',
    async ({ kind, isConnected, own }) => {
      await refused(isConnected, own, 10);
      await connected(b, 'client', own);
      await pass(20);
      expect(watcher.takeTexts()).toEqual(kind === 'durable' ? [] : ['left']);
    },
  );

  it.each(CASES)(
    'is left to the heir of the node that took it ($which, $kind)',
    async ({ isConnected, own }) => {
      const c = await join('c');
      const far = await connected(c, 'far');
      await far.subscribe('gone');
      await refused(isConnected, own, 10);
      await pass(2);
      busB.kill();
      await quiet();
      nodes = [a, c];
      await pass(12);
      expect(far.takeTexts()).toEqual(['left']);
    },
  );
});

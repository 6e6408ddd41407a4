import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import type { ConnectPacket, Will } from '#libs/mqtt-codec';
import {
  fakeClock,
  MemoryFleet,
  quiet,
  type FakeClock,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 60 } };

let clock: FakeClock;
let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;
/** Those that sweep. */
let nodes: readonly FleetNode[];

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  a = await fleet.join('a');
  b = await fleet.join('b');
  nodes = [a, b];
});

async function join(nodeId: string): Promise<FleetNode> {
  const joined = await fleet.join(nodeId);
  nodes = [...nodes, joined];
  return joined;
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
    const watcher = await a.connected('watcher');
    await watcher.subscribe('gone');
    await a.connected('client', {
      ...DURABLE,
      will: {
        topic: 'gone',
        payload: Buffer.from('late'),
        qos: 1,
        retain: false,
        properties: { willDelayInterval: 10 },
      },
    });
    b.store.take = async (request) => {
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await fleet.sessions.take(request);
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
    b.store.take = async (request) => {
      await fleet.sessions.take(request);
      throw new StoreUnavailableError('answer lost');
    };
    await refusedAtB();
    await pass(57);
    expect(await fleet.sessions.load('client')).toMatchObject({ connected: false });
    await pass(10);
    expect(await fleet.sessions.load('client')).toBeUndefined();
  });
});

describe('a session whose client came back to its node, and the answer to the take was lost', () => {
  function willOf(payload: string): Will {
    const properties = { willDelayInterval: 10 };
    return { topic: 'gone', payload: Buffer.from(payload), qos: 1, retain: false, properties };
  }

  async function refused(options: Partial<ConnectPacket> = {}): Promise<void> {
    let isLost = false;
    b.store.take = async (request) => {
      const result = await fleet.sessions.take(request);
      if (isLost) return result;
      isLost = true;
      throw new StoreUnavailableError('answer lost');
    };
    const packet = { clientId: 'client', ...DURABLE, will: willOf('of the refused'), ...options };
    expect(await b.client().connect(packet)).toMatchObject({ reasonCode: 0x88 });
  }

  it('leaves its will to the heir, and ends as any other', async () => {
    const watcher = await a.connected('watcher');
    await watcher.subscribe('gone');
    (await b.connected('client', { ...DURABLE, will: willOf('left') })).cut();
    await quiet();
    await refused();
    await pass(3);
    b.bus.kill();
    await quiet();
    nodes = [a];
    await pass(12);
    expect(watcher.takeTexts()).toEqual(['left']);
    await pass(60);
    expect([await fleet.sessions.load('client'), watcher.takeTexts()]).toEqual([undefined, []]);
  });

  it('wants nothing any more if it has begun anew', async () => {
    const client = await b.connected('client', DURABLE);
    await client.subscribe('t');
    client.cut();
    await pass(1);
    await refused({ cleanStart: true });
    await pass(3);
    const publisher = await a.connected('publisher');
    publisher.publish('t', 'late', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(await fleet.sessions.load('client')).toMatchObject({
      subscriptions: [],
      queueMessages: 0,
    });
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
    watcher = await b.connected('watcher');
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
    await a.connected('client', { ...own, will: willOf('left', delaySeconds) });
    a.bus.isDeaf = true;
    let isLost = false;
    b.store.take = async (request) => {
      const result = await fleet.sessions.take(request);
      if (isLost || result.kind !== 'taken' || request.connected !== isConnected) return result;
      isLost = true;
      // The first look into the store fails, too.
      b.store.load = async () => {
        b.store.load = (clientId) => fleet.sessions.load(clientId);
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
      expect(await fleet.sessions.ownedBy(b.bus.self)).toEqual(['watcher']);
    },
  );

  it.each(CASES)(
    'comes once when the client is back at once ($which, $kind)',
    async ({ isConnected, own }) => {
      await refused(isConnected, own);
      await b.connected('client', own);
      await pass(3);
      expect(watcher.takeTexts()).toEqual(['left']);
    },
  );

  it.each(CASES)(
    'comes once when the client goes on to another node ($which, $kind)',
    async ({ isConnected, own }) => {
      const c = await join('c');
      await refused(isConnected, own);
      await c.connected('client', own);
      await pass(3);
      expect(watcher.takeTexts()).toEqual(['left']);
    },
  );

  it.each(CASES)(
    'comes once when that node inherits it meanwhile ($which, $kind)',
    async ({ isConnected, own }) => {
      // The list of a node still has what has just been taken from it.
      b.store.ownedBy = async (owner) => [...(await fleet.sessions.ownedBy(owner)), 'client'];
      await refused(isConnected, own);
      a.bus.kill();
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
      await b.connected('client', own);
      await pass(20);
      expect(watcher.takeTexts()).toEqual(kind === 'durable' ? [] : ['left']);
    },
  );

  it.each(CASES)(
    'is left to the heir of the node that took it ($which, $kind)',
    async ({ isConnected, own }) => {
      const c = await join('c');
      const far = await c.connected('far');
      await far.subscribe('gone');
      await refused(isConnected, own, 10);
      await pass(2);
      b.bus.kill();
      await quiet();
      nodes = [a, c];
      await pass(12);
      expect(far.takeTexts()).toEqual(['left']);
    },
  );
});

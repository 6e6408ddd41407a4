import { beforeEach, describe, expect, it } from '@jest/globals';
import type { BridgeBacklog, BridgeMoves, BridgeQueue } from '#libs/broker-ports';
import { ClusterError } from '#libs/cluster';
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

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
const KEPT_MS = 600_000;

/** What waits at a node is the test's to say. */
class TestMoves implements BridgeMoves {
  waiting: BridgeQueue[] = [];
  elsewhere: BridgeBacklog[] = [];
  readonly arrivals: (readonly [clientId: string, backlogs: readonly BridgeBacklog[]])[] = [];
  onQuiet = (): void => undefined;
  readonly #bus: MemoryBus;

  constructor(bus: MemoryBus) {
    this.#bus = bus;
  }

  queues(): readonly BridgeQueue[] {
    return this.waiting;
  }

  backlogs(_clientId: string, hasPublished: boolean): readonly BridgeBacklog[] {
    const isAny = hasPublished && this.waiting.length > 0;
    const own = isAny ? [{ node: this.#bus.self, queues: this.waiting }] : [];
    return [...own, ...this.elsewhere];
  }

  arrived(clientId: string, backlogs: readonly BridgeBacklog[]): void {
    this.arrivals.push([clientId, backlogs]);
  }

  async quiet(): Promise<void> {
    this.onQuiet();
  }
}

interface Node {
  readonly memory: MemoryNode;
  readonly bus: MemoryBus;
  readonly moves: TestMoves;
}

const queue = (done: number, last: number): BridgeQueue => ({
  ...{ rule: 'r', kind: 'spool', done, last },
});

let clock: FakeClock;
let cluster: MemoryCluster;
let sessions: LocalSessionStore;
let a: Node;
let b: Node;

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  sessions = new LocalSessionStore({ clock: clock.now });
  a = await join('a');
  b = await join('b');
});

async function join(nodeId: string): Promise<Node> {
  const retained = new LocalRetainedStore({ clock: clock.now });
  const bus = cluster.bus(nodeId);
  const moves = new TestMoves(bus);
  const limits = { connectTimeoutMs: KEPT_MS * 10 };
  const memory = new MemoryNode({ sessions, retained, clock, bus, moves, limits });
  await memory.node.start();
  return { memory, bus, moves };
}

async function connected(
  { memory }: Node,
  options: Parameters<MemoryClient['connect']>[0] = {},
): Promise<MemoryClient> {
  const client = memory.client();
  const { reasonCode } = await client.connect({ clientId: 'device', ...options });
  expect(reasonCode).toBe(0);
  return client;
}

/** A client that has published at a node. */
async function publisher(node: Node, options = {}): Promise<MemoryClient> {
  const client = await connected(node, options);
  client.publish('t', 'x');
  await quiet();
  return client;
}

describe.each([
  ['a durable session', DURABLE],
  ['a session of its connection', {}],
])('the records of a client with %s', (_, options) => {
  it('wait for what waits at its node when it is taken over', async () => {
    a.moves.waiting = [queue(3, 9)];
    await publisher(a, options);
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([['device', [{ node: a.bus.self, queues: [queue(3, 9)] }]]]);
  });

  it('wait as well when it has gone away before', async () => {
    a.moves.waiting = [queue(3, 9)];
    const client = await publisher(a, options);
    client.cut();
    await quiet();
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([['device', [{ node: a.bus.self, queues: [queue(3, 9)] }]]]);
  });

  it('wait for nothing when nothing waits', async () => {
    const client = await publisher(a, options);
    client.cut();
    await quiet();
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([]);
  });

  it('wait for nothing when the client has not published there', async () => {
    a.moves.waiting = [queue(3, 9)];
    await connected(a, options);
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([]);
  });

  it('wait for what they already waited for where it comes from', async () => {
    const third = { nodeId: 'c', incarnation: 7 };
    a.moves.elsewhere = [{ node: third, queues: [queue(1, 2)] }];
    await connected(a, options);
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([['device', [{ node: third, queues: [queue(1, 2)] }]]]);
  });

  it('wait for a node that does not answer, and not for one that cannot be asked', async () => {
    await publisher(a, options);
    a.bus.isDeaf = true;
    await connected(b, options);
    expect(b.moves.arrivals).toEqual([['device', [{ node: a.bus.self, queues: undefined }]]]);

    const c = await join('c');
    c.bus.request = () => Promise.reject(new ClusterError('NODE_AWAY', 'killed'));
    await connected(c, options);
    expect(c.moves.arrivals).toEqual([]);
  });
});

describe('a session that ends with its connection', () => {
  it('stays in the store until what waits for its client has gone', async () => {
    a.moves.waiting = [queue(3, 9)];
    const client = await publisher(a);
    client.cut();
    await quiet();
    a.moves.waiting = [queue(8, 20)];
    a.memory.sweepAfter(1_000);
    await quiet();
    expect(await sessions.load('device')).toBeDefined();
    a.moves.waiting = [queue(9, 20)];
    a.memory.sweepAfter(1_000);
    await quiet();
    expect(await sessions.load('device')).toBeUndefined();
  });

  it('stays while its client waits for other nodes, and not for ever', async () => {
    a.moves.elsewhere = [{ node: b.bus.self, queues: [queue(1, 2)] }];
    const client = await publisher(a);
    client.cut();
    a.memory.sweepAfter(1_000);
    await quiet();
    expect(await sessions.load('device')).toBeDefined();
    a.memory.sweepAfter(KEPT_MS);
    await quiet();
    expect(await sessions.load('device')).toBeUndefined();
  });

  it('is not resumed, and not removed under the one that follows', async () => {
    a.moves.waiting = [queue(3, 9)];
    const before = await publisher(a);
    before.cut();
    await quiet();
    const client = a.memory.client();
    const { sessionPresent } = await client.connect({ clientId: 'device', ...DURABLE });
    expect(sessionPresent).toBe(false);
    a.moves.waiting = [];
    a.memory.sweepAfter(1_000);
    await quiet();
    expect(await sessions.load('device')).toMatchObject({ durable: true });
  });

  it('leaves its will first', async () => {
    a.moves.waiting = [queue(3, 9)];
    const will = { topic: 'gone', qos: 1, retain: false, payload: Buffer.from('x') } as const;
    const client = await publisher(a, { will });
    client.cut();
    await quiet();
    const left = await sessions.take({
      ...{ clientId: 'device', node: b.bus.self, nowMs: clock.now() },
      ...{ cleanStart: true, durable: false, expiryIntervalSeconds: 0, connected: true },
    });
    expect(left).toMatchObject({ kind: 'owned', owner: a.bus.self, hasWill: false });
  });

  it('is removed when the node leaves, after the bridge is quiet', async () => {
    a.moves.waiting = [queue(3, 9)];
    const client = await publisher(a);
    client.cut();
    await quiet();
    let wasUp = false;
    a.moves.onQuiet = () => (wasUp = a.bus.isUp);
    await a.memory.node.stop();
    expect(wasUp).toBe(true);
    expect(await sessions.load('device')).toBeUndefined();
  });
});

it('a node tells how far its bridge is', async () => {
  a.moves.waiting = [queue(3, 9)];
  await expect(b.bus.request('a', { kind: 'bridge-progress' })).resolves.toEqual({
    backlogs: [{ node: a.bus.self, queues: [queue(3, 9)] }],
  });
});

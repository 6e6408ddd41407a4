import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  StoreUnavailableError,
  type SessionOperation,
  type SessionStore,
} from '#libs/broker-ports';
import type { ConnectPacket, QoS, Will } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  fakeClock,
  MemoryCluster,
  MemoryNode,
  quiet,
  type FakeClock,
  type MemoryBus,
  type MemoryClient,
} from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
const SESSIONS = [
  ['in memory', {}],
  ['durable', DURABLE],
] as const;

interface Member {
  readonly memory: MemoryNode;
  readonly bus: MemoryBus;
  /** The one store as this node reaches it: its writes can be made to behave. */
  readonly store: SessionStore;
}

let clock: FakeClock;
let cluster: MemoryCluster;
let sessions: LocalSessionStore;
let retained: LocalRetainedStore;
let a: Member;
let b: Member;
let c: Member;
let watchers: readonly MemoryClient[];

beforeEach(async () => {
  clock = fakeClock();
  cluster = new MemoryCluster();
  sessions = new LocalSessionStore({ clock: clock.now });
  retained = new LocalRetainedStore({ clock: clock.now });
  a = await join('node-a');
  b = await join('node-b');
  c = await join('node-c');
  watchers = [await connected(c, 'in memory'), await connected(c, 'durable', DURABLE)];
  for (const watcher of watchers) await watcher.subscribe('will', { qos: 2 });
});

async function join(nodeId: string): Promise<Member> {
  const bus = cluster.bus(nodeId);
  const store = Object.create(sessions, {
    write: { value: sessions.write.bind(sessions), writable: true },
    ...Object.fromEntries(
      (['take', 'read', 'load', 'owners', 'ownedBy', 'abandon'] as const).map((name) => [
        name,
        { value: sessions[name].bind(sessions) },
      ]),
    ),
  }) as SessionStore;
  const memory = new MemoryNode({ sessions: store, retained, clock, bus });
  await memory.node.start();
  return { memory, bus, store };
}

async function connected(
  { memory }: Member,
  clientId: string,
  options: Partial<ConnectPacket> = {},
): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...options });
  return client;
}

function will(qos: QoS, text = 'gone'): Will {
  return { topic: 'will', payload: Buffer.from(text), qos, retain: false, properties: {} };
}

/** What each of the watchers has got. */
async function got(): Promise<readonly string[][]> {
  await quiet(40);
  return watchers.map((watcher) => watcher.takeTexts());
}

async function sweep(...members: readonly Member[]): Promise<void> {
  clock.advance(1_000);
  for (const { memory } of members) memory.node.sweep();
  await quiet(40);
}

/** From the first write of these kinds on, nothing that the node writes is carried out: it is as good as dead. */
function dieAtWrite({ store }: Member, ...kinds: readonly SessionOperation['kind'][]): void {
  const write = store.write.bind(store);
  store.write = (operations) => {
    const isLast = operations.some(({ kind }) => kinds.includes(kind));
    if (isLast) store.write = () => new Promise(() => undefined);
    return isLast ? new Promise(() => undefined) : write(operations);
  };
}

async function die({ bus }: Member): Promise<void> {
  bus.kill();
  await quiet(40);
}

describe('a will of QoS 2', () => {
  it.each(SESSIONS)('comes once when its node dies before it is forgotten (%s)', async (_, own) => {
    const client = await connected(a, 'client', { ...own, will: will(2) });
    dieAtWrite(a, 'forget-will', 'discard');
    client.cut();
    expect(await got()).toEqual([['gone'], ['gone']]);
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([[], []]);
    expect(b.memory.counts.get('will')).toBe(1);
  });

  it.each(SESSIONS)('comes once when the heir of its node dies, too (%s)', async (_, own) => {
    await connected(a, 'client', { ...own, will: will(2) });
    dieAtWrite(b, 'forget-will', 'discard');
    await die(a);
    await sweep(b);
    expect(await got()).toEqual([['gone'], ['gone']]);
    await die(b);
    await sweep(c);
    await sweep(c);
    expect(await got()).toEqual([[], []]);
    expect(c.memory.counts.get('will')).toBe(1);
  });

  it('comes once when it is tried again because another node could not be reached', async () => {
    const far = await connected(b, 'far');
    await far.subscribe('will', { qos: 2 });
    const client = await connected(a, 'client', { will: will(2) });
    const send = a.bus.sendDurable.bind(a.bus);
    a.bus.sendDurable = (node, frame) =>
      node.nodeId === 'node-b'
        ? Promise.reject(new StoreUnavailableError('full'))
        : send(node, frame);
    client.cut();
    expect(await got()).toEqual([['gone'], ['gone']]);
    a.bus.sendDurable = send;
    await sweep(a);
    expect([await got(), far.takeTexts()]).toEqual([[[], []], ['gone']]);
  });
});

describe('a will of QoS 1', () => {
  it('comes at least once when its node dies before it is published', async () => {
    const client = await connected(a, 'client', { will: will(1) });
    dieAtWrite(a, 'claim-will');
    client.cut();
    expect(await got()).toEqual([[], []]);
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([['gone'], ['gone']]);
  });

  it.each(SESSIONS)('comes once when its client is back at once (%s)', async (_, own) => {
    for (const member of [a, b]) {
      const client = await connected(a, 'client', { ...own, will: will(1) });
      client.cut();
      await connected(member, 'client', { ...own, will: will(1, 'later') });
      await sweep(a, b);
      expect(await got()).toEqual([['gone'], ['gone']]);
      await die(member);
      await sweep(a, b, c);
      expect(await got()).toEqual([['later'], ['later']]);
      a = await join('node-a');
    }
  });

  it.each(SESSIONS)(
    'comes once when its client is back before the store is (%s)',
    async (_, own) => {
      const client = await connected(a, 'client', { ...own, will: will(1) });
      const write = a.store.write.bind(a.store);
      a.store.write = () => Promise.reject(new StoreUnavailableError('away'));
      client.cut();
      await sweep(a);
      expect(await got()).toEqual([[], []]);
      a.store.write = write;
      await connected(a, 'client', { ...own, will: will(1, 'later') });
      expect(await got()).toEqual([['gone'], ['gone']]);
      await sweep(a);
      await die(a);
      await sweep(b, c);
      expect(await got()).toEqual([['later'], ['later']]);
    },
  );

  it('comes once when its node wakes after the client has gone elsewhere', async () => {
    const before = await connected(a, 'client', { will: will(1) });
    a.bus.isDeaf = true;
    a.bus.isPaused = true;
    await connected(b, 'client');
    expect(await got()).toEqual([['gone'], ['gone']]);
    before.cut();
    await sweep(a, b);
    expect(await got()).toEqual([[], []]);
  });

  it('comes once when its node is stopped', async () => {
    await connected(a, 'client', { will: will(1) });
    const stopped = a.memory.node.stop();
    expect(await got()).toEqual([['gone'], ['gone']]);
    await stopped;
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([[], []]);
  });
});

describe('a will of QoS 0', () => {
  it.each(SESSIONS)('is forgotten before it is published (%s)', async (_, own) => {
    const client = await connected(a, 'client', { ...own, will: will(0) });
    const write = a.store.write.bind(a.store);
    a.store.write = async (operations) => {
      const outcomes = await write(operations);
      if (operations.some(({ kind }) => kind === 'forget-will')) await new Promise(() => undefined);
      return outcomes;
    };
    client.cut();
    await quiet(40);
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([[], []]);
  });

  it.each(SESSIONS)(
    'is published once, and by the heir if there was no time (%s)',
    async (_, own) => {
      const one = await connected(a, 'one', { ...own, will: will(0) });
      one.cut();
      expect(await got()).toEqual([['gone'], ['gone']]);
      await connected(a, 'other', { ...own, will: will(0) });
      await die(a);
      await sweep(b, c);
      expect(await got()).toEqual([['gone'], ['gone']]);
    },
  );
});

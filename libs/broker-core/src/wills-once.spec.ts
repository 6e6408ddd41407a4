import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type SessionOperation } from '#libs/broker-ports';
import type { QoS, Will } from '#libs/mqtt-codec';
import {
  DURABLE,
  fakeClock,
  MemoryFleet,
  quiet,
  type FakeClock,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';

const SESSIONS = [
  ['in memory', {}],
  ['durable', DURABLE],
] as const;

let clock: FakeClock;
let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;
let c: FleetNode;
let watchers: readonly MemoryClient[];

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  a = await fleet.join('node-a');
  b = await fleet.join('node-b');
  c = await fleet.join('node-c');
  watchers = [await c.connected('in memory'), await c.connected('durable', DURABLE)];
  for (const watcher of watchers) await watcher.subscribe('will', { qos: 2 });
});

function will(qos: QoS, text = 'gone'): Will {
  return { topic: 'will', payload: Buffer.from(text), qos, retain: false, properties: {} };
}

/** What each of the watchers has got. */
async function got(): Promise<readonly string[][]> {
  await quiet(40);
  return watchers.map((watcher) => watcher.takeTexts());
}

async function sweep(...members: readonly FleetNode[]): Promise<void> {
  clock.advance(1_000);
  for (const { node } of members) node.sweep();
  await quiet(40);
}

/** From the first write of these kinds on, nothing that the node writes is carried out: it is as good as dead. */
function dieAtWrite({ store }: FleetNode, ...kinds: readonly SessionOperation['kind'][]): void {
  const write = store.write.bind(store);
  store.write = (operations) => {
    const isLast = operations.some(({ kind }) => kinds.includes(kind));
    if (isLast) store.write = () => new Promise(() => undefined);
    return isLast ? new Promise(() => undefined) : write(operations);
  };
}

async function die({ bus }: FleetNode): Promise<void> {
  bus.kill();
  await quiet(40);
}

describe('a will of QoS 2', () => {
  it.each(SESSIONS)('comes once when its node dies before it is forgotten (%s)', async (_, own) => {
    const client = await a.connected('client', { ...own, will: will(2) });
    dieAtWrite(a, 'forget-will', 'discard');
    client.cut();
    expect(await got()).toEqual([['gone'], ['gone']]);
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([[], []]);
    expect(b.counts.get('will')).toBe(1);
  });

  it.each(SESSIONS)('comes once when the heir of its node dies, too (%s)', async (_, own) => {
    await a.connected('client', { ...own, will: will(2) });
    dieAtWrite(b, 'forget-will', 'discard');
    await die(a);
    await sweep(b);
    expect(await got()).toEqual([['gone'], ['gone']]);
    await die(b);
    await sweep(c);
    await sweep(c);
    expect(await got()).toEqual([[], []]);
    expect(c.counts.get('will')).toBe(1);
  });

  it('comes once when it is tried again because another node could not be reached', async () => {
    const far = await b.connected('far');
    await far.subscribe('will', { qos: 2 });
    const client = await a.connected('client', { will: will(2) });
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
    const client = await a.connected('client', { will: will(1) });
    dieAtWrite(a, 'claim-will');
    client.cut();
    expect(await got()).toEqual([[], []]);
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([['gone'], ['gone']]);
  });

  it.each(SESSIONS)('comes once when its client is back at once (%s)', async (_, own) => {
    for (const member of [a, b]) {
      const client = await a.connected('client', { ...own, will: will(1) });
      client.cut();
      await member.connected('client', { ...own, will: will(1, 'later') });
      await sweep(a, b);
      expect(await got()).toEqual([['gone'], ['gone']]);
      await die(member);
      await sweep(a, b, c);
      expect(await got()).toEqual([['later'], ['later']]);
      a = await fleet.join('node-a');
    }
  });

  it.each(SESSIONS)(
    'comes once when its client is back before the store is (%s)',
    async (_, own) => {
      const client = await a.connected('client', { ...own, will: will(1) });
      const write = a.store.write.bind(a.store);
      a.store.write = () => Promise.reject(new StoreUnavailableError('away'));
      client.cut();
      await sweep(a);
      expect(await got()).toEqual([[], []]);
      a.store.write = write;
      await a.connected('client', { ...own, will: will(1, 'later') });
      expect(await got()).toEqual([['gone'], ['gone']]);
      await sweep(a);
      await die(a);
      await sweep(b, c);
      expect(await got()).toEqual([['later'], ['later']]);
    },
  );

  it('comes once when its node wakes after the client has gone elsewhere', async () => {
    const before = await a.connected('client', { will: will(1) });
    a.bus.isDeaf = true;
    a.bus.isPaused = true;
    await b.connected('client');
    expect(await got()).toEqual([['gone'], ['gone']]);
    before.cut();
    await sweep(a, b);
    expect(await got()).toEqual([[], []]);
  });

  it('comes once when its node is stopped', async () => {
    await a.connected('client', { will: will(1) });
    const stopped = a.node.stop();
    expect(await got()).toEqual([['gone'], ['gone']]);
    await stopped;
    await die(a);
    await sweep(b, c);
    expect(await got()).toEqual([[], []]);
  });
});

describe('a will of QoS 0', () => {
  it.each(SESSIONS)('is forgotten before it is published (%s)', async (_, own) => {
    const client = await a.connected('client', { ...own, will: will(0) });
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
      const one = await a.connected('one', { ...own, will: will(0) });
      one.cut();
      expect(await got()).toEqual([['gone'], ['gone']]);
      await a.connected('other', { ...own, will: will(0) });
      await die(a);
      await sweep(b, c);
      expect(await got()).toEqual([['gone'], ['gone']]);
    },
  );
});

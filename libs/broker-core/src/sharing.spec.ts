import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import {
  DURABLE,
  MemoryFleet,
  quiet,
  subscriptionRequest,
  type FleetNode,
  type MemoryClient,
} from '#libs/testkit';

const GROUP = '$share/workers/jobs/+';

let fleet: MemoryFleet;

beforeEach(() => {
  fleet = new MemoryFleet();
});

/** A connected member of the group. */
async function worker(node: FleetNode, clientId: string, options = {}): Promise<MemoryClient> {
  const client = await node.connected(clientId, options);
  expect(await client.subscribe(GROUP, { qos: 1 })).toBe(1);
  return client;
}

async function publish(
  publisher: MemoryClient,
  texts: readonly string[],
  qos: 0 | 1 = 1,
): Promise<void> {
  for (const text of texts) {
    publisher.publish(`jobs/${text}`, text, { qos });
    if (qos === 1) await publisher.next('puback');
  }
  await quiet();
}

const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index));

describe('a shared subscription whose only member is changing nodes', () => {
  const coming = (node: FleetNode): MemoryClient => {
    const client = node.client();
    client.write(client.connectPacket({ clientId: 'w', ...DURABLE }));
    return client;
  };

  it.each([true, false])(
    'keeps a message until it is there (from a live node: %s)',
    async (isAlive) => {
      const [a, b] = [await fleet.join('a'), await fleet.join('b')];
      await worker(a, 'w', DURABLE);
      const publisher = await b.connected('publisher');
      a.bus.isUp = isAlive;
      const take = fleet.sessions.take.bind(fleet.sessions);
      let goOn = (): void => undefined;
      const held = new Promise<void>((resolve) => (goOn = resolve));
      fleet.sessions.take = async (request) => {
        if (request.replacesEpoch !== undefined) await held;
        return await take(request);
      };
      const after = coming(b);
      await quiet();
      publisher.publish('jobs/x', 'x', { qos: 1 });
      await quiet();
      const early = publisher.take();
      goOn();
      expect(await after.next('connack')).toMatchObject({ sessionPresent: true });
      await quiet();
      const late = publisher.take();
      // A former owner that lives has it in its inbox.
      expect([early.length, late.length]).toEqual(isAlive ? [1, 0] : [0, 1]);
      expect([...early, ...late]).toMatchObject([{ kind: 'puback', reasonCode: 0 }]);
      expect(after.takeTexts()).toEqual(['x']);
    },
  );

  it('loses nothing when nobody has the member for a while', async () => {
    const [a, b, c] = [await fleet.join('a'), await fleet.join('b'), await fleet.join('c')];
    await worker(a, 'w', DURABLE);
    const publisher = await c.connected('publisher');
    const take = fleet.sessions.take.bind(fleet.sessions);
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await take(request);
    };
    expect((await coming(b).next('connack')).reasonCode).toBe(0x88);
    fleet.sessions.take = take;
    await quiet();
    publisher.publish('jobs/x', 'x', { qos: 1 });
    for (let second = 0; second < 3; second += 1) {
      for (const member of [a, b, c]) member.sweepAfter(1_000);
      await quiet();
    }
    expect((await publisher.next('puback')).reasonCode).toBe(0);
    const after = await c.connected('w', DURABLE);
    await quiet();
    expect(after.takeTexts()).toEqual(['x']);
  });
});

describe('a shared subscription', () => {
  it.each([0, 1] as const)('gives each QoS %d message to one member, in turn', async (qos) => {
    const node = await fleet.join('a', { shareStrategy: 'round-robin' });
    const workers = [await worker(node, 'w1'), await worker(node, 'w2'), await worker(node, 'w3')];
    const plain = await node.connected('plain');
    await plain.subscribe('jobs/#');
    const publisher = await node.connected('publisher');
    await publish(publisher, texts(6), qos);
    const taken = workers.map((each) => each.takeTexts());
    expect(taken.map(({ length }) => length)).toEqual([2, 2, 2]);
    expect(taken.flat().sort()).toEqual(texts(6));
    expect(plain.takeTexts()).toEqual(texts(6));
  });

  it('is one per group and filter', async () => {
    const node = await fleet.join('a');
    const first = await worker(node, 'w1');
    const second = await node.connected('w2');
    await second.subscribe('$share/others/jobs/+');
    const third = await node.connected('w3');
    await third.subscribe('$share/workers/jobs/#');
    await publish(await node.connected('publisher'), ['x']);
    expect([first, second, third].map((each) => each.takeTexts())).toEqual([['x'], ['x'], ['x']]);
  });

  it('prefers whoever has the fewest unacknowledged messages', async () => {
    const node = await fleet.join('a');
    const slow = await worker(node, 'slow');
    const quick = await worker(node, 'quick');
    const publisher = await node.connected('publisher');
    const taken: string[] = [];
    for (const text of texts(10)) {
      await publish(publisher, [text]);
      for (const packet of quick.take()) {
        if (packet.kind !== 'publish') continue;
        taken.push(text);
        quick.write({ kind: 'puback', packetId: packet.packetId, reasonCode: 0 });
      }
    }
    expect(slow.takeTexts()).toHaveLength(1);
    expect(taken).toHaveLength(9);
  });

  it.each(['hash-topic', 'hash-client-id', 'sticky'] as const)(
    'keeps to one member: %s',
    async (strategy) => {
      const node = await fleet.join('a', { shareStrategy: strategy });
      const workers = await Promise.all(['w1', 'w2', 'w3'].map((id) => worker(node, id)));
      const publisher = await node.connected('publisher');
      for (let round = 0; round < 6; round += 1) await publish(publisher, ['same']);
      const counts = workers.map((each) => each.takeTexts().length);
      expect(counts.toSorted((a, b) => a - b)).toEqual([0, 0, 6]);
    },
  );

  it('delivers at the granted QoS, with its identifier, and never what is retained', async () => {
    const node = await fleet.join('a');
    const publisher = await node.connected('publisher');
    publisher.publish('jobs/old', 'old', { qos: 1, retain: true });
    await publisher.next('puback');
    const client = await node.connected('w1');
    await client.subscribe(GROUP, { qos: 0, identifier: 7 });
    await quiet();
    expect(client.take()).toEqual([]);
    await publish(publisher, ['x']);
    expect(await client.next('publish')).toMatchObject({
      qos: 0,
      retain: false,
      properties: { subscriptionIdentifiers: [7] },
    });
  });

  it('with No Local is a protocol error [MQTT-3.8.3-4]', async () => {
    const client = await (await fleet.join('a')).connected('w1');
    client.write({
      kind: 'subscribe',
      packetId: 1,
      subscriptions: [subscriptionRequest(GROUP, { noLocal: true })],
    });
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
  });

  it('subscribed to again by a member stays one membership; unsubscribed, none', async () => {
    const node = await fleet.join('a');
    const client = await worker(node, 'w1');
    expect(await client.subscribe(GROUP, { qos: 0 })).toBe(0);
    const publisher = await node.connected('publisher');
    await publish(publisher, ['x']);
    expect(await client.next('publish')).toMatchObject({ qos: 0 });
    expect(node.node.admin.status().subscriptions).toBe(1);
    client.write({ kind: 'unsubscribe', packetId: 9, filters: [GROUP] });
    expect(await client.next('unsuback')).toMatchObject({ reasonCodes: [0] });
    await publish(publisher, ['y']);
    expect(client.take()).toEqual([]);
    expect(node.node.admin.status().subscriptions).toBe(0);
  });

  it('gives what a member leaves unacknowledged to another, but for QoS 2 [MQTT-4.8.2-5]', async () => {
    const node = await fleet.join('a', { shareStrategy: 'round-robin' });
    const leaving = await node.connected('leaving');
    await leaving.subscribe(GROUP, { qos: 2 });
    const publisher = await node.connected('publisher');
    await publish(publisher, ['1']);
    publisher.publish('jobs/2', '2', { qos: 2 });
    const { packetId } = await publisher.next('pubrec');
    publisher.write({ kind: 'pubrel', packetId, reasonCode: 0 });
    await publisher.next('pubcomp');
    await quiet();
    expect(leaving.takeTexts()).toEqual(['1', '2']);
    const staying = await worker(node, 'staying');
    leaving.cut();
    await quiet();
    expect(staying.takeTexts()).toEqual(['1']);
    expect(node.counts.get('groupDelivery')).toBe(4);
  });

  it('queues for a member that is away only when nobody is connected', async () => {
    const node = await fleet.join('a');
    const away = await worker(node, 'away', DURABLE);
    const present = await worker(node, 'present');
    away.cut();
    await quiet();
    const publisher = await node.connected('publisher');
    await publish(publisher, texts(3));
    expect(present.takeTexts()).toEqual(texts(3));
    present.cut();
    await quiet();
    await publish(publisher, ['late']);
    await publish(publisher, ['gone'], 0);
    const back = await node.connected('away', DURABLE);
    await quiet();
    expect(back.takeTexts()).toContain('late');
    expect(node.drops.get('no_subscribers')).toBe(1);
  });
});

const ENDING = { reasonCode: 0x98, withWill: true, endSession: true };

describe('a durable member whose session ends', () => {
  const ends = {
    'by a clean start': (node: FleetNode) => node.connected('leaving'),
    'by an administrator': (node: FleetNode) =>
      node.node.admin.sessions.disconnect('leaving', ENDING),
    'because it has expired': async (node: FleetNode) => node.sweepAfter(3_601_000),
  };

  it.each(Object.entries(ends))(
    'leaves what it has not acknowledged to the others, but for QoS 2 (%s) [MQTT-4.8.2-5]',
    async (_, end) => {
      const node = await fleet.join('a', { shareStrategy: 'round-robin' });
      const leaving = await node.connected('leaving', DURABLE);
      await leaving.subscribe(GROUP, { qos: 2 });
      await leaving.subscribe('jobs/#', { qos: 1 });
      const publisher = await node.connected('publisher');
      await publish(publisher, ['sent']);
      publisher.publish('jobs/2', 'of QoS 2', { qos: 2 });
      await publisher.next('pubrec');
      leaving.cut();
      await quiet();
      await publish(publisher, ['queued']);
      const staying = await worker(node, 'staying');
      await end(node);
      await quiet(30);
      expect(staying.takeTexts()).toEqual(['sent', 'queued']);
    },
  );

  it('leaves it to a member at another node, and ends although nobody is left', async () => {
    const [a, b] = [await fleet.join('a'), await fleet.join('b')];
    for (const others of [true, false]) {
      const leaving = await worker(a, 'leaving', DURABLE);
      leaving.cut();
      await quiet();
      await publish(await a.connected('publisher'), ['queued']);
      const far = others ? await worker(b, 'far') : undefined;
      await a.node.admin.sessions.disconnect('leaving', ENDING);
      await quiet(30);
      expect(await fleet.sessions.load('leaving')).toBeUndefined();
      expect(far?.takeTexts()).toEqual(others ? ['queued'] : undefined);
      far?.cut();
      await quiet();
    }
  });
});

describe('a shared subscription across nodes', () => {
  it('gives each message to one member, wherever it is, by the number of members', async () => {
    const a = await fleet.join('a');
    const b = await fleet.join('b');
    const c = await fleet.join('c');
    const workers = [
      await worker(a, 'a1'),
      ...(await Promise.all(['b1', 'b2'].map((id) => worker(b, id)))),
    ];
    for (const node of [a, b, c]) {
      const publisher = await node.connected('publisher');
      await publish(publisher, texts(6));
      await publish(publisher, texts(6), 0);
      const taken = workers.map((each) => each.takeTexts());
      expect(taken.flat().sort()).toEqual([...texts(6), ...texts(6)].sort());
      expect(taken[0]).toHaveLength(4);
    }
  });

  it('stays at the publisher’s node when it is to', async () => {
    const a = await fleet.join('a', { shareStrategy: 'local' });
    const b = await fleet.join('b', { shareStrategy: 'local' });
    const here = await worker(a, 'here');
    const there = await worker(b, 'there');
    await publish(await a.connected('publisher'), texts(4));
    expect([here.takeTexts().length, there.takeTexts().length]).toEqual([4, 0]);
  });

  it('agrees on the member for a topic', async () => {
    const nodes = [
      await fleet.join('a', { shareStrategy: 'hash-topic' }),
      await fleet.join('b', { shareStrategy: 'hash-topic' }),
      await fleet.join('c', { shareStrategy: 'hash-topic' }),
    ];
    const workers = await Promise.all(
      nodes.map((node, index) => worker(node, `w${String(index)}`)),
    );
    for (const [index, node] of nodes.entries()) {
      await publish(await node.connected(`p${String(index)}`), ['same']);
    }
    const counts = workers.map((each) => each.takeTexts().length);
    expect(counts.toSorted((a, b) => a - b)).toEqual([0, 0, 3]);
  });

  it.each([{}, DURABLE])(
    'loses nothing to a member that acknowledges nothing while another can take it (%j)',
    async (options) => {
      const limits = { queueMessagesMax: 5, inflightMax: 5 };
      const a = await fleet.join('a', { shareStrategy: 'round-robin', limits: limits });
      const b = await fleet.join('b', { shareStrategy: 'round-robin', limits: limits });
      await worker(a, 'frozen', options);
      const healthy = await worker(b, 'healthy');
      const publisher = await a.connected('publisher');
      const taken: string[] = [];
      for (const text of texts(40)) {
        await publish(publisher, [text]);
        for (const packet of healthy.take()) {
          if (packet.kind !== 'publish') continue;
          taken.push(text);
          healthy.write({ kind: 'puback', packetId: packet.packetId, reasonCode: 0 });
        }
      }
      expect(a.drops.get('queue_full')).toBeUndefined();
      expect(taken.length).toBeGreaterThanOrEqual(30);
    },
  );

  it.each([
    { when: 'at once', lateMs: 0, taken: ['x'], drops: {} },
    { when: 'when its routes come late', lateMs: 1_000, taken: ['x'], drops: {} },
    { when: 'unless they do not come', lateMs: 5_000, taken: [], drops: { no_subscribers: 1 } },
  ])('goes on at another node when the chosen one has nobody left: $when', async (given) => {
    const [a, b] = [await fleet.join('a'), await fleet.join('b')];
    const there = await worker(b, 'there');
    const publisher = await a.connected('publisher');
    b.bus.isPaused = true;
    await publish(publisher, ['x']);
    there.cut();
    await quiet();
    if (given.lateMs > 0) b.bus.resume();
    await quiet();
    b.sweepAfter(given.lateMs);
    const here = await worker(a, 'here');
    if (given.lateMs === 0) b.bus.resume();
    await quiet();
    b.sweepAfter(1);
    await quiet();
    expect(here.takeTexts()).toEqual(given.taken);
    expect(Object.fromEntries(b.drops)).toEqual(given.drops);
  });

  it.each([
    { after: 'soon', awayMs: 1000, taken: ['x'], drops: {} },
    { after: 'after its expiry', awayMs: 60_000, taken: [], drops: { expired: 1 } },
    { after: 'much too late', awayMs: 300_000, taken: [], drops: { session_gone: 1 } },
  ])(
    'keeps what a member has left while a node cannot be reached: $after',
    async ({ after, awayMs, taken, drops }) => {
      const a = await fleet.join('a');
      const b = await fleet.join('b');
      const leaving = await worker(a, 'leaving');
      const publisher = await a.connected('publisher');
      const properties = after === 'after its expiry' ? { messageExpiryInterval: 60 } : {};
      publisher.publish('jobs/x', 'x', { qos: 1, properties });
      await publisher.next('puback');
      expect(await leaving.nextText()).toBe('x');
      const staying = await worker(b, 'staying');
      const inbox = fleet.cluster.placeOf(b.bus.self);
      if (inbox === undefined) throw new Error('b is not there');
      inbox.isFull = true;
      leaving.cut();
      await quiet();
      a.sweepAfter(awayMs);
      await quiet();
      inbox.isFull = false;
      a.sweepAfter(1000);
      await quiet();
      expect(staying.takeTexts()).toEqual(taken);
      expect(Object.fromEntries(a.drops)).toEqual(drops);
    },
  );

  it('prefers nodes that live', async () => {
    const a = await fleet.join('a');
    const b = await fleet.join('b');
    await worker(b, 'dead');
    const here = await worker(a, 'here');
    b.bus.isUp = false;
    await publish(await a.connected('publisher'), texts(4));
    expect(here.takeTexts()).toEqual(texts(4));
  });

  it('loses nothing when its only member moves to another node', async () => {
    const a = await fleet.join('a');
    const b = await fleet.join('b');
    const before = await worker(a, 'mover', DURABLE);
    const publisher = await (await fleet.join('c')).connected('publisher');
    const take = fleet.sessions.take.bind(fleet.sessions);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) await held;
      return take(request);
    };
    const after = b.client();
    after.write(after.connectPacket({ clientId: 'mover', ...DURABLE }));
    await before.closed();
    await quiet();
    await publish(publisher, ['meanwhile']);
    goOn();
    await after.next('connack');
    b.sweepAfter(1000);
    expect(await after.nextText()).toBe('meanwhile');
  });
});

describe('a message of a shared subscription in the inbox of a dead node', () => {
  it('comes to a member that the heir has taken over, and keeps nothing else from it', async () => {
    const a = await fleet.join('a');
    const c = await fleet.join('c');
    const away = await worker(a, 'away', DURABLE);
    await away.subscribe('own/#', { qos: 1 });
    away.cut();
    const publisher = await c.connected('publisher');
    a.bus.isPaused = true;
    await publish(publisher, ['left']);
    a.bus.kill();
    await quiet(40);
    publisher.publish('own/1', 'direct', { qos: 1 });
    expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });
    const back = await c.connected('away', DURABLE);
    await quiet(40);
    expect(back.takeTexts().sort()).toEqual(['direct', 'left']);
  });
});

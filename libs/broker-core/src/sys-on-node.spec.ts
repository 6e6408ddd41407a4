import { describe, expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { LocalDelayedStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryCluster,
  MemoryNode,
  messageOf,
  quiet,
  retainedMessages,
  type MemoryClient,
} from '#libs/testkit';

const clock = (): number => 0;

function stores() {
  return {
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
  };
}

async function started(options: Partial<ConstructorParameters<typeof MemoryNode>[0]> = {}) {
  const own = stores();
  const topics = { sysIntervalSeconds: 10 };
  const node = new MemoryNode({ ...own, topics, ...options });
  await node.node.start();
  return { node, ...own };
}

/** What a client has received, by topic. */
function received(client: MemoryClient): Map<string, string> {
  const values = new Map<string, string>();
  for (const packet of client.take()) {
    if (packet.kind !== 'publish') continue;
    expect(packet.qos).toBe(0);
    values.set(packet.topic, Buffer.from(packet.payload).toString());
  }
  return values;
}

describe('$SYS on a node', () => {
  it('is there for who subscribes, as retained messages that no store has', async () => {
    const { node, retained } = await started();
    const client = node.client();
    await client.connect();
    expect(await client.subscribe('$SYS/broker/#')).toBe(1);
    await quiet();
    const packets = client.take().filter((packet) => packet.kind === 'publish');
    expect(packets.every(({ retain }) => retain)).toBe(true);
    const topics = packets.map(({ topic }) => topic);
    expect(topics).toContain('$SYS/broker/version');
    expect(topics).toContain('$SYS/broker/load/publish/sent/15min');
    expect(retained.size().messages).toBe(0);
    expect(await retainedMessages(retained, '$SYS/#')).toEqual([]);
  });

  it('is published anew when its interval has passed, to plain and shared subscriptions', async () => {
    const { node } = await started();
    const client = node.client();
    const sharing = node.client();
    await client.connect();
    await sharing.connect({ clientId: 'sharing' });
    await client.subscribe('$SYS/broker/clients/connected');
    await sharing.subscribe('$share/g/$SYS/broker/clients/+');
    await quiet();
    expect([...received(client)]).toEqual([['$SYS/broker/clients/connected', '0']]);
    node.sweepAfter(9_999);
    await quiet();
    expect(received(client).size).toBe(0);
    node.sweepAfter(1);
    await quiet();
    expect([...received(client)]).toEqual([['$SYS/broker/clients/connected', '2']]);
    expect(received(sharing).get('$SYS/broker/clients/maximum')).toBe('2');
  });

  it('tells the live value without RETAIN, unless the subscription asks for it', async () => {
    const { node } = await started();
    const [plain, asPublished] = [node.client(), node.client()];
    await plain.connect();
    await asPublished.connect({ clientId: 'other' });
    await plain.subscribe('$SYS/broker/uptime', { retainHandling: 2 });
    await asPublished.subscribe('$SYS/broker/uptime', {
      retainHandling: 2,
      retainAsPublished: true,
    });
    node.sweepAfter(10_000);
    expect(await plain.next('publish')).toMatchObject({ retain: false });
    expect(await asPublished.next('publish')).toMatchObject({ retain: true });
  });

  it('is not found by wildcards that begin a filter [MQTT-4.7.2-1]', async () => {
    const { node } = await started();
    const client = node.client();
    await client.connect();
    await client.subscribe('#');
    await client.subscribe('+/broker/uptime');
    node.sweepAfter(10_000);
    await quiet();
    expect(received(client).size).toBe(0);
  });

  it('is each node’s own in a cluster, and sends nothing between nodes', async () => {
    const cluster = new MemoryCluster();
    const own = stores();
    const [one, two] = [cluster.bus('one'), cluster.bus('two')];
    const a = new MemoryNode({ ...own, bus: one, topics: { sysIntervalSeconds: 10 } });
    const b = new MemoryNode({ ...own, bus: two, topics: { sysIntervalSeconds: 10 } });
    await a.node.start();
    await b.node.start();
    const client = b.client();
    await client.connect();
    await client.subscribe('$SYS/brokers/#');
    await quiet();
    const first = received(client);
    expect(first.get('$SYS/brokers/two/version')).toBe('1.0.0');
    expect(first.get('$SYS/brokers')).toBe('two,one');
    expect([...first.keys()].some((topic) => topic.startsWith('$SYS/brokers/one/'))).toBe(false);
    a.sweepAfter(10_000);
    await quiet();
    expect(received(client).size).toBe(0);
    expect(a.counts.get('clusterMessages')).toBeUndefined();
  });

  it.each(['$SYS/x', '$delayed/1/$SYS/x'])(
    'is nobody’s to publish: %s of a client, an administrator or a bridge',
    async (topic) => {
      const own = stores();
      const bounds = { secondsMax: 100, messagesMax: 100, bytesMax: 10_000 };
      const delayed = { store: new LocalDelayedStore({ clock }), ...bounds };
      const node = new MemoryNode({ ...own, delayed, topics: { sysIntervalSeconds: 10 } });
      await node.node.start();
      const client = node.client();
      await client.connect();
      await client.subscribe('$SYS/#', { retainHandling: 2 });
      const message = { topic, payload: Buffer.from('x'), qos: 1, retain: true } as const;
      client.publish(topic, 'x', { qos: 1, retain: true });
      expect(await client.next('puback')).toMatchObject({ reasonCode: REASON.notAuthorized });
      expect(await node.node.admin.publish(message)).toMatchObject({
        kind: 'refused',
        error: { code: 'NOT_AUTHORIZED' },
      });
      const error = await new Promise((resolve) => node.node.inject(message, resolve));
      expect(error).toMatchObject({ code: 'NOT_AUTHORIZED' });
      await quiet();
      expect(client.take()).toEqual([]);
      expect([own.retained.size().messages, delayed.store.size().messages]).toEqual([0, 0]);
    },
  );

  it('is not stored, either, when a plugin of the hub publishes there', async () => {
    const { node, retained } = await started();
    const message = messageOf({ topic: '$SYS/plugin', retain: true });
    await new Promise<void>((resolve) => node.hub.publish(message, undefined, () => resolve()));
    expect(retained.size().messages).toBe(0);
  });

  it('may be switched off', async () => {
    const { node } = await started({ topics: { sysIntervalSeconds: 0 } });
    const client = node.client();
    await client.connect();
    await client.subscribe('$SYS/#');
    node.sweepAfter(100_000);
    await quiet();
    expect(client.take()).toEqual([]);
  });
});

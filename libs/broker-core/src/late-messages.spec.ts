import { beforeEach, describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryCluster, MemoryNode, quiet, type MemoryBus, type MemoryClient } from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

interface Member {
  readonly bus: MemoryBus;
  readonly memory: MemoryNode;
}

let sessions: LocalSessionStore;
let a: Member;
let b: Member;

beforeEach(async () => {
  const cluster = new MemoryCluster();
  sessions = new LocalSessionStore({ clock: () => 0 });
  const retained = new LocalRetainedStore({ clock: () => 0 });
  const join = async (nodeId: string): Promise<Member> => {
    const bus = cluster.bus(nodeId);
    const memory = new MemoryNode({ sessions, retained, bus });
    await memory.node.start();
    return { bus, memory };
  };
  a = await join('a');
  b = await join('b');
});

async function connected(
  { memory }: Member,
  clientId: string,
  options: Parameters<MemoryClient['connect']>[0] = {},
): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...options });
  return client;
}

async function published(publisher: MemoryClient, text: string): Promise<number> {
  publisher.publish('t', text, { qos: 1 });
  return (await publisher.next('puback')).reasonCode;
}

describe('a session that was taken from a node by force', () => {
  it('costs that node no look into the store for each late message', async () => {
    await (await connected(a, 'client', DURABLE)).subscribe('t');
    a.bus.isDeaf = true;
    a.bus.isPaused = true;
    const client = await connected(b, 'client', DURABLE);
    const publisher = await connected(a, 'publisher');
    // This write is refused, which does not say who has the session.
    expect(await published(publisher, '0')).toBe(0);
    a.bus.resume();
    await quiet();
    let loads = 0;
    const load = sessions.load.bind(sessions);
    sessions.load = (clientId) => {
      loads += 1;
      return load(clientId);
    };
    const texts = ['1', '2', '3'];
    for (const text of texts) expect(await published(publisher, text)).toBe(0);
    await quiet();
    expect([loads, client.takeTexts()]).toEqual([0, ['0', ...texts]]);
  });

  it('does not hold up what that node has read of its inbox while it was about to let it go', async () => {
    await (await connected(a, 'client', DURABLE)).subscribe('t');
    // Its mark is behind what waits for the session.
    a.bus.isPaused = true;
    const client = await connected(b, 'client', DURABLE);
    const publisher = await connected(a, 'publisher');
    expect(await published(publisher, 'late')).toBe(0);
    await quiet();
    expect(client.takeTexts()).toEqual(['late']);
  });
});

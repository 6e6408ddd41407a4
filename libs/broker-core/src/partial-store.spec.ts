import { beforeEach, describe, expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, type MemoryClient } from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
const clock = (): number => 0;

let memory: MemoryNode;
/** Clients whose sessions are in a part of the store that is away. */
let away: Set<string>;

beforeEach(() => {
  away = new Set();
  const sessions = new LocalSessionStore({ clock });
  const write = sessions.write.bind(sessions);
  sessions.write = async (operations) => {
    const outcomes = await write(operations.filter(({ clientId }) => !away.has(clientId)));
    const left = [...outcomes];
    return operations.map(({ clientId }) =>
      away.has(clientId) ? 'failed' : (left.shift() ?? 'failed'),
    );
  };
  memory = new MemoryNode({ sessions, retained: new LocalRetainedStore({ clock }) });
});

async function subscribed(clientId: string, topic: string): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, ...DURABLE });
  await client.subscribe(topic, { qos: 2 });
  return client;
}

describe('a part of the session store that is away', () => {
  it('refuses what was to go there, and not what the same turn has for other sessions', async () => {
    const [sound, lost] = [await subscribed('sound', 'a'), await subscribed('lost', 'b')];
    const publisher = memory.client();
    await publisher.connect({ clientId: 'publisher', ...DURABLE });
    away.add('lost');
    publisher.publish('b', '1', { qos: 1, packetId: 1 });
    publisher.publish('a', '2', { qos: 1, packetId: 2 });
    publisher.publish('a', '3', { qos: 2, packetId: 3 });
    await quiet(30);
    expect(publisher.take()).toMatchObject([
      { kind: 'puback', packetId: 1, reasonCode: REASON.quotaExceeded },
      { kind: 'puback', packetId: 2, reasonCode: REASON.success },
      { kind: 'pubrec', packetId: 3, reasonCode: REASON.success },
    ]);
    expect([sound.takeTexts(), lost.takeTexts()]).toEqual([['2', '3'], []]);
    expect(memory.log.of('session-write-failed')).toMatchObject([{ fields: { operations: 1 } }]);
  });

  it('ends a connection whose QoS 2 message cannot be written down, and no other', async () => {
    const sound = await subscribed('sound', 'a');
    const lost = memory.client();
    await lost.connect({ clientId: 'lost', ...DURABLE });
    away.add('lost');
    lost.publish('a', 'x', { qos: 2, packetId: 3 });
    await lost.closed();
    expect(sound.isEnded).toBe(false);
    expect(sound.takeTexts()).toEqual([]);
  });
});

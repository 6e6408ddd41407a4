import { describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  fakeClock,
  MemoryNode,
  quiet,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';

const clock = (): number => 0;

function nodeWith(limits: MemoryNodeOptions['limits'] = {}): MemoryNode {
  const sessions = new LocalSessionStore({ clock });
  return new MemoryNode({ sessions, retained: new LocalRetainedStore({ clock }), limits });
}

it.each([
  ['memory', 0],
  ['the store', 3600],
])('the queue in %s is bounded by what is in properties, too', async (_, expiry) => {
  const memory = nodeWith({ queueBytesMax: 1000 });
  const receiver = memory.client();
  const properties = { sessionExpiryInterval: expiry, receiveMaximum: 1 };
  await receiver.connect({ clientId: 'receiver', cleanStart: false, properties });
  await receiver.subscribe('t');
  const publisher = memory.client();
  await publisher.connect({ clientId: 'publisher' });
  for (let count = 0; count < 5; count += 1) {
    const userProperties = [['key', 'x'.repeat(400)]] as const;
    publisher.publish('t', '', { qos: 1, properties: { userProperties } });
    await publisher.next('puback');
  }
  await quiet();
  const { queueMessages, queueBytes = 0 } = memory.node.admin.client('receiver') ?? {};
  expect(queueMessages).toBe(2);
  expect(queueBytes).toBeGreaterThan(800);
  expect(memory.drops.get('queue_full')).toBeGreaterThan(1);
});

describe('the age of queued messages', () => {
  const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } };
  const LIMITS = {
    queueAgeSecondsMax: 60,
    queueMessagesMax: 3,
    sessionExpirySecondsMax: 0xffff_ffff,
  };
  const LONG = { messageExpiryInterval: 3600 };

  function world(): { memory: MemoryNode; client: (id: string) => Promise<MemoryClient> } {
    const clock = fakeClock();
    const sessions = new LocalSessionStore({ clock: clock.now });
    const retained = new LocalRetainedStore({ clock: clock.now });
    const memory = new MemoryNode({ sessions, retained, clock, limits: LIMITS });
    const client = async (clientId: string): Promise<MemoryClient> => {
      const made = memory.client();
      await made.connect({ clientId, ...DURABLE });
      return made;
    };
    return { memory, client };
  }

  async function publish(publisher: MemoryClient, ...texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      publisher.publish('t', text, { qos: 1, properties: LONG });
      await publisher.next('puback');
    }
    await quiet();
  }

  it('is bounded: what is older is dropped and counted when its client comes', async () => {
    const { memory, client } = world();
    const away = await client('away');
    await away.subscribe('t');
    away.cut();
    const publisher = await client('publisher');
    await publish(publisher, 'old');
    memory.clock.advance(30_000);
    await publish(publisher, 'young');
    memory.clock.advance(30_001);
    const back = await client('away');
    await quiet();
    expect(back.takeTexts()).toEqual(['young']);
    expect(memory.drops.get('expired')).toBe(1);
  });

  it('makes room in a full queue whose client is away', async () => {
    const { memory, client } = world();
    const away = await client('away');
    await away.subscribe('t');
    away.cut();
    const publisher = await client('publisher');
    await publish(publisher, '1', '2');
    memory.clock.advance(60_001);
    await publish(publisher, '3', 'one too many', '4', '5', 'one too many');
    expect(memory.drops).toEqual(
      new Map([
        ['queue_full', 2],
        ['expired', 2],
      ]),
    );
    const back = await client('away');
    await quiet();
    expect(back.takeTexts()).toEqual(['3', '4', '5']);
  });
});

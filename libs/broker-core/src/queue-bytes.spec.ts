import { expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, type MemoryNodeOptions } from '#libs/testkit';

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

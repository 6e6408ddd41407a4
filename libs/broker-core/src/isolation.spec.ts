import { describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, publishPacket, quiet, type MemoryClient } from '#libs/testkit';

const clock = (): number => 0;

function nodeWith(limits: ConstructorParameters<typeof MemoryNode>[0]['limits'] = {}): MemoryNode {
  const sessions = new LocalSessionStore({ clock });
  return new MemoryNode({ sessions, retained: new LocalRetainedStore({ clock }), limits });
}

async function connected(memory: MemoryNode, clientId: string): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId });
  return client;
}

const texts = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);

describe('a client that floods', () => {
  it('has its share of a turn, and then the others come', async () => {
    const memory = nodeWith();
    const receiver = await connected(memory, 'receiver');
    await receiver.subscribe('#');
    const [flooder, other] = [await connected(memory, 'flooder'), await connected(memory, 'other')];
    const [first, second] = [texts('first', 300), texts('second', 300)];

    flooder.write(...first.map((text) => publishPacket('flood', text)));
    flooder.write(...second.map((text) => publishPacket('flood', text)));
    other.publish('t', 'other');
    await quiet();

    expect(receiver.takeTexts()).toEqual([...first, 'other', ...second]);
    expect(memory.counts.get('readingHeld')).toBe(2);
    expect(flooder.isHeld).toBe(false);
  });

  it('is not troubled by a slow receiver that leaves meanwhile', async () => {
    const memory = nodeWith({ socketBufferBytesMax: 20_000, queueMessagesMax: 500 });
    const [slow, receiver] = [await connected(memory, 'slow'), await connected(memory, 'receiver')];
    await slow.subscribe('flood');
    await receiver.subscribe('flood', { qos: 0 });
    const flooder = await connected(memory, 'flooder');
    slow.isFrozen = true;
    const flood = (qos: 0 | 1): void => {
      const packets = texts('x', 1000).map((text, index) =>
        publishPacket('flood', text, { qos, packetId: qos === 0 ? 0 : index + 1 }),
      );
      flooder.write(...packets);
    };

    flood(1);
    await quiet();
    flood(0);
    slow.cut();
    flood(1);
    await quiet();

    expect(memory.drops.get('queue_full')).toBeGreaterThan(0);
    expect(receiver.takeTexts()).toHaveLength(3000);
  });
});

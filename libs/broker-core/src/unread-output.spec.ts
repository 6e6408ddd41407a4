import { beforeEach, describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, WIDE_LIMITS, type MemoryClient } from '#libs/testkit';

const { socketBufferBytesMax } = WIDE_LIMITS;
const clock = (): number => 0;

let retained: LocalRetainedStore;
let memory: MemoryNode;

beforeEach(() => {
  retained = new LocalRetainedStore({ clock });
  memory = new MemoryNode({ sessions: new LocalSessionStore({ clock }), retained });
});

async function connected(clientId: string): Promise<MemoryClient> {
  const client = memory.client();
  await client.connect({ clientId, keepAlive: 10 });
  return client;
}

/** PINGREQ without end, until it is no longer read. */
async function ping(client: MemoryClient): Promise<void> {
  const pings = Buffer.alloc(16_384);
  for (let at = 0; at < pings.length; at += 2) pings[at] = 0xc0;
  for (let count = 0; count < 64 && !client.isHeld; count += 1) {
    client.writeBytes(pings);
    await quiet(2);
  }
}

describe('answers that a client does not take', () => {
  it('are bounded: it is read from again when it has taken them', async () => {
    const client = await connected('client');
    client.isFrozen = true;
    await ping(client);
    expect(client.isHeld).toBe(true);
    expect(client.bufferedBytes).toBeLessThan(3 * socketBufferBytesMax);
    client.take();
    client.writeBytes(Uint8Array.of(0xc0, 0));
    await quiet();
    expect(client.take()).toEqual([]);
    client.thaw();
    await quiet();
    expect(client.isHeld).toBe(false);
    expect(client.take()).toEqual([{ kind: 'pingresp' }]);
  });

  it('cost it the connection when it takes none of them for two minutes', async () => {
    const client = await connected('client');
    client.isFrozen = true;
    await ping(client);
    memory.sweepAfter(1000);
    memory.sweepAfter(119_000);
    client.bufferedBytes -= 1;
    memory.sweepAfter(1000);
    memory.sweepAfter(120_000);
    await quiet();
    expect(client.isEnded).toBe(false);
    memory.sweepAfter(1000);
    await client.closed();
    expect(memory.counts.get('disconnected')).toBe(1);
  });

  it('are not what is delivered: such a client is read from', async () => {
    const client = await connected('client');
    await client.subscribe('t');
    client.isFrozen = true;
    const publisher = await connected('publisher');
    for (let count = 0; count < 4; count += 1) {
      publisher.publish('t', 'x'.repeat(60_000), { qos: 1 });
      await publisher.next('puback');
    }
    await quiet();
    expect(client.bufferedBytes).toBeGreaterThan(socketBufferBytesMax);
    expect(client.isHeld).toBe(false);
  });
});

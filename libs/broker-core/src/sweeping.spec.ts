import { describe, expect, it } from '@jest/globals';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet } from '#libs/testkit';

const SESSIONS = 5_000;
const EXPIRY_S = 10;

/** A node with many sessions whose clients have gone away. */
async function nodeWithSessions(): Promise<MemoryNode> {
  const clock = (): number => 0;
  const memory = new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    limits: { sessionsMax: SESSIONS + 1 },
  });
  const clients = Array.from({ length: SESSIONS }, () => memory.client());
  for (const [index, client] of clients.entries()) {
    const properties = { sessionExpiryInterval: EXPIRY_S };
    client.write(client.connectPacket({ clientId: `c${String(index)}`, properties }));
  }
  await quiet();
  for (const client of clients) client.cut();
  await quiet();
  return memory;
}

const sessionsOf = ({ node }: MemoryNode): number => node.admin.status().sessions;

describe('the sweep of many sessions', () => {
  it('takes several turns and ends all that are over', async () => {
    const memory = await nodeWithSessions();
    memory.sweepAfter(EXPIRY_S * 1000 - 1);
    await quiet();
    expect(sessionsOf(memory)).toBe(SESSIONS);

    memory.sweepAfter(1);
    const afterOneTurn = sessionsOf(memory);
    expect(afterOneTurn).toBeGreaterThan(0);
    expect(afterOneTurn).toBeLessThan(SESSIONS);
    memory.node.sweep();
    expect(sessionsOf(memory)).toBe(afterOneTurn);
    await quiet();
    expect(sessionsOf(memory)).toBe(0);
  });

  it('leaves alone whoever comes back between two turns', async () => {
    const memory = await nodeWithSessions();
    memory.sweepAfter(EXPIRY_S * 1000);
    const last = memory.client();
    const connack = await last.connect({ clientId: `c${String(SESSIONS - 1)}`, cleanStart: false });
    await quiet();
    expect(sessionsOf(memory)).toBe(1);
    expect(connack.reasonCode).toBe(0);
  });

  it('ends when the node stops', async () => {
    const memory = await nodeWithSessions();
    memory.sweepAfter(EXPIRY_S * 1000);
    const left = sessionsOf(memory);
    await memory.node.stop();
    await quiet();
    expect(sessionsOf(memory)).toBe(left);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { Authenticator, Identity } from '#libs/access';
import { REASON } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock, quiet, type MemoryClient } from '#libs/testkit';

const METHOD = 'PASS';
const END_MS = 60_000;

/** A node where every credential ends after a minute; AUTH brings one that lasts for as many more as it says. */
function newNode(): MemoryNode {
  const clock = fakeClock();
  const startMs = clock.now();
  const identity = (user: string | undefined, minutes: number): Identity => ({
    user,
    expiresAtMs: startMs + minutes * END_MS,
  });
  const authenticator: Authenticator = {
    login: ({ username }) =>
      Promise.resolve({ kind: 'allowed', backend: 'jwt', identity: identity(username, 1) }),
    exchange: () => ({
      backend: 'jwt',
      step: (data) => {
        const minutes = Number(Buffer.from(data ?? []).toString());
        return Promise.resolve({
          kind: 'allowed',
          identity: { ...identity('ann', minutes), user: 'ann' },
        });
      },
    }),
  };
  return new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    authenticator,
  });
}

/** Lets time pass, with the sweeps that belong to it. */
async function pass(memory: MemoryNode, ms: number): Promise<void> {
  memory.clock.advance(ms);
  memory.node.sweep();
  await quiet();
}

const will = { topic: 'gone', payload: Buffer.from('bye'), qos: 0, retain: false } as const;

async function watcherOf(memory: MemoryNode): Promise<MemoryClient> {
  const watcher = memory.client();
  const properties = { authenticationMethod: METHOD, authenticationData: Buffer.from('9') };
  await watcher.connect({ clientId: 'watcher', properties });
  await watcher.subscribe('gone');
  return watcher;
}

describe('a credential that ends', () => {
  it('ends the connection with 0x87, and the will is published', async () => {
    const memory = newNode();
    const watcher = await watcherOf(memory);
    const client = memory.client();
    await client.connect({ clientId: 'c', username: 'ann', will });
    await pass(memory, END_MS - 1);
    expect(memory.disconnects.size).toBe(0);
    await pass(memory, 1);
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.notAuthorized });
    await client.closed();
    expect(memory.disconnects.get('credential_expired')).toBe(1);
    expect(watcher.takeTexts()).toEqual(['bye']);
  });

  it('closes the connection of an older client', async () => {
    const memory = newNode();
    const client = memory.client(4);
    await client.connect({ clientId: 'c', username: 'ann' });
    await pass(memory, END_MS);
    await client.closed();
    expect(client.take()).toEqual([]);
  });

  it('is replaced by authentication on the live connection', async () => {
    const memory = newNode();
    const client = memory.client();
    const auth = (minutes: number) => ({
      authenticationMethod: METHOD,
      authenticationData: Buffer.from(String(minutes)),
    });
    await client.connect({ clientId: 'c', properties: auth(1) });
    client.write({ kind: 'auth', reasonCode: REASON.reAuthenticate, properties: auth(3) });
    expect(await client.next('auth')).toMatchObject({ reasonCode: REASON.success });
    await pass(memory, 2 * END_MS);
    expect(memory.disconnects.size).toBe(0);
    await pass(memory, END_MS);
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.notAuthorized });
  });
});

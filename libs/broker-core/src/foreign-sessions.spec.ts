import { describe, expect, it } from '@jest/globals';
import type { Authenticator } from '#libs/access';
import { REASON, type ConnectPacket } from '#libs/mqtt-codec';
import { LocalSessionStore, LocalRetainedStore } from '#libs/store-local';
import {
  DURABLE,
  fakeClock,
  MemoryFleet,
  MemoryNode,
  quiet,
  type MemoryClient,
} from '#libs/testkit';

/** Everybody is who they say, and may be nobody. */
const authenticator: Authenticator = {
  login: async ({ username }) => ({
    ...{ kind: 'allowed', backend: 'password' },
    identity: { user: username },
  }),
  exchange: () => undefined,
};

/** Counts how often a queue is read. */
class WatchedStore extends LocalSessionStore {
  reads = 0;

  override read(...query: Parameters<LocalSessionStore['read']>) {
    this.reads += 1;
    return super.read(...query);
  }
}

function newNode(isAsking = true, own?: LocalSessionStore): MemoryNode {
  const clock = fakeClock();
  return new MemoryNode({
    clock,
    sessions: own ?? new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    ...(isAsking && { authenticator }),
  });
}

/** Two nodes with the same users, or with the same node twice. */
async function newNodes(count: 1 | 2): Promise<readonly [MemoryNode, MemoryNode]> {
  const fleet = new MemoryFleet();
  const first = await fleet.join('a', { authenticator });
  return [first, count === 1 ? first : await fleet.join('b', { authenticator })];
}

/** What the client id `device` is told. */
async function refusalOf(
  memory: MemoryNode,
  username: string | undefined,
  more: Partial<ConnectPacket> = {},
): Promise<number> {
  const client = memory.client(more.version ?? 5);
  const packet = { clientId: 'device', ...(username !== undefined && { username }), ...more };
  const { reasonCode } = await client.connect(packet);
  await client.closed();
  return reasonCode;
}

async function deviceOf(memory: MemoryNode, username?: string): Promise<MemoryClient> {
  const client = memory.client();
  const user = username === undefined ? {} : { username };
  await client.connect({ clientId: 'device', ...DURABLE, ...user });
  return client;
}

const KEPT = DURABLE.properties;

describe.each([1, 2] as const)('on %d nodes the session of a client id', (count) => {
  it.each([
    ['of a user', 'ann', 'eve'],
    ['of a user, by nobody', 'ann', undefined],
    ['of nobody', undefined, 'eve'],
  ])('%s is not another one’s while it is connected', async (_, owner, other) => {
    const [first, second] = await newNodes(count);
    const device = await deviceOf(first, owner);
    await device.subscribe('t');
    expect(await refusalOf(second, other, { cleanStart: false, properties: KEPT })).toBe(0x87);
    expect(await refusalOf(second, other, { cleanStart: true })).toBe(REASON.notAuthorized);
    expect(await refusalOf(second, other, { version: 4, cleanStart: false })).toBe(0x87);
    await quiet();
    expect(device.isEnded).toBe(false);
    const publisher = second.client();
    await publisher.connect({ clientId: 'publisher' });
    publisher.publish('t', 'still mine', { qos: 1 });
    expect(await device.nextText()).toBe('still mine');
  });

  it('is not another one’s while its client is away, and loses nothing', async () => {
    const [first, second] = await newNodes(count);
    const device = await deviceOf(first, 'ann');
    await device.subscribe('t');
    device.cut();
    await quiet();
    const publisher = second.client();
    await publisher.connect({ clientId: 'publisher' });
    publisher.publish('t', 'for ann', { qos: 1 });
    await publisher.next('puback');
    expect(await refusalOf(second, 'eve', { cleanStart: false, properties: KEPT })).toBe(0x87);
    expect(await refusalOf(second, 'eve', { cleanStart: true })).toBe(0x87);
    const back = await deviceOf(second, 'ann');
    expect(await back.nextText()).toBe('for ann');
  });

  it('is taken over by its own user', async () => {
    const [first, second] = await newNodes(count);
    const device = await deviceOf(first, 'ann');
    await device.subscribe('t');
    const next = second.client();
    const connack = await next.connect({ clientId: 'device', username: 'ann', ...DURABLE });
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    expect(await device.next('disconnect')).toMatchObject({ reasonCode: REASON.sessionTakenOver });
  });

  it('is free when the session has ended', async () => {
    const [first, second] = await newNodes(count);
    const device = first.client();
    await device.connect({ clientId: 'device', username: 'ann' });
    device.cut();
    await quiet();
    const next = second.client();
    const connack = await next.connect({ clientId: 'device', username: 'eve' });
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
  });
});

describe('where nobody is asked who a client is', () => {
  it('sessions are of the client id alone, whatever name is shown', async () => {
    const memory = newNode(false);
    const device = await deviceOf(memory, 'ann');
    const next = memory.client();
    const connack = await next.connect({ clientId: 'device', username: 'eve', ...DURABLE });
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    await device.closed();
  });
});

describe('a session that is another user’s', () => {
  it('is not read for whoever wants to discard it', async () => {
    const store = new WatchedStore({ clock: fakeClock().now });
    const memory = newNode(true, store);
    const device = await deviceOf(memory, 'ann');
    await device.subscribe('$share/g/t', { qos: 1 });
    device.cut();
    await quiet();
    const publisher = memory.client();
    await publisher.connect({ clientId: 'publisher' });
    publisher.publish('t', 'for ann', { qos: 1 });
    await publisher.next('puback');
    store.reads = 0;
    expect(await refusalOf(memory, 'eve', { cleanStart: true })).toBe(REASON.notAuthorized);
    await quiet();
    expect(store.reads).toBe(0);
    const ann = memory.client();
    await ann.connect({ clientId: 'device', username: 'ann', cleanStart: true });
    expect(store.reads).toBe(1);
  });

  it('is free from the moment it expires, swept or not', async () => {
    const memory = newNode();
    const device = memory.client();
    const properties = { sessionExpiryInterval: 10 };
    await device.connect({ clientId: 'device', username: 'ann', properties });
    device.cut();
    await quiet();
    memory.clock.advance(9_999);
    expect(await refusalOf(memory, 'eve')).toBe(0x87);
    memory.clock.advance(1);
    const next = memory.client();
    expect(await next.connect({ clientId: 'device', username: 'eve' })).toMatchObject({
      reasonCode: 0,
      sessionPresent: false,
    });
  });
});

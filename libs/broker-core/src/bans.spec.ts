import { describe, expect, it } from '@jest/globals';
import type { Ban, BanSubject, Authenticator } from '#libs/access';
import { LinearClientIdPatterns } from '#libs/access-sources';
import type { DefinitionStore } from '#libs/broker-ports';
import { LocalDefinitionStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { fakeClock, MemoryNode, quiet, type MemoryClient } from '#libs/testkit';
import type { Bans, NewBan } from './bans.ts';

/** In CONNACK. */
const BANNED = 0x8a;
/** In DISCONNECT, which knows no 0x8A. */
const EXPELLED = 0x98;
/** What clients before MQTT 5 are told, as the decoder names it: not authorized. */
const REFUSED_V4 = 0x87;

/** Everybody is who they say. */
const trusting: Pick<Authenticator, 'login' | 'exchange'> = {
  login: async ({ username }) => ({
    ...{ kind: 'allowed', backend: 'password' },
    identity: { user: username },
  }),
  exchange: () => undefined,
};

async function world(bansMax = 10) {
  const clock = fakeClock();
  const store = new LocalDefinitionStore<Ban>('bans');
  const logins: string[] = [];
  const authenticator: Authenticator = {
    ...trusting,
    login: (login) => {
      logins.push(login.username ?? '');
      return trusting.login(login);
    },
  };
  const nodeOf = (bans: DefinitionStore<Ban>) =>
    new MemoryNode({
      clock,
      sessions: new LocalSessionStore({ clock: clock.now }),
      retained: new LocalRetainedStore({ clock: clock.now }),
      bans: { store: bans, bansMax, patterns: new LinearClientIdPatterns() },
      authenticator,
      limits: { clientIdBytesMax: 65_535 },
    });
  const memory = nodeOf(store);
  await memory.node.start();
  return { clock, store, memory, bans: bansOf(memory), logins, nodeOf };
}

function bansOf({ node }: MemoryNode): Bans {
  if (node.bans === undefined) throw new Error('the node has bans');
  return node.bans;
}

function ban(kind: BanSubject['kind'], value: string, more: Partial<NewBan> = {}): NewBan {
  return { kind, value, by: 'admin', ...more };
}

/** A ban as it is stored. */
function banItem(value: string): Ban {
  const kind = 'client_id';
  return { id: `${kind}:${value}`, kind, value, reason: '', by: 'admin', createdAtMs: 0 };
}

async function connected(memory: MemoryNode, clientId: string, version: 4 | 5 = 5) {
  const client = memory.client(version);
  await client.connect({ clientId, username: `user-${clientId}` });
  return client;
}

async function refusal(memory: MemoryNode, clientId: string, version: 4 | 5 = 5) {
  const client = memory.client(version);
  client.write(client.connectPacket({ clientId, username: `user-${clientId}` }));
  return (await client.next('connack')).reasonCode;
}

const subjects = [
  ['client_id_regex', '^c1$'],
  ['client_id', 'c1'],
  ['username', 'user-c1'],
  ['address', '192.0.2.0/24'],
] as const;

describe('a ban', () => {
  it.each(subjects)('on a %s ends live connections with 0x98', async (kind, value) => {
    const { memory, bans } = await world();
    const client = await connected(memory, 'c1');
    const old = memory.client(4);
    await old.connect({ clientId: 'c2', username: 'user-c2' });
    await bans.add(ban(kind, value, { reason: 'noise' }));
    expect((await client.next('disconnect')).reasonCode).toBe(EXPELLED);
    await quiet();
    expect(client.isEnded).toBe(true);
    expect(old.isEnded).toBe(kind === 'address');
    expect(memory.disconnects.get('banned')).toBe(kind === 'address' ? 2 : 1);
    expect(memory.counts.get('banHit')).toBe(kind === 'address' ? 2 : 1);
  });

  it.each(subjects)('on a %s refuses CONNECT', async (kind, value) => {
    const { memory, bans, logins } = await world();
    await bans.add(ban(kind, value));
    expect(await refusal(memory, 'c1')).toBe(BANNED);
    expect(await refusal(memory, 'c1', 4)).toBe(REFUSED_V4);
    expect(memory.counts.get('banHit')).toBe(2);
    // Only a user has to be proven.
    expect(logins).toEqual(kind === 'username' ? ['user-c1', 'user-c1'] : []);
  });

  it('reaches a client whose login is under way', async () => {
    const { memory, bans } = await world();
    const client = memory.client(5);
    client.write(client.connectPacket({ clientId: 'c1', username: 'user-c1' }));
    void bans.add(ban('username', 'user-c1'));
    await quiet();
    expect(client.isEnded).toBe(true);
  });

  it('reaches the clients of other nodes', async () => {
    const { memory, bans, store, nodeOf } = await world();
    const other = nodeOf(store);
    await other.node.start();
    const client = await connected(other, 'c1');
    await bans.add(ban('client_id', 'c1'));
    expect((await client.next('disconnect')).reasonCode).toBe(EXPELLED);
    expect(memory.disconnects.size).toBe(0);
  });

  it('is known to a node that starts after it', async () => {
    const { bans, store, nodeOf } = await world();
    await bans.add(ban('client_id', 'c1'));
    const later = nodeOf(store);
    await later.node.start();
    await quiet();
    expect(await refusal(later, 'c1')).toBe(BANNED);
  });

  it('ends, and is removed from the store', async () => {
    const { memory, bans, store, clock } = await world();
    await bans.add(ban('client_id', 'c1', { untilMs: clock.now() + 60_000 }));
    memory.sweepAfter(59_000);
    expect(await refusal(memory, 'c1')).toBe(BANNED);
    memory.sweepAfter(1_000);
    await quiet();
    expect(await store.list()).toEqual([]);
    expect(await refusal(memory, 'c1')).toBe(0);
    expect(bans.counts).toEqual({ client_id: 0, client_id_regex: 0, username: 0, address: 0 });
  });

  it('may be made anew when it has ended', async () => {
    const { bans, clock } = await world();
    await bans.add(ban('client_id', 'c1', { untilMs: clock.now() + 1 }));
    clock.advance(2);
    expect(await bans.add(ban('client_id', 'c1'))).toMatchObject({ kind: 'stored' });
  });

  it('stays as it is when there is one', async () => {
    const { bans } = await world();
    const first = await bans.add(ban('client_id', 'c1', { reason: 'first' }));
    const second = await bans.add(ban('client_id', 'c1', { by: 'flapping', untilMs: 1 }));
    expect(first).toMatchObject({ kind: 'stored' });
    expect(second).toMatchObject({ kind: 'exists', stored: { item: { reason: 'first' } } });
  });

  it('is lifted', async () => {
    const { memory, bans } = await world();
    await bans.add(ban('client_id', 'c1'));
    expect(await bans.remove('client_id:c1', undefined)).toMatchObject({ kind: 'stored' });
    expect(await refusal(memory, 'c1')).toBe(0);
  });

  it('is changed by whoever has seen it', async () => {
    const { memory, bans, clock } = await world();
    const made = await bans.put(ban('client_id', 'c1', { reason: 'first' }));
    expect(made).toMatchObject({ kind: 'stored', stored: { revision: 1 } });
    expect(await bans.put(ban('client_id', 'c1'))).toEqual({ kind: 'conflict' });
    clock.advance(1);
    const until = { ...ban('client_id', 'c1', { untilMs: clock.now() + 60_000 }), revision: 1 };
    const changed = await bans.put(until);
    expect(changed).toMatchObject({ stored: { item: { createdAtMs: clock.now() - 1 } } });
    expect(await refusal(memory, 'c1')).toBe(BANNED);
    memory.sweepAfter(60_000);
    await quiet();
    expect(await refusal(memory, 'c1')).toBe(0);
  });

  it('by pattern is on whoever has an id that is too long to be matched', async () => {
    const { memory, bans } = await world();
    const long = await connected(memory, 'x'.repeat(1_025));
    const short = await connected(memory, 'x'.repeat(1_024));
    await bans.add(ban('client_id_regex', '^never$'));
    expect((await long.next('disconnect')).reasonCode).toBe(EXPELLED);
    await quiet();
    expect(short.isEnded).toBe(false);
    expect(await refusal(memory, 'y'.repeat(1_025))).toBe(BANNED);
  });

  it('is not on nobody', async () => {
    const { bans } = await world();
    for (const none of [ban('address', 'somewhere'), ban('client_id_regex', '(')]) {
      expect(await bans.add(none)).toEqual({ kind: 'invalid' });
    }
  });
});

describe('many bans', () => {
  it('leave room for those of people when nodes make them', async () => {
    const { bans, memory } = await world(4);
    const made: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      made.push((await bans.add(ban('client_id', id, { by: 'flapping' }))).kind);
    }
    for (const id of ['d', 'e', 'f']) made.push((await bans.add(ban('client_id', id))).kind);
    expect(made).toEqual(['stored', 'stored', 'full', 'stored', 'stored', 'full']);
    expect(memory.log.of('bans-full')).toHaveLength(1);
    expect(bans.counts.client_id).toBe(4);
  });
});

describe('patterns', () => {
  it('do not cost more together than a CONNECT may', async () => {
    const { bans } = await world();
    const kinds: string[] = [];
    for (const letter of ['a', 'b', 'c']) {
      kinds.push((await bans.add(ban('client_id_regex', `${letter}{900}`))).kind);
    }
    expect(kinds).toEqual(['stored', 'stored', 'costly']);
    expect(await bans.remove('client_id_regex:a{900}', undefined)).toMatchObject({
      kind: 'stored',
    });
    expect(await bans.add(ban('client_id_regex', 'c{900}'))).toMatchObject({ kind: 'stored' });
  });
});

describe('a store that does not answer', () => {
  /** Rejects while it is away. */
  class Flaky extends LocalDefinitionStore<Ban> {
    isAway = false;
    override get(id: string) {
      return this.isAway ? Promise.reject(new Error('away')) : super.get(id);
    }
    override list() {
      return this.isAway ? Promise.reject(new Error('away')) : super.list();
    }
    override put(item: Ban, revision: number | undefined) {
      return this.isAway ? Promise.reject(new Error('away')) : super.put(item, revision);
    }
  }

  it('keeps no node from banning whom it has found', async () => {
    const { nodeOf } = await world();
    const store = new Flaky('bans');
    const memory = nodeOf(store);
    await memory.node.start();
    await quiet();
    const client: MemoryClient = await connected(memory, 'c1');
    store.isAway = true;
    const wanted = ban('client_id', 'c1', { by: 'flapping' });
    await expect(bansOf(memory).add(wanted)).rejects.toThrow('away');
    expect((await client.next('disconnect')).reasonCode).toBe(EXPELLED);
  });

  it('does not have a ban of people end with one of a node', async () => {
    const { nodeOf, clock } = await world();
    const store = new Flaky('bans');
    const memory = nodeOf(store);
    await memory.node.start();
    await quiet();
    await bansOf(memory).add(ban('client_id', 'c1'));
    store.isAway = true;
    const short = ban('client_id', 'c1', { by: 'flapping', untilMs: clock.now() + 500 });
    await expect(bansOf(memory).add(short)).rejects.toThrow('away');
    store.isAway = false;
    memory.sweepAfter(1_000);
    await quiet();
    expect(await store.list()).toHaveLength(1);
    expect(await refusal(memory, 'c1')).toBe(BANNED);
  });

  it('does not lift what a node has found itself', async () => {
    const { nodeOf } = await world();
    const store = new Flaky('bans');
    const memory = nodeOf(store);
    await memory.node.start();
    await quiet();
    store.isAway = true;
    await expect(bansOf(memory).add(ban('client_id', 'c1', { by: 'flapping' }))).rejects.toThrow(
      'away',
    );
    store.isAway = false;
    await store.put(banItem('c2'), undefined);
    await quiet();
    memory.sweepAfter(1_000);
    await quiet();
    expect(await refusal(memory, 'c2')).toBe(BANNED);
    expect(await refusal(memory, 'c1')).toBe(BANNED);
  });

  it('is told what a node has found itself when it is back, so that all nodes know it', async () => {
    const { nodeOf } = await world();
    const store = new Flaky('bans');
    const memory = nodeOf(store);
    await memory.node.start();
    await quiet();
    store.isAway = true;
    for (const id of ['c1', 'c2']) {
      const wanted = ban('client_id', id, { by: 'flapping' });
      await expect(bansOf(memory).add(wanted)).rejects.toThrow('away');
    }
    memory.sweepAfter(1_000);
    await quiet();
    store.isAway = false;
    await store.put(banItem('c2'), undefined);
    memory.sweepAfter(1_000);
    await quiet();
    const known = new Map((await store.list()).map(({ item }) => [item.id, item.by]));
    expect(known.get('client_id:c1')).toBe('flapping');
    expect(known.get('client_id:c2')).toBe('admin');
    expect((await bansOf(memory).remove('client_id:c1', undefined)).kind).toBe('stored');
    expect(await refusal(memory, 'c1')).not.toBe(BANNED);
    expect(await refusal(memory, 'c2')).toBe(BANNED);
  });

  it('is read when it is back', async () => {
    const { nodeOf } = await world();
    const store = new Flaky('bans');
    await store.put(banItem('c1'), undefined);
    store.isAway = true;
    const memory = nodeOf(store);
    await memory.node.start();
    await quiet();
    expect(bansOf(memory).counts.client_id).toBe(0);
    store.isAway = false;
    memory.sweepAfter(1_000);
    await quiet();
    expect(await refusal(memory, 'c1')).toBe(BANNED);
  });
});

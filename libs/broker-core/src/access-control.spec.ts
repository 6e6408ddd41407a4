import { describe, expect, it } from '@jest/globals';
import {
  AccessControl,
  Acl,
  ClientAccess,
  ClientIdRule,
  type AclRule,
  type Authenticator,
  type Principal,
} from '#libs/access';
import type { ProtocolVersion, PublishPacket } from '#libs/mqtt-codec';
import {
  LocalDelayedStore,
  LocalExclusiveStore,
  LocalRetainedStore,
  LocalSessionStore,
} from '#libs/store-local';
import {
  fakeClock,
  MemoryNode,
  quiet,
  type MemoryClient,
  type MemoryNodeOptions,
} from '#libs/testkit';
import type { DeniedPublish } from './access-parts.ts';

const REFUSED = 0x87;
const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

/** `open` below its own client id and `open/#`, but for `open/secret`; the administrator everywhere. */
const RULES: readonly AclRule[] = [
  rule('allow', ['#', '$SYS/#'], { who: { clientIds: ['admin'] } }),
  rule('deny', ['open/secret']),
  rule('allow', ['open/#', '${clientid}/#']),
];

function rule(effect: 'allow' | 'deny', topics: readonly string[], own = {}): AclRule {
  return { effect, actions: ['publish', 'subscribe'], topics, ...own };
}

/** A node with these rules, and a client of it that sees everything. */
async function world(
  options: Partial<MemoryNodeOptions> & { readonly deniedPublish?: DeniedPublish } = {},
): Promise<{ readonly memory: MemoryNode; readonly admin: MemoryClient }> {
  const { deniedPublish = 'acknowledge', ...own } = options;
  const clock = fakeClock();
  const control = new AccessControl(new Acl(RULES, 'deny'));
  const bounds = { secondsMax: 100, messagesMax: 10, bytesMax: 100_000 };
  const memory = new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    delayed: { ...bounds, store: new LocalDelayedStore({ clock: clock.now }) },
    exclusive: new LocalExclusiveStore(),
    access: { control, deniedPublish },
    ...own,
  });
  const admin = await connected(memory, 'admin');
  await admin.subscribe('#', { qos: 2 });
  return { memory, admin };
}

async function connected(
  memory: MemoryNode,
  clientId: string,
  options: Parameters<MemoryClient['connect']>[0] & { readonly as?: ProtocolVersion } = {},
): Promise<MemoryClient> {
  const { as = 5, ...connect } = options;
  const client = memory.client(as);
  await client.connect({ clientId, ...connect });
  return client;
}

async function puback(client: MemoryClient, topic: string, own: Partial<PublishPacket> = {}) {
  client.publish(topic, 'x', { qos: 1, ...own });
  return (await client.next('puback')).reasonCode;
}

describe('a client that tries to get around the rules', () => {
  it.each(['#', '+', '+/secret', 'other/#', 'open/secret', '$SYS/#', '$exclusive/other/a'])(
    'by SUBSCRIBE to %s',
    async (filter) => {
      const { memory } = await world();
      const client = await connected(memory, 'c1');
      expect(await client.subscribe(filter)).toBe(REFUSED);
    },
  );

  it.each(['$share/g/#', '$share/g/other/a', '$share/g/open/#'])(
    'by a shared subscription %s, of which a part may be denied',
    async (filter) => {
      const { memory } = await world();
      const client = await connected(memory, 'c1');
      expect(await client.subscribe(filter)).toBe(REFUSED);
      expect(await client.subscribe('$share/g/open/a')).toBe(1);
    },
  );

  it('by a wider filter, or several that overlap, gets what it may have', async () => {
    const { memory, admin } = await world();
    const client = await connected(memory, 'c1');
    expect([await client.subscribe('open/#'), await client.subscribe('open/+')]).toEqual([1, 1]);
    for (const qos of [0, 1] as const) {
      admin.publish('open/secret', 'secret', { qos });
      admin.publish('open/a', `open ${String(qos)}`, { qos });
    }
    await quiet();
    expect(client.takeTexts()).toEqual(['open 0', 'open 1']);
    expect(memory.drops.get('not_authorized')).toBe(2);
  });

  it('by a retained message', async () => {
    const { memory, admin } = await world();
    admin.publish('open/secret', 'secret', { retain: true });
    admin.publish('open/a', 'open', { retain: true });
    await quiet();
    const client = await connected(memory, 'c1');
    await client.subscribe('open/#');
    await quiet();
    expect(client.takeTexts()).toEqual(['open']);
  });

  it.each(['other/a', 'open/secret', '$delayed/1/open/secret', '$SYS/a', 'c2/a'])(
    'by PUBLISH to %s',
    async (topic) => {
      const { memory, admin } = await world();
      const client = await connected(memory, 'c1');
      expect(await puback(client, topic)).toBe(REFUSED);
      client.publish(topic, 'x', { qos: 2 });
      expect((await client.next('pubrec')).reasonCode).toBe(REFUSED);
      client.publish(topic, 'x');
      memory.sweepAfter(2_000);
      await quiet();
      expect([client.isEnded, admin.takeTexts().includes('x')]).toEqual([false, false]);
      expect(memory.counts.get('publishRejected')).toBe(3);
      expect(await puback(client, '$delayed/1/c1/a')).toBe(0);
    },
  );

  it('by a topic alias', async () => {
    const { memory } = await world();
    const client = await connected(memory, 'c1');
    expect(await puback(client, 'other/a', { properties: { topicAlias: 1 } })).toBe(REFUSED);
    expect(await puback(client, '', { properties: { topicAlias: 1 } })).toBe(REFUSED);
    expect(await puback(client, 'c1/a', { properties: { topicAlias: 1 } })).toBe(0);
    expect(await puback(client, '', { properties: { topicAlias: 1 } })).toBe(0);
  });

  it('by a name that is rewritten', async () => {
    const rewrite = [
      { action: 'all', filter: 'c1/alias', destination: 'open/secret' },
      { action: 'all', filter: 'secret', destination: 'open/a' },
    ] as const;
    const { memory } = await world({ topics: { rewrite } });
    const client = await connected(memory, 'c1');
    expect(await puback(client, 'c1/alias')).toBe(REFUSED);
    expect(await client.subscribe('c1/alias')).toBe(REFUSED);
    expect(await puback(client, 'secret')).toBe(0);
  });

  it('by the names below a mountpoint', async () => {
    const { memory } = await world({ rules: { mountpoint: 'other/' } });
    const client = await connected(memory, 'c1');
    expect([await puback(client, 'c1/a'), await client.subscribe('open/a')]).toEqual([
      REFUSED,
      REFUSED,
    ]);
  });

  it('by a spelling that looks the same, which is another topic', async () => {
    const composed = new Acl([rule('deny', ['caf\u00e9']), rule('allow', ['#'])], 'deny');
    const control = new AccessControl(composed);
    const { memory } = await world({ access: { control, deniedPublish: 'acknowledge' } });
    const [one, other] = [await connected(memory, 'c1'), await connected(memory, 'c2')];
    await one.subscribe('+');
    expect(await puback(other, 'caf\u00e9')).toBe(REFUSED);
    expect(await puback(other, 'cafe\u0301')).toBe(0);
    await quiet();
    expect(one.take().map((packet) => packet.kind === 'publish' && packet.topic)).toEqual([
      'cafe\u0301',
    ]);
  });

  it.each(['+', '#', 'a/b', '$SYS'])('by the client id %s', async (clientId) => {
    const { memory } = await world();
    const client = await connected(memory, clientId);
    expect(await client.subscribe('a/b/c')).toBe(REFUSED);
    expect(await client.subscribe('#')).toBe(REFUSED);
    expect(await client.subscribe('$SYS/#')).toBe(REFUSED);
  });

  it('by a will, which is refused at CONNECT', async () => {
    const { memory } = await world();
    for (const topic of ['other/a', '$delayed/1/open/secret']) {
      const will = { topic, payload: Buffer.from('w'), qos: 1, retain: false } as const;
      const connack = await memory.client().connect({ clientId: 'c1', will });
      expect(connack.reasonCode).toBe(REFUSED);
    }
  });

  it('by another user’s session keeps none of its subscriptions', async () => {
    const { memory, admin } = await world();
    const own = [rule('allow', ['own/#'], { who: { users: ['ann'] } })];
    memory.node.setAcl(new Acl([...own, ...RULES], 'deny'));
    const ann = await connected(memory, 'c1', { ...DURABLE, username: 'ann' });
    expect(await ann.subscribe('own/#')).toBe(1);
    ann.cut();
    await quiet();
    admin.publish('own/a', 'queued', { qos: 1 });
    await quiet();
    const bob = memory.client();
    await bob.connect({ ...DURABLE, clientId: 'c1', username: 'bob' });
    admin.publish('own/a', 'live', { qos: 1 });
    await quiet();
    expect(bob.takeTexts()).toEqual([]);
  });
});

describe('a denied PUBLISH before MQTT 5', () => {
  it('is acknowledged and dropped (MQTT 3.1.1, section 3.3.5)', async () => {
    const { memory, admin } = await world();
    const client = await connected(memory, 'c1', { as: 4 });
    expect(await puback(client, 'other/a')).toBe(0);
    const packetId = client.publish('other/a', 'x', { qos: 2 });
    await client.next('pubrec');
    client.write({ kind: 'pubrel', packetId, reasonCode: 0 });
    await client.next('pubcomp');
    await quiet();
    expect([client.isEnded, admin.takeTexts().includes('x')]).toEqual([false, false]);
    expect(await client.subscribe('#')).toBe(0x80);
  });

  it('ends the connection where that is wanted', async () => {
    const { memory } = await world({ deniedPublish: 'close' });
    const client = await connected(memory, 'c1', { as: 4 });
    client.publish('other/a', 'x', { qos: 1 });
    await client.closed();
    expect(client.take()).toEqual([]);
  });
});

describe('a right that is taken away', () => {
  const NOTHING = new Acl(RULES.slice(0, 1), 'deny');

  it('ends subscriptions, and keeps back what is queued', async () => {
    const { memory, admin } = await world();
    const live = await connected(memory, 'c1');
    const away = await connected(memory, 'c2', DURABLE);
    await live.subscribe('open/a');
    await away.subscribe('open/a');
    away.cut();
    await quiet();
    admin.publish('open/a', 'queued', { qos: 1 });
    await quiet();
    expect(live.takeTexts()).toEqual(['queued']);
    memory.node.setAcl(NOTHING);
    admin.publish('open/a', 'late', { qos: 1 });
    const back = await connected(memory, 'c2', DURABLE);
    await quiet();
    expect([live.takeTexts(), back.takeTexts()]).toEqual([[], []]);
    expect(memory.counts.get('unsubscribed') ?? 0).toBe(0);
    expect(memory.node.admin.status().subscriptions).toBe(1);
    expect(await puback(live, 'open/a')).toBe(REFUSED);
  });

  it('keeps back a will', async () => {
    const { memory, admin } = await world();
    const will = { topic: 'open/w', payload: Buffer.from('w'), qos: 1, retain: false } as const;
    const [one, other] = [
      await connected(memory, 'c1', { will }),
      await connected(memory, 'c2', { will }),
    ];
    one.cut();
    await quiet();
    expect(admin.takeTexts()).toEqual(['w']);
    memory.node.setAcl(NOTHING);
    other.cut();
    await quiet();
    expect(admin.takeTexts()).toEqual([]);
  });
});

describe('a member of a shared subscription whose right is taken away', () => {
  const GROUP = '$share/g/open/jobs';
  const JOBS = ['1', '2', '3', '4'];

  /** Denies c1 the group from now on. */
  function withdraw(memory: MemoryNode): void {
    const denied = rule('deny', ['open/#'], { who: { clientIds: ['c1'] } });
    memory.node.setAcl(new Acl([denied, ...RULES], 'deny'));
  }

  async function queuedFor(memory: MemoryNode, admin: MemoryClient, qos: 1 | 2) {
    const away = await connected(memory, 'c1', DURABLE);
    await away.subscribe(GROUP, { qos });
    away.cut();
    await quiet();
    for (const job of JOBS) admin.publish('open/jobs', job, { qos });
    await quiet();
  }

  it.each([1, 2] as const)('leaves what is queued with QoS %i to the others', async (qos) => {
    const { memory, admin } = await world();
    await queuedFor(memory, admin, qos);
    const other = await connected(memory, 'c2');
    await other.subscribe(GROUP, { qos });
    withdraw(memory);
    await quiet();
    const back = await connected(memory, 'c1', DURABLE);
    await quiet();
    expect(back.takeTexts()).toEqual([]);
    expect(other.takeTexts().filter((text) => JOBS.includes(text))).toEqual(JOBS);
  });

  it('leaves it to them also when it does not come back', async () => {
    const { memory, admin } = await world();
    await queuedFor(memory, admin, 1);
    withdraw(memory);
    await quiet();
    const other = await connected(memory, 'c2');
    await other.subscribe(GROUP, { qos: 1 });
    memory.sweepAfter(4_000_000);
    await quiet();
    expect(other.takeTexts()).toEqual(JOBS);
  });

  it('is chosen for nothing, even before all subscriptions have been looked at', async () => {
    const { memory, admin } = await world({ shareStrategy: 'round-robin' });
    const [one, other] = [await connected(memory, 'c1'), await connected(memory, 'c2')];
    for (const member of [one, other]) await member.subscribe(GROUP, { qos: 1 });
    withdraw(memory);
    for (const [index, job] of JOBS.entries()) {
      admin.publish('open/jobs', job, { qos: index < 2 ? 0 : 1 });
    }
    await quiet();
    expect(one.takeTexts()).toEqual([]);
    expect(other.takeTexts().toSorted()).toEqual(JOBS);
  });
});

describe('a client that authenticates again', () => {
  /** Counts what is asked about subscriptions. */
  class Counted extends ClientAccess {
    asked = 0;
    override subscribe(...request: Parameters<ClientAccess['subscribe']>) {
      this.asked += 1;
      return super.subscribe(...request);
    }
  }

  it('has its subscriptions looked at when its rights are others', async () => {
    const found: Counted[] = [];
    class Counting extends AccessControl {
      override admit(principal: Principal): ClientAccess {
        const access = new Counted(this, principal);
        found.push(access);
        return access;
      }
    }
    const all = () => [rule('allow', ['#'])];
    let rules = all();
    const authenticator: Authenticator = {
      login: () => Promise.resolve({ kind: 'failed', backend: 'jwt', detail: 'no method' }),
      exchange: () => ({
        backend: 'jwt',
        step: () => Promise.resolve({ kind: 'allowed', identity: { user: 'ann', rules } }),
      }),
    };
    const control = new Counting(new Acl([], 'deny'));
    const memory = new MemoryNode({
      sessions: new LocalSessionStore({ clock: () => 0 }),
      retained: new LocalRetainedStore({ clock: () => 0 }),
      authenticator,
      access: { control, deniedPublish: 'close' },
    });
    const client = memory.client();
    const properties = { authenticationMethod: 'PASS' };
    await client.connect({ clientId: 'c', properties });
    await client.subscribe('a');
    const [access] = found;
    const before = access?.asked;
    const again = async (): Promise<number | undefined> => {
      client.write({ kind: 'auth', reasonCode: 0x19, properties });
      await client.next('auth');
      return access?.asked;
    };
    rules = all();
    expect(await again()).toBe(before);
    rules = [rule('deny', ['a']), ...all()];
    expect(await again()).toBe((before ?? 0) + 1);
    expect(memory.node.admin.status().subscriptions).toBe(0);
  });
});

describe('a client id that is another’s', () => {
  const authenticator: Authenticator = {
    login: ({ username: user }) =>
      Promise.resolve({ kind: 'allowed', backend: 'password', identity: { user } }),
    exchange: () => undefined,
  };

  async function guarded(): Promise<MemoryNode> {
    const { memory } = await world({
      authenticator,
      clientIds: new ClientIdRule(['${username}:*', 'admin']),
    });
    return memory;
  }

  it('is refused, and the session of the other goes on', async () => {
    const memory = await guarded();
    const ann = memory.client();
    await ann.connect({ clientId: 'ann:1', username: 'ann', ...DURABLE });
    for (const version of [4, 5] as const) {
      const eve = memory.client(version);
      eve.write(eve.connectPacket({ clientId: 'ann:1', username: 'eve', cleanStart: true }));
      expect((await eve.next('connack')).reasonCode).toBe(0x85);
      await eve.closed();
    }
    expect(await puback(ann, 'ann:1/a')).toBe(0);
  });

  it('is none when the node has made it', async () => {
    const memory = await guarded();
    for (const version of [4, 5] as const) {
      const client = memory.client(version);
      await client.connect({ clientId: '', username: 'ann' });
      expect(await puback(client, 'open/a')).toBe(0);
    }
  });
});

describe('rules and hooks', () => {
  it('have to agree', async () => {
    const { memory } = await world();
    memory.hub.mayPublish = ({ topic }) => topic !== 'c1/hook';
    memory.hub.granted = (filter, qos) => (filter === 'c1/hook' ? undefined : qos);
    const client = await connected(memory, 'c1');
    expect(await puback(client, 'c1/hook')).toBe(REFUSED);
    expect(await puback(client, 'other/a')).toBe(REFUSED);
    expect(await client.subscribe('c1/hook')).toBe(REFUSED);
    expect(await puback(client, 'c1/a')).toBe(0);
  });

  it('are asked about automatic subscriptions', async () => {
    const filters = ['${clientId}/in', 'other/in'];
    const own = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const autoSubscribe = filters.map((filter) => ({ filter, ...own }));
    const { memory, admin } = await world({ topics: { autoSubscribe } });
    const client = await connected(memory, 'c1');
    await quiet();
    for (const topic of ['c1/in', 'other/in']) admin.publish(topic, topic, { qos: 1 });
    await quiet();
    expect(client.takeTexts()).toEqual(['c1/in']);
  });
});

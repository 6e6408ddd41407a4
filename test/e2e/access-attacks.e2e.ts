import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { IClientOptions } from 'mqtt';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const KEY = 'open-sesame-open-sesame';
const AWAY = { clientId: 'away', clean: false, properties: { sessionExpiryInterval: 600 } };
const SECRETS = ['open/secret', 'open/caf\u00e9'];
const USERS = ['admin', 'eve', 'bob'].map((name) => ({ name, password: 'low water' }));
const RULES = [
  { effect: 'allow', topics: ['#', '$SYS/#'], who: { users: ['admin'] } },
  { effect: 'deny', topics: SECRETS },
  { effect: 'allow', topics: ['open/#', '${username}/#'] },
];
const JOBS = { effect: 'allow', topics: ['jobs/#'] };
const NOT_FOR_EVE = { effect: 'deny', topics: ['jobs/#'], who: { users: ['eve'] } };
const GROUP = '$share/g/jobs/shared';
const SETTINGS = {
  AUTH_USERS: JSON.stringify(USERS),
  AUTH_ITERATIONS: 4096,
  // Witnesses come and go until rules are in force.
  FLAPPING_CONNECTIONS_MAX: 0,
  ACL_RULES: JSON.stringify(RULES),
  TOPICS_REWRITE: JSON.stringify([
    { action: 'all', filter: 'eve/alias', destination: 'open/secret' },
  ]),
};

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

/** Whether the broker has said 0x87, in whatever packet. */
async function refused(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return false;
  } catch (error) {
    return String(error).endsWith('Not authorized');
  }
}

describe('whoever tries to get around the rules of a cluster', () => {
  const shared = new Scope();
  let cluster: Cluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await startCluster(shared, SETTINGS);
    api = await Api.start(shared, cluster.redis, KEY);
  });
  afterAll(() => shared.close());

  const url = (node: number): string => cluster.nodes[node]?.url ?? '';
  const connect = (node: number, username: string, own: IClientOptions = {}): Promise<Client> =>
    Client.connect(scope, url(node), { username, password: 'low water', ...own });

  /** Sets the rules of the API, and waits until all nodes go by them. */
  async function setRules(rules: readonly object[], isInForce: () => Promise<boolean>) {
    const { body } = await api.call('listAclRules', { query: { source: 'api' } });
    const { items } = body as { readonly items: readonly { readonly id: string }[] };
    const wishes = [...items.map(({ id }) => ({ op: 'delete', id })), ...rules];
    const call = { query: { atomic: 'true' }, body: wishes };
    const { body: changed } = await api.call('changeAclRules', call);
    expect(JSON.stringify(changed)).not.toContain('problem');
    await until(isInForce, WAIT_MS);
  }

  it.each([
    ...['#', '+', '+/+', '+/secret', 'open/secret', 'open/caf\u00e9', 'bob/#', '$SYS/#', '/#'],
    ...['$share/g/#', '$share/g/open/#', '$share/g/open/+', '$share/g/open/secret'],
    ...['$share/g/bob/a', '$exclusive/open/secret', 'eve/alias', '$share/g/eve/alias'],
  ])('by SUBSCRIBE to %s is refused', async (filter) => {
    const eve = await connect(0, 'eve');
    expect(await refused(eve.subscribe(filter))).toBe(true);
  });

  it('by PUBLISH under any name is refused, and nobody at another node gets it', async () => {
    const admin = await connect(1, 'admin');
    for (const filter of ['open/#', 'bob/#', 'eve/#']) await admin.subscribe(filter, 2);
    const eve = await connect(0, 'eve', { properties: { topicAliasMaximum: 10 } });
    const topics = [...SECRETS, 'bob/a', 'eve/alias', '$SYS/a', 'a'];
    for (const topic of [...topics, ...topics.map((each) => `$delayed/1/${each}`)]) {
      for (const qos of [1, 2] as const) {
        expect([topic, await refused(eve.publish(topic, 'stolen', { qos }))]).toEqual([
          topic,
          true,
        ]);
      }
      await eve.publish(topic, 'stolen', { qos: 0 });
      await eve.publish(topic, 'stolen', { qos: 0, retain: true });
    }
    const properties = { topicAlias: 1 };
    for (const topic of ['open/secret', '']) {
      expect(await refused(eve.publish(topic, 'stolen', { qos: 1, properties }))).toBe(true);
    }
    // What is allowed comes behind what was tried, also where it was put off as long.
    await eve.publish('$delayed/2/open/a', 'delayed', { qos: 1 });
    await eve.publish('eve/a', 'own', { qos: 1 });
    await admin.receivesAll(['own', 'delayed'], WAIT_MS);
    expect(admin.payloads).not.toContain('stolen');
    const late = await connect(2, 'admin');
    await late.subscribe('#', 1);
    await eve.publish('open/b', 'live', { qos: 1 });
    await late.receivesAll(['live'], WAIT_MS);
    expect(late.payloads).not.toContain('stolen');
  });

  it.each(['open/secret', 'bob/a', 'eve/alias', '$delayed/1/open/secret'])(
    'by a will for %s is not let in',
    async (topic) => {
      const will = { topic, payload: Buffer.from('stolen'), qos: 1, retain: false } as const;
      expect(await refused(connectOnce({ will }))).toBe(true);
    },
  );

  /** Rejects with the error of a CONNACK. */
  async function connectOnce(own: IClientOptions): Promise<void> {
    const { mqtt } = new Client(scope, url(0), { username: 'eve', password: 'low water', ...own });
    await new Promise<void>((resolve, reject) => {
      mqtt.once('connect', () => resolve());
      mqtt.once('error', reject);
    });
  }

  it('by wider or overlapping filters, retained messages or another spelling gets what is allowed', async () => {
    const admin = await connect(1, 'admin');
    for (const topic of [...SECRETS, 'open/kept']) {
      await admin.publish(topic, `retained ${topic}`, { qos: 1, retain: true });
    }
    const eve = await connect(0, 'eve');
    for (const filter of ['open/#', 'open/+', 'open/cafe\u0301']) {
      expect(await refused(eve.subscribe(filter))).toBe(false);
    }
    for (const qos of [0, 1, 2] as const) {
      for (const topic of SECRETS) await admin.publish(topic, 'stolen', { qos });
    }
    await admin.publish('open/cafe\u0301', 'another topic', { qos: 1 });
    await admin.publish('open/end', 'end', { qos: 2 });
    await eve.receivesAll(['retained open/kept', 'another topic', 'end'], WAIT_MS);
    const topics = new Set(eve.received.map(({ topic }) => topic));
    for (const secret of SECRETS) expect(topics).not.toContain(secret);
  });

  it('after a right was taken away gets nothing of what is queued, at whichever node', async () => {
    await setRules([JOBS], allTakeJobs);
    const [admin, eve] = [await connect(1, 'admin'), await connect(0, 'eve', AWAY)];
    for (const filter of ['jobs/#', 'eve/#']) await eve.subscribe(filter, 1);
    await eve.mqtt.endAsync();
    await admin.publish('jobs/queued', 'stolen', { qos: 1 });
    await admin.publish('eve/queued', 'own', { qos: 1 });
    await setRules([NOT_FOR_EVE, JOBS], allRefuseJobs);
    const back = await connect(2, 'eve', AWAY);
    await admin.publish('jobs/later', 'stolen', { qos: 1 });
    await admin.publish('eve/later', 'later', { qos: 1 });
    await back.receivesAll(['own', 'later'], WAIT_MS);
    expect(back.payloads).not.toContain('stolen');
  });

  it('as a member of a shared subscription takes nothing away from the others', async () => {
    await setRules([JOBS], allTakeJobs);
    const [admin, eve] = [await connect(1, 'admin'), await connect(0, 'eve', AWAY)];
    await eve.subscribe(GROUP, 1);
    await eve.mqtt.endAsync();
    const jobs = Array.from({ length: 50 }, (_, index) => `job ${String(index)}`);
    for (const job of jobs.slice(0, 25)) await admin.publish('jobs/shared', job, { qos: 1 });
    const bob = await connect(2, 'bob');
    await bob.subscribe(GROUP, 1);
    await setRules([NOT_FOR_EVE, JOBS], allRefuseJobs);
    const back = await connect(0, 'eve', AWAY);
    for (const job of jobs.slice(25)) await admin.publish('jobs/shared', job, { qos: 1 });
    await bob.receivesAll(jobs, WAIT_MS);
    expect(back.received).toEqual([]);
  });

  /** What each node says to a client of the same user. */
  function refusals(): Promise<readonly boolean[]> {
    const subscribed = async (node: number) => {
      const witness = await connect(node, 'eve', { clientId: `witness-${String(node)}` });
      return witness.subscribe('jobs/probe', 1);
    };
    return Promise.all(cluster.nodes.map((_, node) => refused(subscribed(node))));
  }

  async function allRefuseJobs(): Promise<boolean> {
    return (await refusals()).every(Boolean);
  }

  async function allTakeJobs(): Promise<boolean> {
    return !(await refusals()).some(Boolean);
  }
});

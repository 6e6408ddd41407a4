import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const ADMINISTRATIVE_ACTION = 0x98;
const BANNED = 0x8a;
const NOT_AUTHORIZED = 0x87;
const KEY = 'open-sesame-open-sesame';

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

const SENSOR = ['-u', 'sensor-7', '-P', 'tide table', '-m', 'x', '-q', '1'];
const USERS = {
  AUTH_USERS: JSON.stringify([
    { name: 'sensor-7', password: 'tide table', groups: ['sensors'] },
    {
      ...{ name: 'dashboard', password: 'low water' },
      acl: [{ effect: 'allow', actions: ['subscribe'], topics: ['plant/#'] }],
    },
  ]),
  AUTH_ITERATIONS: 4096,
  ACL_RULES: JSON.stringify([
    { effect: 'allow', topics: ['plant/${username}/#'], who: { groups: ['sensors'] } },
  ]),
};

/** Denials of PUBLISH that a node has counted. */
function denials(node: Broker): Promise<number> {
  return node.ops.metric('skein_broker_authorizations_total', 'outcome="denied"');
}

describe('a node with users and rules', () => {
  const shared = new Scope();
  let node: Broker;

  beforeAll(async () => {
    node = await Broker.start(shared, USERS);
  });
  afterAll(() => shared.close());

  it.each([
    ['3.1', 'mqttv31'],
    ['3.1.1', '311'],
    ['5', '5'],
  ])('gives mosquitto with version %s what is allowed', async (version, option) => {
    const reader = ['-V', option, '-q', '1', '-u', 'dashboard', '-P', 'low water'];
    const sub = await MosquittoSub.open(scope, node.port, [...reader, '-t', 'plant/#']);
    const publish = (topic: string): Promise<void> =>
      mosquittoPub(scope, node.port, ['-V', option, ...SENSOR, '-t', topic]);
    const before = await denials(node);
    await publish('other/a').catch(() => undefined);
    await publish('plant/sensor-8/a').catch(() => undefined);
    await publish(`plant/sensor-7/${version}`);
    expect(await sub.receives(1)).toEqual([`plant/sensor-7/${version} q1 r0 x`]);
    await until(async () => (await denials(node)) >= before + 2, WAIT_MS);
  });
});

describe('a cluster', () => {
  const shared = new Scope();
  let cluster: Cluster;
  let api: Api;

  beforeAll(async () => {
    // Those who ask again and again whether they are let in are not to be banned for it.
    cluster = await startCluster(shared, { ACL_DEFAULT: 'allow', FLAPPING_CONNECTIONS_MAX: 0 });
    api = await Api.start(shared, cluster.redis, KEY);
  });
  afterAll(() => shared.close());

  const connect = (node: number, clientId: string, options = {}): Promise<Client> =>
    Client.connect(scope, cluster.nodes[node]?.url ?? '', { clientId, ...options });

  it('applies rules that are set over REST on every node, to those who are connected', async () => {
    const reader = await connect(0, 'reader');
    const writer = await connect(1, 'writer');
    await reader.subscribe('secret/#', 1);
    await writer.publish('secret/a', 'before');
    await until(() => reader.received.length === 1, WAIT_MS);

    const rules = [
      { id: 'no-secrets', effect: 'deny', actions: ['subscribe'], topics: ['secret/#'] },
      { effect: 'deny', actions: ['publish'], topics: ['plan/#'], who: { client_ids: ['writer'] } },
    ];
    const made = await Promise.all(rules.map((body) => api.call('createAclRule', { body })));
    expect(made.map(({ status }) => status)).toEqual([201, 201]);

    await until(async () => {
      const { body } = await api.call('listClientSubscriptions', { path: { client_id: 'reader' } });
      return (body as { items: unknown[] }).items.length === 0;
    }, WAIT_MS);
    await until(() => refused(writer.publish('plan/a', 'x')), WAIT_MS);
    expect(await refused(reader.subscribe('secret/a', 0))).toBe(true);

    const checks = [
      { action: 'subscribe', topic_filter: 'secret/#' },
      { action: 'publish', topic: 'plan/b' },
      { action: 'publish', topic: 'open' },
    ];
    const asked = await api.call('simulateAcl', { body: { client_id: 'reader', checks } });
    expect(asked.body).toMatchObject({
      results: [
        { allowed: false, rule: { source: 'api', rule: { id: 'no-secrets' } } },
        { allowed: true, rule: null },
        { allowed: true, rule: null },
      ],
    });

    const first = { id: 'open-plan', effect: 'allow', topics: ['plan/a'] };
    expect((await api.call('createAclRule', { body: first })).status).toBe(201);
    expect(await refused(writer.publish('plan/a', 'x'))).toBe(true);
    const shown = await api.call('listAclRules');
    const { items } = shown.body as { readonly items: readonly { readonly id: string }[] };
    const ids = items.map(({ id }) => id).toReversed();
    const headers = { 'if-match': shown.headers.get('etag') ?? '' };
    expect((await api.call('orderAclRules', { headers, body: { ids } })).status).toBe(200);
    await until(async () => !(await refused(writer.publish('plan/a', 'x'))), WAIT_MS);

    const removed = ids.map((id) => ({ op: 'delete', id }));
    await api.call('changeAclRules', { query: { atomic: 'true' }, body: removed });
    await until(async () => !(await refused(writer.publish('plan/b', 'x'))), WAIT_MS);
    await until(async () => !(await refused(writer.publish('plan/a', 'x'))), WAIT_MS);
  });

  it.each([
    ['client_id_regex', '^guest-\\d+$'],
    ['username', 'guest'],
    ['ip', '127.0.0.1'],
  ])('disconnects by %s, and lets in again', async (kind, value) => {
    const named = { clientId: 'guest-7', username: 'guest' };
    const guests = [await connect(1, 'guest-7', named), await connect(0, 'host')];
    const made = await api.call('createBan', { body: { kind, value } });
    expect(made.status).toBe(201);
    await until(() => guests[0]?.closes === 1, WAIT_MS);
    expect(guests[0]?.disconnects).toEqual([ADMINISTRATIVE_ACTION]);
    for (const node of cluster.nodes) {
      await until(async () => (await refusalOf(node, 'guest-7', 'guest')) === BANNED, WAIT_MS);
    }
    expect(guests[1]?.closes).toBe(kind === 'ip' ? 1 : 0);
    const { id } = made.body as { id: string };
    const lifted = await api.call('changeBans', { body: [{ op: 'delete', id }] });
    expect(lifted.body).toMatchObject({ items: [{ status: 204 }] });
    for (const node of cluster.nodes) {
      await until(async () => (await refusalOf(node, 'guest-7', 'guest')) === undefined, WAIT_MS);
    }
  });

  it('bans who comes and goes as it is told at run time', async () => {
    const shown = await api.call('getAutoBanConfig');
    const headers = { 'if-match': shown.headers.get('etag') ?? '' };
    const body = {
      ...{ connections_max: 3, connections_per_address_max: 0 },
      ...{ window_seconds: 60, ban_seconds: 60 },
    };
    expect((await api.call('replaceAutoBanConfig', { headers, body })).status).toBe(200);
    for (const [place, node] of cluster.nodes.entries()) {
      const id = `restless-${String(place)}`;
      await until(async () => (await refusalOf(node, id)) === BANNED, WAIT_MS);
    }
    const { body: bans } = await api.call('listBans', { query: { by: 'flapping' } });
    expect(bans).toMatchObject({ items: [{ value: 'restless-0' }, {}, {}] });
    for (const place of cluster.nodes.keys()) {
      const path = { ban_id: `client_id:restless-${String(place)}` };
      expect((await api.call('deleteBan', { path })).status).toBe(204);
    }
    const { headers: now } = await api.call('getAutoBanConfig');
    const back = { ...body, connections_max: 0 };
    const tag = { 'if-match': now.get('etag') ?? '' };
    expect((await api.call('replaceAutoBanConfig', { headers: tag, body: back })).status).toBe(200);
  });

  it('disconnects whom a ban is on, on whichever node, and keeps it out until it is lifted', async () => {
    const clients = [await connect(0, 'noisy'), await connect(1, 'other')];
    const body = { kind: 'client_id', value: 'other', reason: 'noise' };
    const made = await api.call('createBan', { body });
    expect(made.status).toBe(201);
    await until(() => clients[1]?.closes === 1, WAIT_MS);
    expect(clients[1]?.disconnects).toEqual([ADMINISTRATIVE_ACTION]);
    expect(clients[0]?.closes).toBe(0);
    for (const node of cluster.nodes) {
      await until(async () => (await refusalOf(node, 'other')) === BANNED, WAIT_MS);
    }

    const { id } = made.body as { id: string };
    expect((await api.call('deleteBan', { path: { ban_id: id } })).status).toBe(204);
    for (const node of cluster.nodes) {
      await until(async () => (await refusalOf(node, 'other')) === undefined, WAIT_MS);
    }
  });

  it('bans a network until its end', async () => {
    const client = await connect(2, 'somebody');
    const end = new Date(Date.now() + 10_000).toISOString();
    const body = { kind: 'cidr', value: '127.0.0.0/8', until: end };
    expect((await api.call('createBan', { body })).status).toBe(201);
    await until(() => client.closes === 1, WAIT_MS);
    await until(async () => (await refusalOf(cluster.nodes[0], 'x')) === undefined, WAIT_MS);
    await until(async () => {
      const { body: left } = await api.call('listBans');
      return (left as { items: unknown[] }).items.length === 0;
    }, WAIT_MS);
  });
});

/** Whether the broker has said no. */
async function refused(answer: Promise<unknown>): Promise<boolean> {
  try {
    const granted = await answer;
    return JSON.stringify(granted ?? '').includes(String(NOT_AUTHORIZED));
  } catch {
    return true;
  }
}

/** The code of a CONNACK that refuses; undefined for one that does not. */
async function refusalOf(
  node: Broker | undefined,
  clientId: string,
  username?: string,
): Promise<number | undefined> {
  const options = { clientId, ...(username !== undefined && { username }) };
  const { mqtt } = new Client(scope, node?.url ?? '', options);
  const code = await new Promise<number | undefined>((resolve) => {
    mqtt.once('connect', () => resolve(undefined));
    mqtt.once('error', (error) => resolve((error as { readonly code?: number }).code ?? -1));
  });
  await mqtt.endAsync(true);
  return code;
}

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OPERATIONS } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import type { Ops } from './harness/app.ts';
import { Broker } from './harness/broker.ts';
import { run } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const ADMINISTRATIVE_ACTION = 0x98;
const KEY = 'open-sesame-open-sesame';
const WAIT_MS = 10_000;

const scope = new Scope();
afterEach(() => scope.close());

/** What promtool has to say about a metrics page. */
async function promtoolOn(ops: Ops): Promise<string> {
  return run(scope, {
    command: 'promtool',
    args: ['check', 'metrics'],
    input: await ops.metrics(),
  });
}

const RULE = {
  id: 'telemetry',
  bridge: 'main',
  direction: 'mqtt-to-kafka',
  filter: 'devices/+/telemetry',
  topic: 'telemetry',
  ack: 'none',
};

describe('the API beside one embedded node', () => {
  const shared = new Scope();
  let node: Broker;
  let api: Api;

  beforeAll(async () => {
    node = await Broker.start(shared);
    api = await Api.start(shared, node.settings);
  });
  afterAll(() => shared.close());

  it('shows the status and the node', async () => {
    const status = await api.call('getStatus');
    expect(status.body).toMatchObject({ mode: 'embedded', nodes: { alive: 1, draining: 0 } });

    const nodes = await api.call('listNodes');
    expect(nodes.body).toMatchObject({ items: [{ id: node.id, state: 'alive', reachable: true }] });
    const shown = await api.call('getNode', { path: { node_id: node.id } });
    expect(shown.body).toMatchObject({ id: node.id });
  });

  it('lists, shows and disconnects a client, which is told why', async () => {
    const client = await Client.connect(scope, node.url, {
      clientId: 'press/7',
      username: 'plant',
    });
    await client.subscribe('presses/+/state', 2);
    const path = { client_id: 'press/7' };

    const list = await api.call('listClients', { query: { client_id: 'press/7' } });
    expect(list.body).toMatchObject({ items: [{ client_id: 'press/7', username: 'plant' }] });
    const shown = await api.call('getClient', { path });
    expect(shown.body).toMatchObject({
      node: node.id,
      state: 'connected',
      listener: 'tcp',
      mqtt_version: '5',
      subscription_count: 1,
    });
    const subscription = { client_id: 'press/7', filter: 'presses/+/state', qos: 2, node: node.id };
    const own = await api.call('listClientSubscriptions', { path });
    expect(own.body).toMatchObject({ items: [subscription] });
    const matching = await api.call('listSubscriptions', {
      query: { match_topic: 'presses/1/state' },
    });
    expect(matching.body).toMatchObject({ items: [subscription] });

    expect((await api.call('disconnectClient', { path })).status).toBe(204);
    await client.closed();
    expect(client.disconnects).toEqual([ADMINISTRATIVE_ACTION]);
    await until(async () => (await api.call('getClient', { path })).status === 404, WAIT_MS);
  });

  it('publishes to a subscriber, and says when nobody listens', async () => {
    const client = await Client.connect(scope, node.url);
    await client.subscribe('commands/#');

    const body = { topic: 'commands/7', payload: 'reboot', qos: 1 };
    const taken = await api.call('publishMessage', { body });
    expect(taken).toMatchObject({ status: 200, body: { matched_subscribers: 1 } });
    expect(await client.receives(1)).toEqual([
      { topic: 'commands/7', payload: 'reboot', qos: 1, retain: false },
    ]);
    const unheard = await api.call('publishMessage', { body: { ...body, topic: 'nobody/here' } });
    expect(unheard.status).toBe(202);
    expect((await api.call('publishMessage', { body: { topic: 'a/#' } })).status).toBe(400);
  });

  it('lists and deletes retained messages', async () => {
    const client = await Client.connect(scope, node.url, { clientId: 'keeper' });
    await client.publish('kept/state', 'on', { qos: 1, retain: true });
    const query = { filter: 'kept/#', payload: 'text' };

    const list = await api.call('listRetainedMessages', { query });
    expect(list.body).toMatchObject({
      items: [{ topic: 'kept/state', payload: 'on', publisher: 'keeper' }],
    });
    const gone = await api.call('deleteRetainedMessages', { query: { topic: 'kept/state' } });
    expect(gone.status).toBe(204);
    expect((await api.call('listRetainedMessages', { query })).body).toMatchObject({ items: [] });
  });

  it('refuses a rule of a bridge that the node does not have, and says which key to set', async () => {
    const refused = await api.call('createBridgeRule', { body: RULE });
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused).toMatchObject({
      status: 422,
      body: {
        code: 'unprocessable',
        detail:
          'bridge: is main, and there is no bridge of that id; add it to `bridges` (SKEIN_BRIDGES)',
      },
    });
    expect((await api.call('listBridgeRules')).body).toMatchObject({ items: [] });
  });

  it('serves its description, with every operation in it, and its pages', async () => {
    const { body } = await api.call('getOpenApi');
    const { paths } = body as { paths: Record<string, Record<string, unknown>> };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(described).toEqual(
      expect.arrayContaining(
        Object.values(OPERATIONS).map((each) => `${each.method} ${each.path}`),
      ),
    );

    expect((await api.call('getDocs')).status).toBe(200);
    const asset = await api.call('getDocsAsset', { path: { file: 'swagger-ui.css' } });
    expect(asset.status).toBe(200);
    const problem = await api.call('getProblem', { path: { code: 'not-found' } });
    expect(problem.body).toMatchObject({ code: 'not-found', status: 404 });
  });

  it('has metrics, as the node has, that promtool finds no fault with', async () => {
    await api.call('getStatus');

    expect(await promtoolOn(node.ops)).toBe('');
    expect(await promtoolOn(api.ops)).toBe('');
    expect(await node.ops.metric('skein_broker_connections_limit')).toBeGreaterThan(0);
  });
});

it('the API creates, shows, replaces and deletes a bridge rule, and says how it fares', async () => {
  // Nobody listens there.
  const node = await Broker.start(scope, bridgeTo('127.0.0.1:1'));
  const api = await Api.start(scope, node.settings);
  const path = { rule_id: RULE.id };
  expect((await api.call('createBridgeRule', { body: RULE })).status).toBe(201);
  expect((await api.call('createBridgeRule', { body: RULE })).status).toBe(409);
  expect((await api.call('listBridgeRules')).body).toMatchObject({ items: [RULE] });

  await until(async () => {
    const { body: view } = await api.call('getBridgeRule', { path });
    return (view as { states: { state: string }[] }).states[0]?.state === 'degraded';
  }, WAIT_MS);
  const shown = await api.call('getBridgeRule', { path });
  expect(shown.body).toMatchObject({
    ...RULE,
    source: 'api',
    states: [{ node: node.id, state: 'degraded', last_error: expect.any(String), spool: null }],
  });
  expect((await api.call('listBridges')).body).toMatchObject({
    items: [{ id: 'main', kind: 'kafka', states: [{ node: node.id, state: 'disconnected' }] }],
  });
  const headers = { 'if-match': shown.headers.get('etag') ?? '' };
  const body = { ...RULE, topic: 'other' };
  const replaced = await api.call('replaceBridgeRule', { path, headers, body });
  expect([replaced.status, replaced.body]).toMatchObject([200, { topic: 'other' }]);
  expect((await api.call('replaceBridgeRule', { path, headers, body })).status).toBe(412);

  const last = { 'if-match': replaced.headers.get('etag') ?? '' };
  expect((await api.call('deleteBridgeRule', { path, headers: last })).status).toBe(204);
  expect((await api.call('getBridgeRule', { path })).status).toBe(404);
});

describe('the API of a cluster', () => {
  const shared = new Scope();
  let cluster: Cluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await startCluster(shared);
    api = await Api.start(shared, cluster.redis, KEY);
  });
  afterAll(() => shared.close());

  it('asks for its key', async () => {
    const response = await fetch(`${api.origin}/api/v1/status`);
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it('shows all nodes, and clients wherever they are', async () => {
    const [first, second, third] = cluster.nodes;
    const clients = [
      await Client.connect(scope, first.url, { clientId: 'c1' }),
      await Client.connect(scope, second.url, { clientId: 'c2' }),
      await Client.connect(scope, third.url, { clientId: 'c3' }),
    ];
    await until(async () => {
      const { body } = await api.call('getStatus');
      expect(body).toMatchObject({ mode: 'cluster', nodes: { alive: 3 }, connections: 3 });
    }, WAIT_MS);
    const list = await api.call('listClients');
    expect(list.body).toMatchObject({
      items: [
        { client_id: 'c1', node: first.id },
        { client_id: 'c2', node: second.id },
        { client_id: 'c3', node: third.id },
      ],
    });

    for (const id of ['c1', 'c2', 'c3']) {
      expect((await api.call('disconnectClient', { path: { client_id: id } })).status).toBe(204);
    }
    for (const client of clients) {
      await client.closed();
      expect(client.disconnects).toEqual([ADMINISTRATIVE_ACTION]);
    }
  });

  it('publishes to subscribers of any node', async () => {
    const client = await Client.connect(scope, cluster.nodes[2].url);
    await client.subscribe('from/api');
    const reply = await api.call('publishMessage', {
      body: { topic: 'from/api', payload: 'x', qos: 1 },
    });

    expect(reply.status).toBe(200);
    expect(await client.receives(1)).toEqual([
      { topic: 'from/api', payload: 'x', qos: 1, retain: false },
    ]);
  });

  it('ends with code 0 on SIGTERM', async () => {
    const other = await Api.start(scope, cluster.redis);

    expect(await other.child.stop()).toBe(0);
  });
});

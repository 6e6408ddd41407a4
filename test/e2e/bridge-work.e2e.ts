import { afterEach, expect, it, jest } from '@jest/globals';
import { startWebhookServer, until, type WebhookServer } from '#libs/testkit';
import { Api } from './harness/api.ts';
import type { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
/** What the contract allows a change to take until it is in force on every node. */
const IN_FORCE_MS = 2_000;
const BRIDGE = { bridge_id: 'hook' };

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

interface Setup {
  readonly nodes: readonly Broker[];
  readonly api: Api;
  readonly server: WebhookServer;
}

/** Three nodes with a bridge to an HTTP server, and a rule that keeps its dead letters. */
async function setUp(rule: object = {}): Promise<Setup> {
  const server = await startWebhookServer();
  scope.add(() => server.stop());
  const { nodes, redis } = await startCluster(scope, { BRIDGE_SPOOL_KIND: 'redis' });
  const api = await Api.start(scope, redis);
  const url = `http://127.0.0.1:${String(server.port)}/`;
  const made = await api.call('createBridge', { body: { id: 'hook', kind: 'webhook', url } });
  expect(made.status).toBe(201);
  const body = {
    ...{ id: 'r', bridge: 'hook', direction: 'mqtt-to-webhook', filter: 'a/#' },
    ...{ ack: 'spool', keep_dead_letters: true, ...rule },
  };
  expect((await api.call('createBridgeRule', { body })).status).toBe(201);
  await isOnAll(api, nodes, 'running');
  return { nodes, api, server };
}

async function isOnAll(api: Api, nodes: readonly Broker[], ...states: string[]): Promise<void> {
  await until(async () => {
    const { body } = await api.call('getBridgeStatus', { path: BRIDGE });
    const { nodes: shown } = body as { nodes: { rules: { state: string }[] }[] };
    expect(shown.map(({ rules }) => rules.map((rule) => rule.state))).toEqual(
      nodes.map(() => states),
    );
  }, WAIT_MS);
}

const bodies = (server: WebhookServer) => server.stored.map(({ body }) => body.toString());

it('a bridge that is stopped stays so over restarts of nodes, and carries again when it is started', async () => {
  const { nodes, api, server } = await setUp();
  const [node] = nodes;
  if (node === undefined) throw new Error('there is no node');
  const publish = async (text: string): Promise<void> => {
    const client = await Client.connect(scope, node.url, { clientId: `c-${text}` });
    await client.publish('a/b', text);
  };
  await publish('1');
  await until(() => expect(bodies(server)).toEqual(['1']), WAIT_MS);
  expect((await api.call('stopBridge', { path: BRIDGE })).status).toBe(202);
  await isOnAll(api, nodes, 'stopped');
  await publish('while it is stopped');
  await node.stop();
  await node.start();
  await isOnAll(api, nodes, 'stopped');
  await publish('after the restart');

  expect((await api.call('startBridge', { path: BRIDGE })).status).toBe(202);
  await isOnAll(api, nodes, 'running');
  await publish('2');
  await until(() => expect(bodies(server)).toEqual(['1', '2']), WAIT_MS);
  expect((await api.call('restartBridge', { path: BRIDGE })).status).toBe(202);
  await publish('3');
  await until(() => expect(bodies(server)).toEqual(['1', '2', '3']), WAIT_MS);
  const metrics = await api.call('getBridgeRuleMetrics', { path: { rule_id: 'r' } });
  expect(metrics.body).toMatchObject({ totals: { matched: 2, delivered: 2 } });
});

it('letters of a rule are kept over the death of its node, and replayed when it is mended', async () => {
  const { nodes, api, server } = await setUp({ value: '{"n": $number(payload)}' });
  const [node] = nodes;
  if (node === undefined) throw new Error('there is no node');
  const client = await Client.connect(scope, node.url, { clientId: 'c' });
  await client.publish('a/1', '"seven"');
  await client.publish('a/2', '8');
  await until(() => expect(bodies(server)).toEqual(['{"n":8}']), WAIT_MS);
  const list = async () => {
    const { body } = await api.call('listDeadLetters', { query: { payload: 'text' } });
    return (body as { items: { id: string }[] }).items;
  };
  await until(async () => {
    expect(await list()).toMatchObject([
      { rule: 'r', stage: 'value', value: '"seven"', headers: { 'mqtt-topic': ['a/1'] } },
    ]);
  }, WAIT_MS);
  await node.kill();
  const [letter] = await list();
  expect(letter).toMatchObject({ value: '"seven"' });

  const path = { rule_id: 'r' };
  const { body, headers } = await api.call('getBridgeRule', { path });
  const { source: _, states: __, ...rule } = body as Record<string, unknown>;
  const replaced = await api.call('replaceBridgeRule', {
    ...{ path, headers: { 'if-match': headers.get('etag') ?? '' } },
    body: { ...rule, value: '{"s": payload}' },
  });
  expect(replaced).toMatchObject({ status: 200, body: { keep_dead_letters: true } });
  // A node that has not heard of it yet makes another letter of it.
  await until(async () => {
    const ids = (await list()).map(({ id }) => id);
    if (ids.length > 0) await api.call('replayDeadLetters', { body: { ids } });
    expect(bodies(server)).toEqual(['{"n":8}', '{"s":"seven"}']);
  }, WAIT_MS);
  expect(await list()).toEqual([]);
});

it('rules are asked in the order that was set, on every node within two seconds', async () => {
  const server = await startWebhookServer();
  scope.add(() => server.stop());
  // Room for one of two such records: whoever is asked first has it.
  const payload = 'a'.repeat(700_000);
  const { nodes, redis } = await startCluster(scope, { BRIDGE_BUFFER_BYTES_MAX: 1_048_576 });
  const api = await Api.start(scope, redis);
  const url = `http://127.0.0.1:${String(server.port)}`;
  await api.call('createBridge', { body: { id: 'hook', kind: 'webhook', url } });
  for (const id of ['one', 'two']) {
    const rule = { id, bridge: 'hook', direction: 'mqtt-to-webhook', filter: 'a', ack: 'none' };
    const made = await api.call('createBridgeRule', { body: { ...rule, path: `/${id}` } });
    expect(made.status).toBe(201);
  }
  await isOnAll(api, nodes, 'running', 'running');
  const clients = await Promise.all(nodes.map((node) => Client.connect(scope, node.url)));
  /** Which rule has the room of each node. */
  const firsts = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const client of clients) {
      const before = server.stored.length;
      await client.publish('a', payload);
      await until(() => server.stored.length > before, WAIT_MS);
      found.push(...server.stored.slice(before).map(({ path }) => path));
    }
    return found;
  };
  const are = (path: string, withinMs: number) =>
    until(async () => {
      expect(await firsts()).toEqual(nodes.map(() => path));
    }, withinMs);
  await are('/one', WAIT_MS);
  const listed = await api.call('listBridgeRules');
  const headers = { 'if-match': listed.headers.get('etag') ?? '' };
  const ordered = await api.call('orderBridgeRules', { headers, body: { ids: ['two', 'one'] } });
  expect(ordered.status).toBe(200);
  await are('/two', IN_FORCE_MS);
});

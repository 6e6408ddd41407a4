import { rm, stat } from 'node:fs/promises';
import { afterEach, expect, it, jest } from '@jest/globals';
import { freePort, until } from '#libs/testkit';
import { EventReader } from '../api/event-reader.ts';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const CLEARED_MS = 40_000;

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

interface Alarm {
  readonly id: string;
  readonly node: string;
  readonly name: string;
  readonly subject: string | null;
}

it('every node raises an alarm for a bridge without its Kafka, and clears it when the cause has gone', async () => {
  const { nodes, redis } = await startCluster(scope);
  const api = await Api.start(scope, redis);
  const list = async (state: string) => {
    const { body } = await api.call('listAlarms', { query: { state, name: 'SkeinBridgeDown' } });
    return (body as { items: Alarm[] }).items;
  };
  expect(await list('active')).toEqual([]);
  const events = await EventReader.open(`${api.origin}/api/v1/events?types=alarm.raised`, {});
  scope.add(async () => events.close());

  const brokers = [`127.0.0.1:${String(await freePort())}`];
  await api.call('createBridge', { body: { id: 'gone', kind: 'kafka', brokers } });
  const rule = { id: 'r', bridge: 'gone', direction: 'mqtt-to-kafka', filter: 'k/#', topic: 'k' };
  const started = await api.call('createBridgeRule', { body: { ...rule, ack: 'kafka' } });
  expect(started.body).toMatchObject({ id: 'r' });
  await until(async () => {
    const alarms = await list('active');
    const seen = alarms.map(({ node, subject }) => `${node} ${String(subject)}`).toSorted();
    expect(seen).toEqual(nodes.map(({ id }) => `${id} gone`).toSorted());
  }, WAIT_MS);
  const told = () =>
    events.events.map(({ data }) => data as Record<string, unknown>).map((each) => each['node']);
  await until(() => told().length >= 3, WAIT_MS);
  expect(new Set(told())).toEqual(new Set(nodes.map(({ id }) => id)));

  const first = (await list('active'))[0]?.id ?? '';
  const path = { alarm_id: first };
  const noted = await api.call('acknowledgeAlarm', { path, body: { comment: 'Kafka is moved' } });
  expect(noted.status).toBe(201);
  expect((await api.call('getAlarm', { path })).body).toMatchObject({
    acknowledged: true,
    acknowledgements: [{ comment: 'Kafka is moved' }],
  });
  expect((await api.call('deleteAlarm', { path })).status).toBe(409);

  const headers = { 'if-match': started.headers.get('etag') ?? '' };
  const ended = await api.call('deleteBridgeRule', { path: { rule_id: 'r' }, headers });
  expect(ended.status).toBe(204);
  await until(async () => (await list('active')).length === 0, CLEARED_MS);
  expect((await list('history')).map(({ id }) => id)).toContain(first);
  expect((await api.call('deleteAlarm', { path })).status).toBe(204);
  expect((await list('history')).map(({ id }) => id)).not.toContain(first);
  expect((await api.call('getAlarm', { path })).status).toBe(404);
});

it('shows topics, shared groups, counts by filter and figures of all nodes, and first who has most to take', async () => {
  const { nodes, redis } = await startCluster(scope);
  const api = await Api.start(scope, redis);
  const made = await api.call('createTopicMetric', { body: { filter: 'jobs/+' } });
  expect(made.status).toBe(201);
  const { id: metricId } = made.body as { id: string };

  const publisher = await Client.connect(scope, nodes[0].url, { clientId: 'publisher' });
  for (const [index, node] of nodes.entries()) {
    const worker = await Client.connect(scope, node.url, { clientId: `w${String(index)}` });
    await worker.subscribe('$share/workers/jobs/#');
  }
  const options = { clientId: 'late', clean: false, properties: { sessionExpiryInterval: 600 } };
  const late = await Client.connect(scope, nodes[1].url, options);
  await late.subscribe('jobs/#', 1);
  await late.leave();
  await publisher.publish('state/a/b', 'kept', { qos: 1, retain: true });
  // Nodes hear of a filter that is to be counted within a second or so: what came before is not counted.
  const counted = async () => {
    await publisher.publish('jobs/1', 'x', { qos: 1 });
    const { body } = await api.call('getTopicMetric', { path: { metric_id: metricId } });
    return (body as { received: { messages: number } }).received.messages > 0;
  };
  await until(counted, WAIT_MS);

  const topics = await api.call('listTopics', { query: { depth: '3' } });
  const levels = (topics.body as { items: { topic: string }[] }).items.map(({ topic }) => topic);
  expect(levels).toEqual(expect.arrayContaining(['jobs', 'state', 'state/a', 'state/a/b']));
  const group = await api.call('getSharedGroup', { path: { group: 'workers' } });
  const { member_list: members } = group.body as { member_list: { client_id: string }[] };
  expect(members.map((each) => each.client_id).toSorted()).toEqual(['w0', 'w1', 'w2']);

  await until(async () => {
    const query = { sort: '-queue_messages', limit: '1' } as const;
    const { body } = await api.call('listClients', { query });
    expect(body).toMatchObject({ items: [{ client_id: 'late', state: 'disconnected' }] });
    const [{ queue_messages: waiting }] = (body as { items: [{ queue_messages: number }] }).items;
    expect(waiting).toBeGreaterThan(0);
  }, WAIT_MS);
  await until(async () => {
    const { body } = await api.call('getStats');
    expect(body).toMatchObject({ cluster: { connections: 4, sessions: 5, retained_messages: 1 } });
    expect((body as { nodes: unknown[] }).nodes).toHaveLength(3);
  }, WAIT_MS);
});

it('a node writes what is in its memory to its own disk on demand, goes on, and says nothing of it over REST', async () => {
  const { nodes, redis } = await startCluster(scope);
  const api = await Api.start(scope, redis);
  const client = await Client.connect(scope, nodes[0].url, { clientId: 'stays' });
  const body = { nodes: [nodes[0].id], heap_snapshot: true };
  const begun = await api.call('gatherDiagnostics', { body });
  const { id } = begun.body as { id: string };
  interface Ended {
    readonly state: string;
    readonly result: {
      readonly heap_snapshots: readonly { kind: string; file: string; bytes: number }[];
    };
  }
  let ended: Ended | undefined;
  await until(async () => {
    const { body: shown } = await api.call('getOperation', { path: { operation_id: id } });
    ended = shown as Ended;
    return ended.state === 'succeeded';
  }, CLEARED_MS);
  const [snapshot] = ended?.result.heap_snapshots ?? [];
  expect(snapshot).toMatchObject({ kind: 'written' });
  const file = snapshot?.file ?? '';
  scope.add(() => rm(file, { force: true }));
  expect((await stat(file)).size).toBe(snapshot?.bytes);
  expect((await stat(file)).mode & 0o077).toBe(0);
  expect(client.isConnected).toBe(true);
  // It rejects without PUBACK.
  await client.publish('t', 'x', { qos: 1 });
  expect((await api.call('listNodes')).body).toMatchObject({ items: [{}, {}, {}] });
});

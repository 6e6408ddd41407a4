import { afterEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { EventReader, type ReceivedEvent } from '../api/event-reader.ts';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

async function follow(api: Api, path: string, headers: Readonly<Record<string, string>> = {}) {
  const reader = await EventReader.open(`${api.origin}${path}`, headers);
  scope.add(async () => reader.close());
  return reader;
}

const dataOf = ({ data }: ReceivedEvent) => data as Record<string, unknown>;

it('streams show what happens at all nodes, go on at another replica, and end on SIGTERM', async () => {
  const { nodes, redis } = await startCluster(scope);
  const api = await Api.start(scope, redis);
  const other = await Api.start(scope, redis);
  const events = await follow(api, '/api/v1/events?types=client.connected,client.disconnected');
  const messages = await follow(api, '/api/v1/message-streams?filter=live/%23&payload=text');

  const clients = [];
  for (const [index, node] of nodes.entries()) {
    const clientId = `c${String(index)}`;
    clients.push(await Client.connect(scope, node.url, { clientId, username: 'u' }));
  }
  await until(() => events.events.length === 3, WAIT_MS);
  expect(new Set(events.events.map((each) => dataOf(each)['client_id']))).toEqual(
    new Set(['c0', 'c1', 'c2']),
  );
  expect(new Set(events.events.map((each) => dataOf(each)['node']))).toEqual(
    new Set(nodes.map(({ id }) => id)),
  );
  expect(dataOf(events.events[0] ?? { event: '', id: '', data: {} })).toMatchObject({
    ...{ username: 'u', listener: 'tcp', mqtt_version: '5' },
  });

  // Each message once, whoever else is subscribed to it and wherever.
  await clients[0]?.subscribe('live/#');
  for (const [index, client] of clients.entries()) {
    await client.publish(`live/${String(index)}`, `from ${String(index)}`, { qos: 1 });
  }
  await clients[0]?.publish('other', 'x', { qos: 1 });
  await until(() => messages.events.length === 3, WAIT_MS);
  const seen = messages.events
    .map(dataOf)
    .toSorted((a, b) => (String(a['topic']) < String(b['topic']) ? -1 : 1));
  expect(seen).toMatchObject([
    { topic: 'live/0', payload: 'from 0', publisher: 'c0', node: nodes[0].id },
    { topic: 'live/1', payload: 'from 1', publisher: 'c1', node: nodes[1].id },
    { topic: 'live/2', payload: 'from 2', publisher: 'c2', node: nodes[2].id },
  ]);

  // What happens while nobody follows is told by whichever replica goes on.
  const last = events.events.at(-1)?.id ?? '';
  events.close();
  await clients[1]?.leave();
  const path = '/api/v1/events?types=client.connected,client.disconnected';
  const next = await follow(other, path, { 'last-event-id': last });
  await until(() => next.events.length === 1, WAIT_MS);
  expect(next.events[0]).toMatchObject({
    event: 'client.disconnected',
    data: { client_id: 'c1', initiator: 'client', reason: 'normal' },
  });

  expect(await api.child.stop()).toBe(0);
  await until(() => messages.isEnded, WAIT_MS);
  expect(messages.error).toBeUndefined();
});

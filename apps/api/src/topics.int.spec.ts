import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

let api: ApiProcess;
let nodes: FakeNode[];

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  nodes = [new FakeNode('n1', config, ['n1'])];
  for (const node of nodes) await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  for (const node of nodes) await node.server.close();
});

function insight() {
  const [node] = nodes;
  if (node === undefined) throw new Error('no node');
  return { ...{ node }, own: node.insight };
}

it('shows the tree in pages, and whether it is all there', async () => {
  const { own, node } = insight();
  own.levels = ['a', 'b', 'c'].map((topic) => ({
    ...{ topic, retainedMessages: 1, filters: 2, hasChildren: true },
  }));
  const path = '?prefix=plant&depth=3&has_retained=true&limit=2';
  const first = await operate(api, 'listTopics', { path });
  expect(first.body).toMatchObject({
    items: [
      { topic: 'a', retained_messages: 1, subscription_filters: 2, has_children: true },
      { topic: 'b' },
    ],
    page: { has_more: true },
    complete: true,
  });
  expect(node.received.findLast(({ kind }) => kind === 'topics')).toMatchObject({
    query: { prefix: 'plant', depth: 3, hasRetained: true, limit: 2 },
  });
  own.isWhole = false;
  const { next_cursor: cursor } = (first.body as { page: { next_cursor: string } }).page;
  const next = await operate(api, 'listTopics', { path: `${path}&cursor=${cursor}` });
  expect(next.body).toMatchObject({ items: [{ topic: 'c' }], complete: false });
});

it.each(['?depth=0', '?depth=11', '?prefix=a/%23', '?prefix=a/', '?has_retained=1', '?x=1'])(
  'refuses topics%s',
  async (path) => {
    expect((await operate(api, 'listTopics', { path })).status).toBe(400);
  },
);

it('shows groups and the members of one', async () => {
  const { own } = insight();
  const subscription = { filter: 'jobs', members: 2, connected: 1, lagMessages: 3 };
  own.groups = [
    { group: 'g/é', subscriptions: [subscription, { ...subscription, filter: 'more' }] },
  ];
  own.members = [
    {
      ...{ filter: 'jobs', clientId: 'm', isConnected: true },
      ...{ queueMessages: 1, inflightMessages: 2 },
    },
  ];
  const list = await operate(api, 'listSharedGroups');
  expect(list.body).toMatchObject({
    items: [{ group: 'g/é', strategy: 'local', members: 4, connected_members: 2, lag_messages: 6 }],
  });
  const one = await operate(api, 'getSharedGroup', { path: '/api/v1/shared-groups/g%2F%C3%A9' });
  expect(one.body).toMatchObject({
    subscriptions: [{ filter: 'jobs' }, { filter: 'more' }],
    member_list: [{ client_id: 'm', node: 'n1', connected: true, queue_messages: 1 }],
  });
  const none = await operate(api, 'getSharedGroup', { path: '/api/v1/shared-groups/none' });
  expect(none.status).toBe(404);
});

it('counts filters, lists them, and removes them', async () => {
  const { own } = insight();
  const json = { filter: 'a/+' };
  const made = await operate(api, 'createTopicMetric', { json });
  expect([made.status, made.headers.get('location')]).toEqual([201, '/api/v1/topic-metrics/id-0']);
  const again = await operate(api, 'createTopicMetric', { json });
  expect([again.status, again.body]).toMatchObject([409, { code: 'already-exists' }]);
  own.isFull = true;
  const full = await operate(api, 'createTopicMetric', { json: { filter: 'b' } });
  expect([full.status, full.body]).toMatchObject([409, { code: 'limit-reached' }]);
  for (const filter of ['a#', '$share/g/a', '']) {
    const bad = await operate(api, 'createTopicMetric', { json: { filter } });
    expect([bad.status, bad.body]).toMatchObject([400, { code: 'invalid-filter' }]);
  }

  const path = '/api/v1/topic-metrics/id-0';
  expect((await operate(api, 'getTopicMetric', { path })).body).toMatchObject({
    filter: 'a/+',
    received: { messages: 6, qos0: 1, qos1: 2, qos2: 3, bytes: 10, per_second: 0.5 },
    sent: { messages: 15, bytes: 20 },
    dropped: { messages: 7 },
    nodes: [{ node: 'n1', counting_since: '1970-01-01T00:00:02.000Z' }],
  });
  expect((await operate(api, 'listTopicMetrics')).body).toMatchObject({ items: [{ id: 'id-0' }] });
  expect((await operate(api, 'deleteTopicMetric', { path })).status).toBe(204);
  expect((await operate(api, 'deleteTopicMetric', { path })).status).toBe(404);
  expect((await operate(api, 'getTopicMetric', { path })).status).toBe(404);
});

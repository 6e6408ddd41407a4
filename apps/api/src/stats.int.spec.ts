import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { figuresOf } from '../../../test/api/fake-insight.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import {
  DEADLINE_MS,
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import { EventReader } from '../../../test/api/event-reader.ts';
import type { ApiProcess } from './api-process.ts';
import { presentHistory, presentStats } from './stats-presenter.ts';

let api: ApiProcess;
let node: FakeNode;

beforeEach(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1', 'n2']);
  await node.server.open();
  api = await open(config);
  await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
});

afterEach(async () => {
  await api.stop();
  await node.server.close();
});

const nodeOf = (nodeId: string) => ({
  ...{ nodeId, incarnation: 1, version: '1', startedAtMs: 0, state: 'alive' as const },
});

it('adds nodes up, but not what all of them see alike', () => {
  const totals = {
    ...{ connects: 1, messages_received: 2, messages_sent: 3, messages_dropped: 4 },
    ...{ bytes_received: 5, bytes_sent: 6 },
  };
  const answer = { startedAtMs: 0, figures: figuresOf(2), totals };
  const both = ['a', 'b'].map((id) => ({ node: nodeOf(id), answer }));
  const { cluster, nodes } = presentStats(both);
  expect(cluster).toMatchObject({
    ...{ connections: 4, messages_sent_per_second: 4, messages_sent: 6 },
    ...{ retained_messages: 2, delayed_messages: 2, overload_level: 2 },
  });
  expect(nodes.map((each) => [each.node, each.connections])).toEqual([
    ['a', 2],
    ['b', 2],
  ]);
});

it('puts the samples of the same moment together, and says how many nodes have it', () => {
  const of = (id: string, ...moments: number[]) => ({
    node: nodeOf(id),
    answer: {
      resolutionMs: 10_000,
      samples: moments.map((atMs) => ({ atMs, figures: figuresOf(1) })),
    },
  });
  const { cluster, nodes } = presentHistory([of('a', 10_000, 20_000), of('b', 20_000)]);
  expect(cluster.map((each) => [each.time, each.nodes, each.connections])).toEqual([
    ['1970-01-01T00:00:10.000Z', 1, 1],
    ['1970-01-01T00:00:20.000Z', 2, 2],
  ]);
  expect(nodes.map(({ samples }) => samples.length)).toEqual([2, 1]);
});

it('shows figures, and which node is missing', async () => {
  const stats = await operate(api, 'getStats');
  expect(stats.body).toMatchObject({
    cluster: { connections: 1, messages_sent: 3 },
    nodes: [{ node: 'n1', started_at: '1970-01-01T00:00:01.000Z' }],
    meta: { partial: true, unavailable_nodes: ['n2'] },
  });
  node.insight.samples = [{ atMs: 10_000, figures: figuresOf(3) }];
  const history = await operate(api, 'getStatsHistory', { path: '?window=15m&node=n1' });
  expect(history.body).toMatchObject({
    ...{ window_seconds: 900, resolution_seconds: 10 },
    cluster: [{ time: '1970-01-01T00:00:10.000Z', nodes: 1, sessions: 3 }],
    nodes: [{ node: 'n1', samples: [{ sessions: 3 }] }],
  });
  expect(node.received.findLast(({ kind }) => kind === 'stats-history')).toEqual({
    ...{ kind: 'stats-history', windowMs: 900_000 },
  });
  expect((await operate(api, 'getStatsHistory', { path: '?node=n9' })).status).toBe(404);
});

it.each(['?window=1', '?window=9s', '?window=25h', '?window=1d', '?window=0s', '?x=1'])(
  'refuses a history%s',
  async (path) => {
    const answer = await operate(api, 'getStatsHistory', { path });
    expect(answer.status).toBe(400);
  },
);

it('a stream brings the figures again and again, and ends with the API', async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  const path = '/api/v1/stats/stream?interval_seconds=1';
  const reader = await EventReader.open(`${api.url}${path}`, headers);
  await until(() => reader.events.length > 0, DEADLINE_MS);
  expect(reader.events[0]).toMatchObject({ event: 'stats', data: { cluster: { sessions: 1 } } });
  node.insight.figures = 5;
  await until(() => reader.events.length > 1, DEADLINE_MS);
  expect(reader.events[1]).toMatchObject({ event: 'stats', data: { cluster: { sessions: 5 } } });
  const metrics = await (await fetch(`http://127.0.0.1:${String(api.opsPort)}/metrics`)).text();
  expect(metrics).toContain('skein_api_event_streams{kind="stats"} 1');

  await api.stop();
  await until(() => reader.isEnded, DEADLINE_MS);
  expect(reader.error).toBeUndefined();
});

it('a stream that no node can feed is none', async () => {
  node.frozen = true;
  const answer = await call(api, '/api/v1/stats/stream');
  expectProblem(answer);
  expect(answer.status).toBe(503);
});

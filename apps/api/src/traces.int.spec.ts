import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { TraceView } from '#libs/api-contracts';
import type { TracedClient } from '#libs/broker-core';
import { until } from '#libs/testkit';
import {
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import { bearer, codeOf, makeKey } from '../../../test/api/callers.ts';
import { EventReader } from '../../../test/api/event-reader.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 10_000;
const CLIENT: TracedClient = {
  ...{ clientId: 'c', username: undefined, listener: 'tcp', address: '192.0.2.1' },
  version: 5,
};

let api: ApiProcess;
let node: FakeNode;

beforeEach(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_TRACES_RUNNING_MAX: '2' });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
  await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
});

afterEach(async () => {
  await api.stop();
  node.traces.close();
  await node.server.close();
});

const create = (json: object, headers = bearer(KEY)) =>
  operate(api, 'createTrace', { json, headers });

async function made(json: object): Promise<TraceView> {
  const { status, body } = await create(json);
  expect(status).toBe(201);
  return body as TraceView;
}

function publish(payload: string): void {
  node.tracing.sent(
    {
      ...{ version: 5, client: { ...CLIENT, clientId: 'c', listener: 'tcp', remoteAddress: '' } },
      ...{ entry: undefined, transport: { listener: 'tcp', remoteAddress: '192.0.2.1' } },
    },
    {
      ...{ kind: 'publish', dup: false, qos: 0, retain: false, topic: 't', packetId: 0 },
      payload: Buffer.from(payload),
    },
  );
}

async function contentOf(id: string, headers = bearer(KEY)) {
  const path = `/api/v1/traces/${id}/content`;
  const accept = 'application/x-ndjson';
  const answer = await call(api, path, { headers: { ...headers, accept } });
  expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
  const lines = (answer.body as string).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('a trace runs at once, is listed and shown, stopped, and deleted with its content', async () => {
  const until_ = new Date(Date.now() + 60_000).toISOString();
  const { status, headers, body } = await create({ client_id: 'c', until: until_ });
  expect(status).toBe(201);
  const trace = body as TraceView;
  expect(headers.get('location')).toBe(`/api/v1/traces/${trace.id}`);
  expect(trace).toMatchObject({
    ...{ state: 'running', client_id: 'c', payload: 'none', until: until_ },
    ...{ created_by: 'bootstrap', unavailable_nodes: [] },
  });
  expect(node.tracing.isOn).toBe(true);
  publish('x');

  const { unavailable_nodes: _, ...shown } = trace;
  const path = `/api/v1/traces/${trace.id}`;
  expect((await operate(api, 'listTraces')).body).toMatchObject({ items: [shown] });
  expect((await operate(api, 'getTrace', { path })).body).toEqual(shown);
  const stopped = await operate(api, 'stopTrace', { path: `${path}/stop` });
  expect(stopped.body).toMatchObject({ state: 'stopped', id: trace.id });
  expect(node.tracing.isOn).toBe(false);
  publish('after');
  const [head, packet, end, ...more] = await contentOf(trace.id);
  expect(head).toMatchObject({ kind: 'trace', id: trace.id, state: 'stopped' });
  expect(packet).toMatchObject({ kind: 'packet', node: 'n1', packet: { topic: 't' } });
  expect(end).toEqual({
    kind: 'end',
    nodes: [{ node: 'n1', recorded: 1, cut_by_rate: 0, cut_by_size: 0 }],
    unavailable_nodes: [],
  });
  expect(more).toEqual([]);

  expect((await operate(api, 'deleteTrace', { path })).status).toBe(204);
  for (const [id, target] of [
    ['getTrace', path],
    ['readTraceContent', `${path}/content`],
    ['deleteTrace', path],
    ['stopTrace', `${path}/stop`],
  ] as const) {
    const answer = await operate(api, id, { path: target });
    expectProblem(answer);
    expect(answer.status).toBe(404);
  }
});

it('no more run at once than may, and those that are over do not count', async () => {
  const first = await made({ client_id: 'a' });
  await made({ topic: 't/#' });
  const refused = await create({ ip: '192.0.2.0/24' });
  expect([refused.status, codeOf(refused)]).toEqual([409, 'limit-reached']);
  await operate(api, 'stopTrace', { path: `/api/v1/traces/${first.id}/stop` });
  await made({ ip: '192.0.2.0/24' });
  const { items } = (await operate(api, 'listTraces')).body as { items: TraceView[] };
  expect(items.map(({ state }) => state)).toEqual(['running', 'running', 'stopped']);

  // Page by page, each once.
  const page = (await operate(api, 'listTraces', { path: '?limit=2' })).body as {
    items: TraceView[];
    page: { next_cursor: string };
  };
  const path = `?limit=2&cursor=${page.page.next_cursor}`;
  const rest = (await operate(api, 'listTraces', { path })).body as { items: TraceView[] };
  expect([...page.items, ...rest.items]).toEqual(items);
});

it.each([
  [{}, 'validation-failed'],
  [{ client_id: 'c', until: '2020-01-01T00:00:00Z' }, 'unprocessable'],
  [{ client_id: 'c', until: '2090-01-01T00:00:00Z' }, 'unprocessable'],
  [{ topic: 'a#' }, 'invalid-filter'],
  [{ topic: '$share/g/a' }, 'validation-failed'],
  [{ ip: 'nowhere' }, 'validation-failed'],
])('%j is refused', async (json, code) => {
  const answer = await create(json);
  expectProblem(answer);
  expect(codeOf(answer)).toBe(code);
  expect(node.tracing.isOn).toBe(false);
});

it('payloads are recorded and shown only for those who may see them', async () => {
  const { secret } = await makeKey(api, { scopes: ['traces:read', 'traces:write'] });
  const refused = await create({ client_id: 'c', payload: 'text' }, bearer(secret));
  expect([refused.status, codeOf(refused)]).toEqual([403, 'forbidden']);
  const { id } = await made({ client_id: 'c', payload: 'text' });
  publish('s3cret');
  expect((await contentOf(id))[1]).toMatchObject({ packet: { payload: 's3cret' } });
  const lines = await contentOf(id, bearer(secret));
  expect(JSON.stringify(lines)).not.toContain('s3cret');
  expect(lines[1]).toMatchObject({ packet: { topic: 't', payload_bytes: 6 } });
});

it('a trace is followed as it records, from an event on, until it ends', async () => {
  const { id } = await made({ client_id: 'c' });
  const path = `${api.url}/api/v1/traces/${id}/content`;
  const reader = await EventReader.open(path, bearer(KEY));
  publish('1');
  publish('2');
  await until(() => reader.events.length === 3, DEADLINE_MS);
  expect(reader.events.map(({ event }) => event)).toEqual(['trace', 'packet', 'packet']);
  reader.close();
  const later = { ...bearer(KEY), 'last-event-id': reader.events[1]?.id ?? '' };
  const next = await EventReader.open(path, later);
  await until(() => next.events.length === 2, DEADLINE_MS);
  await operate(api, 'stopTrace', { path: `/api/v1/traces/${id}/stop` });
  await until(() => next.isEnded, DEADLINE_MS);
  expect(next.error).toBeUndefined();
  expect(next.events.map(({ event }) => event)).toEqual(['trace', 'packet', 'end']);
});

it('a node that comes later begins the traces that run', async () => {
  await made({ client_id: 'c' });
  node.traces.close();
  expect(node.tracing.isOn).toBe(false);
  node.restartTraces();
  await until(() => node.tracing.isOn, DEADLINE_MS);
});

it('whoever follows a trace does not wait for a node that has died', async () => {
  const other = new FakeNode('n2', await configOf({ SKEIN_API_KEY: KEY }), ['n1', 'n2']);
  await other.server.open();
  node.members = ['n1', 'n2'];
  try {
    const { id } = await made({ client_id: 'c' });
    const path = `${api.url}/api/v1/traces/${id}/content`;
    const reader = await EventReader.open(path, bearer(KEY));
    other.mute = new Set(['trace-content']);
    await operate(api, 'stopTrace', { path: `/api/v1/traces/${id}/stop` });
    await until(() => reader.isEnded, DEADLINE_MS);
    expect(reader.events.map(({ event }) => event)).toEqual(['trace', 'partial', 'end']);
    expect(reader.events.at(-1)?.data).toEqual({ kind: 'end', unavailable_nodes: ['n2'] });
  } finally {
    other.traces.close();
    await other.server.close();
  }
});

it('a node that is silent is named, and nothing is begun without any', async () => {
  node.mute = new Set(['sync-traces', 'trace-content']);
  const trace = await made({ client_id: 'c' });
  expect(trace.unavailable_nodes).toEqual(['n1']);
  expect((await contentOf(trace.id)).at(-1)).toMatchObject({ unavailable_nodes: ['n1'] });
  node.frozen = true;
  const answer = await create({ client_id: 'd' });
  expect([answer.status, codeOf(answer)]).toEqual([503, 'node-unavailable']);
});

it('a key that is bound to topics has no traces', async () => {
  const { secret } = await makeKey(api, { role: 'operator', topic_prefixes: ['t'] });
  const answer = await create({ topic: 't' }, bearer(secret));
  expect([answer.status, codeOf(answer)]).toEqual([403, 'topic-not-allowed']);
});

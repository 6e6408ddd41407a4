import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { FakeNode } from '../../../test/api/fake-node.ts';
import {
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import { makeKey } from '../../../test/api/callers.ts';
import { EventReader } from '../../../test/api/event-reader.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 10_000;

let api: ApiProcess;
let node: FakeNode;
let readers: EventReader[] = [];

beforeEach(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
  await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
});

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await api.stop();
  await node.server.close();
});

async function follow(path: string, headers: Readonly<Record<string, string>> = {}) {
  const own = { authorization: `Bearer ${KEY}`, ...headers };
  const reader = await EventReader.open(`${api.url}${path}`, own);
  readers.push(reader);
  return reader;
}

it('events come as they happen, and go on after the last one that was received', async () => {
  node.streams.emit('client.connected', 'before');
  const reader = await follow('/api/v1/events');
  expect(reader.headers.get('content-type')).toBe('text/event-stream');
  expect(reader.headers.get('x-request-id')).not.toBeNull();
  node.streams.emit('client.connected', 'a');
  node.streams.emit('client.disconnected', 'a');
  node.streams.emit('client.connected', 'b');
  await until(() => reader.events.length === 3, DEADLINE_MS);
  expect(
    reader.events.map(({ event, data }) => [event, (data as { client_id: string }).client_id]),
  ).toEqual([
    ['client.connected', 'a'],
    ['client.disconnected', 'a'],
    ['client.connected', 'b'],
  ]);
  expect(reader.events[0]?.data).toMatchObject({ node: 'n1', time: '1970-01-01T00:00:00.005Z' });
  reader.close();

  // The second of three that came at once was the last one received.
  const id = reader.events[1]?.id ?? '';
  const next = await follow('/api/v1/events', { 'last-event-id': id });
  node.streams.emit('client.connected', 'c');
  await until(() => next.events.length === 2, DEADLINE_MS);
  expect(next.events.map(({ data }) => (data as { client_id: string }).client_id)).toEqual([
    'b',
    'c',
  ]);
});

it('a reader is told what is gone, and it is counted', async () => {
  const reader = await follow('/api/v1/events?types=ban.added');
  node.streams.lost = 7;
  await until(() => reader.events.length === 1, DEADLINE_MS);
  expect(reader.events[0]).toMatchObject({ event: 'overflow', data: { node: 'n1', lost: 7 } });
  expect(node.received).toContainEqual(
    expect.objectContaining({ kind: 'events', types: ['ban.added'] }),
  );
  const metrics = await (await fetch(`http://127.0.0.1:${String(api.opsPort)}/metrics`)).text();
  expect(metrics).toContain('skein_api_event_stream_dropped_total{kind="events"} 7');
  expect(metrics).toContain('skein_api_event_streams{kind="events"} 1');
});

it('a reader hears that a node is silent, and that it answers again', async () => {
  const reader = await follow('/api/v1/events');
  node.mute = new Set(['events']);
  await until(() => reader.events.length === 1, DEADLINE_MS);
  expect(reader.events[0]).toMatchObject({
    event: 'partial',
    data: { partial: true, unavailable_nodes: ['n1'] },
  });
  node.mute = new Set();
  await until(() => reader.events.length === 2, DEADLINE_MS);
  expect(reader.events[1]).toMatchObject({ event: 'partial', data: { partial: false } });
});

it('messages come without what they hold, unless it is asked for, and the watch ends with its reader', async () => {
  const reader = await follow('/api/v1/message-streams?filter=a/%23');
  node.streams.messages.push({
    ...{ topic: 'a/1', qos: 1, payloadBytes: 1, payload: 'eA==', publisher: 'p', retain: false },
    ...{ receivedAtMs: 5, expiresAtMs: 0, properties: {} },
  });
  await until(() => reader.events.length === 1, DEADLINE_MS);
  expect(reader.events[0]).toMatchObject({
    event: 'message',
    data: { node: 'n1', topic: 'a/1', publisher: 'p', payload_bytes: 1 },
  });
  expect(reader.events[0]?.data).not.toHaveProperty('payload');
  reader.close();
  await until(() => node.streams.ended.length === 1, DEADLINE_MS);

  const text = await follow('/api/v1/message-streams?filter=a/%23&payload=text');
  await until(() => text.events.length === 1, DEADLINE_MS);
  expect(text.events[0]?.data).toMatchObject({ payload: 'x', payload_encoding: 'plain' });
});

describe('a stream of a key', () => {
  const viewer = { role: 'viewer' } as const;

  async function followWith(secret: string) {
    const reader = await follow('/api/v1/events', { authorization: `Bearer ${secret}` });
    node.streams.emit('client.connected', 'a');
    await until(() => reader.events.length === 1, DEADLINE_MS);
    return reader;
  }

  it('ends when the key is revoked', async () => {
    const { id, secret } = await makeKey(api, viewer);
    const [reader, other] = [await followWith(secret), await follow('/api/v1/events')];
    const path = `/api/v1/api-keys/${id}`;
    expect((await operate(api, 'deleteApiKey', { path })).status).toBe(204);
    await until(() => reader.isEnded, DEADLINE_MS);
    expect(reader.error).toBeUndefined();
    expect(other.isEnded).toBe(false);
  });

  it('ends when the key has another secret', async () => {
    const { id, secret } = await makeKey(api, viewer);
    const reader = await followWith(secret);
    const path = `/api/v1/api-keys/${id}/rotations`;
    expect((await operate(api, 'rotateApiKey', { path, json: {} })).status).toBe(201);
    await until(() => reader.isEnded, DEADLINE_MS);
    expect(reader.error).toBeUndefined();
  });

  it('ends when the key loses the right to it', async () => {
    const { id, secret } = await makeKey(api, { scopes: ['events:read', 'stats:read'] });
    const reader = await followWith(secret);
    const path = `/api/v1/api-keys/${id}`;
    const json = { scopes: ['stats:read'] };
    const patched = await operate(api, 'patchApiKey', {
      ...{ path, json, headers: { 'if-match': '*' } },
    });
    expect(patched.status).toBe(200);
    await until(() => reader.isEnded, DEADLINE_MS);
  });

  it('ends when the key expires', async () => {
    const expires_at = new Date(Date.now() + 2_000).toISOString();
    const { secret } = await makeKey(api, { ...viewer, expires_at });
    const reader = await follow('/api/v1/events', { authorization: `Bearer ${secret}` });
    await until(() => reader.isEnded, DEADLINE_MS);
    expect(reader.error).toBeUndefined();
  });
});

it('streams end when the API stops', async () => {
  const reader = await follow('/api/v1/events');
  await api.stop();
  await until(() => reader.isEnded, DEADLINE_MS);
  expect(reader.error).toBeUndefined();
});

it.each([
  ['/api/v1/events?types=client.exploded', {}, 400],
  ['/api/v1/events', { 'last-event-id': 'bogus' }, 400],
  ['/api/v1/events', { accept: 'application/json' }, 406],
  ['/api/v1/message-streams', {}, 400],
  ['/api/v1/message-streams?filter=a%23', {}, 400],
  ['/api/v1/message-streams?filter=a&messages_per_second=1001', {}, 400],
])('%s with %j is refused', async (path, headers, status) => {
  const answer = await call(api, path, { headers });
  expectProblem(answer);
  expect(answer.status).toBe(status);
});

it('a stream that no node can feed is none', async () => {
  node.streams.isFull = true;
  expect((await call(api, '/api/v1/message-streams?filter=a')).status).toBe(503);
  node.frozen = true;
  expect((await call(api, '/api/v1/events')).status).toBe(503);
});

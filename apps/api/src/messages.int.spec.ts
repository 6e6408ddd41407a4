import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { WireRetained } from '#libs/api-contracts';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import {
  KEY,
  call,
  configOf,
  endOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };

const retainedOf = (topic: string): WireRetained => ({
  topic,
  qos: 1,
  payloadBytes: 3,
  payload: Buffer.from('hé').toString('base64'),
  publisher: '',
  receivedAtMs: 5,
  expiresAtMs: 0,
  properties: { userProperties: [['a', 'b']] },
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_LIMITS_PACKET_BYTES_MAX: '2048' });
  node = new FakeNode('n1', config, ['n1']);
  node.clients.set('press', clientOf('press'));
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

beforeEach(() => {
  node.received.length = 0;
  node.messages.retained.clear();
  node.messages.delayed.clear();
});

describe('publish', () => {
  it('passes on all there is, and says when nobody listens', async () => {
    const properties = { user_properties: [{ name: 'a', value: 'b' }], correlation_data: 'AP8=' };
    const json = { topic: 't', payload: { a: 1 }, payload_encoding: 'json', qos: 1, properties };

    const heard = await operate(api, 'publishMessage', { json });
    const unheard = await operate(api, 'publishMessage', { json: { topic: 'nobody' } });

    const published = { message_id: 'n1-1-7', matched_subscribers: 3 };
    expect(heard).toMatchObject({ status: 200, body: published });
    expect(unheard).toMatchObject({ status: 202, body: { matched_subscribers: 0 } });
    expect(node.received).toContainEqual({
      kind: 'publish',
      message: {
        topic: 't',
        qos: 1,
        retain: false,
        payload: base64('{"a":1}'),
        properties: { correlationData: 'AP8=', userProperties: [['a', 'b']] },
      },
    });
  });

  it('names the client in whose name it is, and refuses one that no node has', async () => {
    const json = { topic: 't', as_client_id: 'press' };

    expect((await operate(api, 'publishMessage', { json })).status).toBe(200);
    expect(node.received).toContainEqual(
      expect.objectContaining({ kind: 'publish', asClientId: 'press' }),
    );
    const absent = await operate(api, 'publishMessage', { json: { ...json, as_client_id: 'x' } });
    expect(absent).toMatchObject({ status: 422, body: { code: 'unprocessable' } });
  });

  it.each([
    ['QUOTA_EXCEEDED', 429, 0x97],
    ['NOT_AUTHORIZED', 403, 0x87],
    ['BRIDGE_UNAVAILABLE', 503, 0x83],
    ['STORE_UNAVAILABLE', 503, 0x83],
  ] as const)('passes on that a node refused a message: %s', async (code, status, reason) => {
    node.messages.refusal = code;
    const answer = await operate(api, 'publishMessage', { json: { topic: 't' } });
    node.messages.refusal = undefined;

    expect(answer).toMatchObject({ status, body: { mqtt_reason_code: reason } });
  });

  it('refuses a payload that no client might publish', async () => {
    const json = { topic: 't', payload: 'x'.repeat(2049) };

    expect(await operate(api, 'publishMessage', { json })).toMatchObject({
      status: 413,
      body: { code: 'payload-too-large', mqtt_reason_code: 0x95 },
    });
  });
});

describe('bulk', () => {
  it('has a result for each, and publishes the good ones in their order', async () => {
    const json = [
      { topic: 'a' },
      { topic: 'b/#' },
      { topic: 'nobody' },
      { topic: 'c', payload: 1 },
      { topic: 'd', as_client_id: 'press' },
      { topic: 'e', as_client_id: 'x' },
      'no message',
    ];
    const { body, status } = await operate(api, 'publishMessages', { json });

    expect(status).toBe(200);
    expect(body).toEqual({
      items: [
        { index: 0, status: 200, message_id: 'n1-1-7', matched_subscribers: 3 },
        {
          index: 1,
          status: 400,
          problem: expect.objectContaining({ code: 'invalid-topic', mqtt_reason_code: 0x90 }),
        },
        { index: 2, status: 202, message_id: 'n1-1-7', matched_subscribers: 0 },
        {
          index: 3,
          status: 400,
          problem: expect.objectContaining({
            errors: [expect.objectContaining({ pointer: '/payload' })],
          }),
        },
        { index: 4, status: 200, message_id: 'n1-1-7', matched_subscribers: 3 },
        { index: 5, status: 422, problem: expect.objectContaining({ code: 'unprocessable' }) },
        { index: 6, status: 400, problem: expect.objectContaining({ code: 'validation-failed' }) },
      ],
    });
    const batches = node.received.flatMap((each) =>
      each.kind === 'publish-many' ? [each.publications.map(({ message }) => message.topic)] : [],
    );
    expect(new Set(batches)).toEqual(new Set([['a', 'nobody'], ['d']]));
  });

  it('takes one message in a line, and says which line is none', async () => {
    const path = '/api/v1/messages/bulk';
    const post = (body: string) => call(api, path, { method: 'POST', headers: NDJSON, body });

    const good = await post('{"topic":"a"}\n\n{"topic":"b"}\n');
    expect(good.body).toMatchObject({ items: [{ status: 200 }, { status: 200 }] });
    const bad = await post('{"topic":"a"}\n{topic}');
    expectProblem(bad);
    expect(bad).toMatchObject({ status: 400, body: { errors: [{ pointer: '/1' }] } });
  });

  it('takes a thousand and no more', async () => {
    const json = Array.from({ length: 1000 }, (_, index) => ({ topic: `t/${String(index)}` }));

    const { body } = await operate(api, 'publishMessages', { json });
    expect((body as { items: object[] }).items).toHaveLength(1000);
    const tooMany = await operate(api, 'publishMessages', { json: [...json, { topic: 't' }] });
    expect(tooMany.status).toBe(400);
  });
});

describe('a request to a device', () => {
  const json = { topic: 'commands', payload: 'state?', timeout_seconds: 1.5 };

  it('is answered with what the device says', async () => {
    node.messages.response = {
      kind: 'answered',
      messageId: 'n1-1-7',
      response: {
        topic: '$response/n1/x',
        payload: base64('on'),
        publisher: 'press',
        receivedAtMs: 5,
        properties: { correlationData: 'AP8=' },
      },
    };
    const { status, body } = await operate(api, 'requestMessage', {
      json: { ...json, response_topic: 'answers', properties: { correlation_data: 'AP8=' } },
    });

    expect([status, body]).toMatchObject([
      200,
      { payload: 'on', payload_encoding: 'plain', publisher: 'press', message_id: 'n1-1-7' },
    ]);
    expect(node.received).toContainEqual(
      expect.objectContaining({ kind: 'request', timeoutMs: 1500, responseTopic: 'answers' }),
    );
  });

  it.each([
    ['no-response', 504],
    ['no-subscribers', 409],
    ['overloaded', 503],
  ] as const)('ends as %s', async (kind, status) => {
    node.messages.response = { kind };

    expect(await operate(api, 'requestMessage', { json })).toMatchObject({
      status,
      body: { code: kind },
    });
  });

  it.each([
    [{ ...json, timeout_seconds: 61 }, '/timeout_seconds'],
    [{ ...json, properties: { response_topic: 'x' } }, '/properties/response_topic'],
    [{ ...json, retain: true }, '/retain'],
    [{ ...json, response_topic: 'a/+' }, '/response_topic'],
    [{ ...json, response_topic: 'commands' }, '/response_topic'],
  ])('is refused: %j', async (wrong, pointer) => {
    const answer = await operate(api, 'requestMessage', { json: wrong });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});

describe('retained messages', () => {
  const by = '/api/v1/retained-messages/by-topic';

  it('are shown with or without what they hold', async () => {
    node.messages.retained.set('t/1', retainedOf('t/1'));
    const text = await operate(api, 'listRetainedMessages', { path: '?filter=t/%2B&payload=text' });
    const bare = await operate(api, 'listRetainedMessages');

    expect(text.body).toMatchObject({ items: [{ payload: 'hé', payload_encoding: 'plain' }] });
    expect((bare.body as { items: object[] }).items[0]).not.toHaveProperty('payload');
  });

  it('are removed by topic once', async () => {
    node.messages.retained.set('t/1', retainedOf('t/1'));
    const path = '?topic=t/1';

    const dry = await operate(api, 'deleteRetainedMessages', { path: `${path}&dry_run=true` });
    expect(dry).toMatchObject({ status: 200, body: { matched: 1, removed: 0, topics: ['t/1'] } });
    expect((await operate(api, 'deleteRetainedMessages', { path })).status).toBe(204);
    expect((await operate(api, 'deleteRetainedMessages', { path })).status).toBe(404);
  });

  it('are removed by filter, all of them, and only when it is meant', async () => {
    for (let index = 0; index < 2500; index += 1) {
      node.messages.retained.set(`t/${String(index)}`, retainedOf(`t/${String(index)}`));
    }
    const path = '?filter=t/%23';

    const dry = await operate(api, 'deleteRetainedMessages', { path: `${path}&dry_run=true` });
    expect(dry.body).toMatchObject({ dry_run: true, matched: 2500, removed: 0 });
    expect(node.messages.retained.size).toBe(2500);
    const done = await operate(api, 'deleteRetainedMessages', { path });
    expect(done.body).toMatchObject({ dry_run: false, matched: 2500, removed: 2500 });
    expect((done.body as { topics: string[] }).topics).toHaveLength(100);
    expect(node.messages.retained.size).toBe(0);
  });

  it('are removed as a long operation when there are many, from where the request has left off', async () => {
    for (let index = 0; index < 6_500; index += 1) {
      node.messages.retained.set(`t/${String(index)}`, retainedOf(`t/${String(index)}`));
    }
    const path = '?filter=t/%23';
    const remove = async (query: string) =>
      endOf(api, await operate(api, 'deleteRetainedMessages', { path: `${path}${query}` }));

    expect(await remove('&dry_run=true')).toMatchObject({
      ...{ kind: 'retained-removals', state: 'succeeded', result_scope: 'retained:read' },
      result: { dry_run: true, matched: 6_500, removed: 0 },
    });
    expect(node.messages.retained.size).toBe(6_500);
    const { result } = await remove('');
    expect(result).toMatchObject({ dry_run: false, matched: 6_500, removed: 6_500 });
    expect((result as { topics: string[] }).topics).toHaveLength(100);
    expect(node.messages.retained.size).toBe(0);
  });

  it.each(['', '?topic=t&filter=t'])('are not removed by neither or both: %s', async (path) => {
    expect((await operate(api, 'deleteRetainedMessages', { path })).status).toBe(400);
  });

  it('have an ETag, and are changed on what the author saw', async () => {
    const path = `${by}?topic=${encodeURIComponent('t/1')}`;
    const json = { payload: 'on', qos: 1 };
    const created = await operate(api, 'putRetainedMessage', {
      ...{ path, json, headers: { 'if-none-match': '*' } },
    });
    expect(created).toMatchObject({ status: 201, body: { topic: 't/1', payload_bytes: 2 } });
    const etag = created.headers.get('etag') ?? '';
    const shown = await operate(api, 'getRetainedMessage', { path: `${path}&payload=text` });
    expect([shown.headers.get('etag'), shown.body]).toMatchObject([etag, { payload: 'on' }]);

    const known = await operate(api, 'getRetainedMessage', {
      ...{ path, headers: { 'if-none-match': etag } },
    });
    expect([known.status, known.body]).toEqual([304, '']);
    const again = { path, json, headers: { 'if-none-match': '*' } };
    expect((await operate(api, 'putRetainedMessage', again)).status).toBe(412);
    const other = { path, json: { payload: 'off' }, headers: { 'if-match': etag } };
    expect((await operate(api, 'putRetainedMessage', other)).status).toBe(200);
    expect((await operate(api, 'putRetainedMessage', other)).status).toBe(412);
    const stale = { path, headers: { 'if-match': etag } };
    expect((await operate(api, 'deleteRetainedMessage', stale)).status).toBe(412);
    expect((await operate(api, 'deleteRetainedMessage', { path })).status).toBe(204);
    expect((await operate(api, 'deleteRetainedMessage', { path })).status).toBe(404);
    expect((await operate(api, 'getRetainedMessage', { path })).status).toBe(404);
  });

  it('are not emptied by PUT', async () => {
    const path = `${by}?topic=t`;
    const answer = await operate(api, 'putRetainedMessage', { path, json: { qos: 1 } });

    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '/payload' }] } });
  });
});

describe('delayed messages', () => {
  it('are made, listed page by page, shown and cancelled', async () => {
    for (const topic of ['a', 'b', 'c']) {
      const json = { topic, payload: 'x', delay_seconds: 60 };
      const made = await operate(api, 'createDelayedMessage', { json });
      const { id } = made.body as { id: string };
      expect([made.status, made.headers.get('location')]).toEqual([
        201,
        `/api/v1/delayed-messages/${id}`,
      ]);
    }
    const first = await operate(api, 'listDelayedMessages', { path: '?limit=2&payload=text' });
    expect(first.body).toMatchObject({
      items: [
        { topic: 'a', payload: 'x' },
        { topic: 'b', due_at: '1970-01-01T00:17:40.000Z' },
      ],
      page: { has_more: true },
    });
    const next = /<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await operate(api, 'listDelayedMessages', { path: next });
    expect(second.body).toMatchObject({ items: [{ topic: 'c' }], page: { has_more: false } });

    const path = '/api/v1/delayed-messages/2';
    expect((await operate(api, 'getDelayedMessage', { path })).body).toMatchObject({ topic: 'b' });
    expect((await operate(api, 'deleteDelayedMessage', { path })).status).toBe(204);
    expect((await operate(api, 'deleteDelayedMessage', { path })).status).toBe(404);
    expect((await operate(api, 'getDelayedMessage', { path })).status).toBe(404);
  });

  it('wait until a time as well as for one', async () => {
    const due_at = new Date(Date.now() + 3_600_000).toISOString();
    await operate(api, 'createDelayedMessage', { json: { topic: 't', due_at } });

    const [command] = node.received.filter(({ kind }) => kind === 'delay');
    const { delayMs } = command as { delayMs: number };
    expect(delayMs).toBeGreaterThan(3_500_000);
    expect(delayMs).toBeLessThanOrEqual(3_600_000);
  });

  it.each([
    ['full', 409, 'limit-reached'],
    ['disabled', 422, 'unprocessable'],
    ['invalid', 422, 'unprocessable'],
  ])('are refused: %s', async (topic, status, code) => {
    const json = { topic, delay_seconds: 1 };
    const answer = await operate(api, 'createDelayedMessage', { json });
    expect(answer).toMatchObject({ status, body: { code } });
  });

  it.each([
    [{}, '/due_at'],
    [{ delay_seconds: 1, due_at: '2026-01-01T00:00:00Z' }, '/due_at'],
    [{ delay_seconds: 0 }, '/delay_seconds'],
  ])('say when, once: %j', async (when, pointer) => {
    const answer = await operate(api, 'createDelayedMessage', { json: { topic: 't', ...when } });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});

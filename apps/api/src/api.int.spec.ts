import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { PROBLEMS, problemSchema } from '#libs/api-contracts';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import {
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

describe('with one embedded node and a key', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY });
    node = new FakeNode('n1', config, ['n1']);
    for (const id of ['a', 'b/+#%?é😀', 'c']) node.clients.set(id, clientOf(id));
    node.rules.set('fixed', {
      source: 'config',
      revision: 0,
      rule: {
        id: 'fixed',
        bridge: 'main',
        direction: 'kafka-to-mqtt',
        enabled: true,
        topic: 'k',
        mqttTopic: 'm',
        qos: 1,
        retain: false,
      },
    });
    await node.server.open();
    api = await open(config);
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  it('shows the cluster and its nodes', async () => {
    expect((await operate(api, 'getStatus')).body).toMatchObject({ connections: 3, sessions: 3 });
    expect((await operate(api, 'listNodes')).body).toMatchObject({
      items: [{ id: 'n1', reachable: true }],
    });
    const shown = await operate(api, 'getNode', { path: '/api/v1/nodes/n1' });
    expect(shown.body).toMatchObject({ id: 'n1', statistics: { messages_sent: 2 } });
  });

  it('reaches a client whose id needs encoding, however long', async () => {
    const id = 'b/+#%?é😀';
    const long = '😀'.repeat(16_383);
    node.clients.set(long, clientOf(long));
    const shown = await operate(api, 'getClient', {
      path: `/api/v1/clients/${encodeURIComponent(id)}`,
    });
    const far = await operate(api, 'getClient', {
      path: `/api/v1/clients/${encodeURIComponent(long)}`,
    });

    expect(shown.body).toMatchObject({ client_id: id, session_expiry_seconds: null });
    expect(far.body).toMatchObject({ client_id: long });
    node.clients.delete(long);
  });

  it('disconnects a client once', async () => {
    node.clients.set('gone', clientOf('gone'));
    const target = { path: '/api/v1/clients/gone?clear_session=true' };

    expect((await operate(api, 'disconnectClient', target)).status).toBe(204);
    expect(node.received).toContainEqual({
      kind: 'disconnect',
      clientId: 'gone',
      reasonCode: 0x98,
      withWill: true,
      endSession: true,
    });
    expect((await operate(api, 'disconnectClient', target)).status).toBe(404);
  });

  it('follows Link from page to page', async () => {
    const seen: unknown[] = [];
    let path: string | undefined = '/api/v1/clients?limit=1&state=connected';
    while (path !== undefined) {
      const { body, headers } = await operate(api, 'listClients', { path });
      seen.push(...(body as { items: { client_id: string }[] }).items.map((c) => c.client_id));
      path = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
    }

    expect(seen).toEqual(['a', 'b/+#%?é😀', 'c']);
  });

  it('refuses a cursor of another query or an altered one', async () => {
    const { body } = await operate(api, 'listClients', { path: '?limit=1' });
    const cursor = (body as { page: { next_cursor: string } }).page.next_cursor;
    const refused = [
      `?state=connected&cursor=${cursor}`,
      `?cursor=${cursor.slice(0, -2)}AA`,
      '?cursor=x',
    ];

    for (const path of refused) {
      expect((await operate(api, 'listClients', { path })).body).toMatchObject({
        code: 'invalid-cursor',
      });
    }
    expect((await operate(api, 'listClients', { path: `?limit=2&cursor=${cursor}` })).status).toBe(
      200,
    );
  });

  it('lists subscriptions, of one client or of all', async () => {
    const own = await operate(api, 'listClientSubscriptions', {
      path: '/api/v1/clients/a/subscriptions',
    });
    const none = await operate(api, 'listClientSubscriptions', {
      path: '/api/v1/clients/nobody/subscriptions',
    });
    const all = await operate(api, 'listSubscriptions', { path: '?limit=3' });

    expect((own.body as { items: unknown[] }).items).toHaveLength(2);
    expect(none.status).toBe(404);
    expect(all.body).toMatchObject({ page: { has_more: true } });
  });

  it('creates, shows, replaces and deletes a rule, each change on what its author saw', async () => {
    const rule = {
      id: 'r1',
      bridge: 'main',
      direction: 'mqtt-to-kafka',
      filter: 'a/+',
      topic: 't',
    };
    const path = '/api/v1/bridge-rules/r1';
    const made = await operate(api, 'createBridgeRule', { json: rule });
    const etag = made.headers.get('etag') ?? '';
    const headers = { 'if-match': etag };
    const replace = (json: object, given: Record<string, string>) =>
      operate(api, 'replaceBridgeRule', { path, json, headers: given });

    expect(made).toMatchObject({ status: 201, body: { ack: 'spool', key: '${clientId}' } });
    expect(made.headers.get('location')).toBe(path);
    expect((await operate(api, 'createBridgeRule', { json: rule })).status).toBe(409);
    const known = await operate(api, 'getBridgeRule', { path, headers: { 'if-none-match': etag } });
    expect(known.status).toBe(304);
    expect((await replace(rule, {})).status).toBe(428);
    expect((await replace(rule, { 'if-match': '"99"' })).status).toBe(412);
    expect((await replace(rule, { 'if-none-match': '*' })).status).toBe(412);
    expect((await replace({ ...rule, id: 'r2' }, headers)).status).toBe(400);
    expect((await replace({ ...rule, topic: 'bad' }, headers)).status).toBe(422);
    const replaced = await replace({ ...rule, enabled: false }, headers);
    expect(replaced).toMatchObject({ status: 200, body: { enabled: false } });
    expect((await replace(rule, headers)).status).toBe(412);
    const two = await operate(api, 'listBridgeRules', { path: '?limit=1' });
    expect(two.body).toMatchObject({ items: [{ id: 'fixed' }], page: { has_more: true } });
    const remove = (given: Record<string, string>) =>
      operate(api, 'deleteBridgeRule', { path, headers: given });
    expect((await remove({})).status).toBe(428);
    expect((await remove(headers)).status).toBe(412);
    expect((await remove({ 'if-match': replaced.headers.get('etag') ?? '' })).status).toBe(204);
    expect((await remove({ 'if-match': '*' })).status).toBe(404);
    const created = await replace(rule, { 'if-none-match': '*' });
    expect(created.status).toBe(201);
  });

  it('pauses and resumes a rule, and changes nothing else of it', async () => {
    const rule = {
      id: 'p1',
      bridge: 'main',
      direction: 'kafka-to-mqtt',
      topic: 'k',
      mqtt_topic: 'm',
    };
    const path = '/api/v1/bridge-rules/p1';
    const made = await operate(api, 'createBridgeRule', { json: rule });
    const patch = (json: object, headers: Record<string, string>) =>
      operate(api, 'patchBridgeRule', { path, json, headers });
    const seen = { 'if-match': made.headers.get('etag') ?? '' };

    expect((await patch({ enabled: false }, {})).status).toBe(428);
    expect((await patch({ enabled: false }, { 'if-match': '"99"' })).status).toBe(412);
    expect((await patch({ topic: 'other' }, seen)).status).toBe(400);
    expect((await patch({ enabled: null }, seen)).status).toBe(400);
    const type = { 'content-type': 'application/json' };
    expect((await patch({ enabled: false }, { ...seen, ...type })).status).toBe(415);
    const idle = await patch({}, seen);
    expect(idle.headers.get('etag')).toBe(seen['if-match']);
    const paused = await patch({ enabled: false }, seen);
    expect(paused.body).toEqual({ ...(made.body as object), enabled: false });
    expect((await patch({ enabled: true }, seen)).status).toBe(412);
    const again = { 'if-match': paused.headers.get('etag') ?? '' };
    expect(await patch({ enabled: true }, again)).toMatchObject({ status: 200, body: made.body });

    const fixed = { path: '/api/v1/bridge-rules/fixed', headers: { 'if-match': '*' } };
    const off = await operate(api, 'patchBridgeRule', { ...fixed, json: { enabled: false } });
    expect(off.status).toBe(409);
    const gone = { path: '/api/v1/bridge-rules/none', headers: { 'if-match': '*' } };
    const none = await operate(api, 'patchBridgeRule', { ...gone, json: { enabled: false } });
    expect(none.status).toBe(404);
    await operate(api, 'deleteBridgeRule', { path, headers: { 'if-match': '*' } });
  });

  it('takes a merge patch where it is meant', async () => {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const answer = await operate(api, 'publishMessage', { json: { topic: 't' }, headers });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported-media-type' } });
  });

  it('shows how each rule fares, by node', async () => {
    node.states = [
      { id: 'other', state: 'running', lastError: undefined },
      { id: 'fixed', state: 'degraded', lastError: 'no such topic' },
    ];
    const states = [{ node: node.id, state: 'degraded', last_error: 'no such topic', spool: null }];
    const one = await operate(api, 'getBridgeRule', { path: '/api/v1/bridge-rules/fixed' });
    const all = await operate(api, 'listBridgeRules', { path: '?limit=1' });
    expect(one.body).toMatchObject({ id: 'fixed', states });
    expect(all.body).toMatchObject({ items: [{ id: 'fixed', states }], meta: { partial: false } });

    node.mute = new Set(['rule-states']);
    const silent = await operate(api, 'listBridgeRules', { path: '?limit=1' });
    node.mute = new Set();
    expect(silent.body).toMatchObject({
      items: [{ id: 'fixed', states: [] }],
      meta: { partial: true, unavailable_nodes: [node.id] },
    });
  });

  it('puts all rules into another order, and says which place each has', async () => {
    const json = (ids: readonly string[]) => ({
      path: '/api/v1/bridge-rules/order',
      json: { ids },
    });
    const list = async () => {
      const { body, headers } = await operate(api, 'listBridgeRules');
      const { items } = body as { items: { id: string; position: number }[] };
      const ids = items.toSorted((a, b) => a.position - b.position).map(({ id }) => id);
      return { ids, headers: { 'if-match': headers.get('etag') ?? '' } };
    };
    const { ids, headers } = await list();
    expect(ids.length).toBeGreaterThan(1);
    const reversed = json(ids.toReversed());
    expect((await operate(api, 'orderBridgeRules', reversed)).status).toBe(428);
    const partial = { ...json(ids.slice(1)), headers };
    expect((await operate(api, 'orderBridgeRules', partial)).status).toBe(422);
    const done = await operate(api, 'orderBridgeRules', { ...reversed, headers });
    expect(done).toMatchObject({ status: 200, body: { ids: ids.toReversed() } });
    expect(await list()).toEqual({
      ids: ids.toReversed(),
      headers: { 'if-match': done.headers.get('etag') },
    });
    expect((await operate(api, 'orderBridgeRules', { ...reversed, headers })).status).toBe(412);
    const reserved = { id: 'order', bridge: 'main', direction: 'mqtt-to-kafka', filter: 'a' };
    const refused = await operate(api, 'createBridgeRule', { json: { ...reserved, topic: 't' } });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '/id' }] } });
  });

  it('leaves rules of the configuration alone', async () => {
    const path = '/api/v1/bridge-rules/fixed';
    const headers = { 'if-match': '*' };

    expect((await operate(api, 'deleteBridgeRule', { path, headers })).status).toBe(409);
    expect((await operate(api, 'getBridgeRule', { path })).body).toMatchObject({
      source: 'config',
      mqtt_topic: 'm',
    });
  });

  it('serves its documents without a key', async () => {
    const headers = { authorization: 'none' };
    const openapi = await operate(api, 'getOpenApi', { headers });
    const page = await operate(api, 'getDocs', { headers });
    const assets = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, a]) => a);

    const yaml = await operate(api, 'getOpenApiYaml', { headers });

    expect(openapi.body).toMatchObject({ openapi: '3.1.0' });
    expect(yaml.headers.get('content-type')).toBe('application/yaml');
    expect(parse(String(yaml.body))).toEqual(openapi.body);
    expect(assets).toHaveLength(4);
    for (const asset of assets) {
      const { status } = await operate(api, 'getDocsAsset', { path: asset ?? '', headers });
      expect(status).toBe(200);
    }
    for (const code of Object.keys(PROBLEMS)) {
      const path = `/api/problems/${code}`;
      expect((await operate(api, 'getProblem', { path, headers })).body).toMatchObject({ code });
    }
  });

  it('takes the request id of the caller, or makes one', async () => {
    const given = await call(api, '/api/v1/status', { headers: { 'x-request-id': 'trace-1' } });
    const forged = await call(api, '/nothing', { headers: { 'x-request-id': 'a b"' } });

    expect(given.headers.get('x-request-id')).toBe('trace-1');
    expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(forged.body).toMatchObject({ request_id: forged.headers.get('x-request-id') });
  });

  it('answers HEAD as GET without a body, and OPTIONS with the methods', async () => {
    const head = await call(api, '/api/v1/status', { method: 'HEAD' });
    const options = await call(api, '/api/v1/clients/a', { method: 'OPTIONS' });

    expect([head.status, head.body]).toEqual([200, '']);
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('GET, DELETE, HEAD, OPTIONS');
    expect(options.headers.get('access-control-allow-origin')).toBeNull();
  });

  const post = (body: string, type = 'application/json') => ({
    method: 'POST',
    body,
    headers: { 'content-type': type },
  });
  const bad: readonly (readonly [string, RequestInit, number, string, string?])[] = [
    ['/api/v1/nothing', {}, 404, 'not-found'],
    ['/', {}, 404, 'not-found'],
    ['/api/v1/bridges//restart', { method: 'POST' }, 404, 'not-found'],
    ['/api/v1/clients', { method: 'DELETE' }, 405, 'method-not-allowed'],
    ['/api/v1/status', { method: 'POST' }, 405, 'method-not-allowed'],
    ['/api/v1/status', { method: 'PATCH' }, 405, 'method-not-allowed'],
    ['/api/v1/status?x=1', {}, 400, 'unknown-parameter', '/query/x'],
    ['/api/v1/clients?clientid=1', {}, 400, 'unknown-parameter', '/query/clientid'],
    ['/api/v1/clients?limit=0', {}, 400, 'validation-failed', '/query/limit'],
    ['/api/v1/clients?limit=x', {}, 400, 'validation-failed', '/query/limit'],
    ['/api/v1/clients?limit=1&limit=2', {}, 400, 'validation-failed', '/query/limit'],
    ['/api/v1/clients?state=asleep', {}, 400, 'validation-failed', '/query/state'],
    ['/api/v1/clients?cursor=', {}, 400, 'validation-failed', '/query/cursor'],
    ['/api/v1/clients/%E0%A4', {}, 400, 'validation-failed'],
    ['/api/v1/subscriptions?match_topic=%23', {}, 400, 'invalid-topic', '/query/match_topic'],
    ['/api/v1/retained-messages?filter=a%23', {}, 400, 'invalid-filter', '/query/filter'],
    ['/api/v1/retained-messages', { method: 'DELETE' }, 400, 'validation-failed', '/query/topic'],
    ['/api/v1/messages', { method: 'POST' }, 400, 'validation-failed', ''],
    ['/api/v1/messages', post('{'), 400, 'validation-failed'],
    ['/api/v1/messages', post(''), 400, 'validation-failed'],
    ['/api/v1/messages', post('[]'), 400, 'validation-failed', ''],
    ['/api/v1/messages', post('{"topic":"+"}'), 400, 'invalid-topic', '/topic'],
    ['/api/v1/messages', post('{"topic":"t","a/b":1}'), 400, 'validation-failed', '/a~1b'],
    ['/api/v1/messages', post('{"topic":"t","qos":3}'), 400, 'validation-failed', '/qos'],
    ['/api/v1/messages', post('{"topic":"t","__proto__":{}}'), 400, 'validation-failed'],
    [
      '/api/v1/messages',
      post('{"topic":"t","payload":"é","payload_encoding":"base64"}'),
      400,
      'validation-failed',
      '/payload',
    ],
    ['/api/v1/messages', post('topic=t', 'text/plain'), 415, 'unsupported-media-type'],
    [
      '/api/v1/messages',
      post('topic=t', 'application/x-www-form-urlencoded'),
      415,
      'unsupported-media-type',
    ],
    ['/api/v1/messages', post(`"${'x'.repeat(3_000_000)}"`), 413, 'payload-too-large'],
    ['/api/v1/bridge-rules', post('{"id":"x"}'), 400, 'validation-failed', '/direction'],
    ['/api/v1/bridge-rules/..%2f', {}, 400, 'validation-failed', '/path/rule_id'],
    ['/api/v1/nodes/nobody', {}, 404, 'not-found'],
    ['/api/v1/clients/nobody', {}, 404, 'not-found'],
    ['/api/docs/..%2fpackage.json', {}, 404, 'not-found'],
    ['/api/problems/toString', {}, 404, 'not-found'],
    ['/api/v1/status', { headers: { accept: 'text/html' } }, 406, 'not-acceptable'],
    ['/api/v1/status', { headers: { authorization: 'Bearer wrong' } }, 401, 'unauthenticated'],
    ['/api/v1/status', { headers: { authorization: `Basic ${KEY}` } }, 401, 'unauthenticated'],
    ['/api/v1/nothing', { headers: { authorization: 'none' } }, 401, 'unauthenticated'],
  ];

  it.each(bad)(
    'refuses %s %# with a valid problem',
    async (...[path, init, status, code, pointer]) => {
      const answer = await call(api, path, init);

      expectProblem(answer);
      expect(answer).toMatchObject({ status, body: { code } });
      const { errors = [] } = answer.body as { errors?: { pointer: string }[] };
      expect(errors.map((error) => error.pointer)).toEqual(pointer === undefined ? [] : [pointer]);
      expect(answer.headers.has('allow')).toBe(status === 405);
      expect(answer.headers.has('www-authenticate')).toBe(status === 401);
    },
  );

  it('answers a head that is too large, and noise, before they are requests', async () => {
    const { hostname, port } = new URL(api.url);
    const answers = [];
    for (const text of [`GET /${'x'.repeat(300_000)} HTTP/1.1\r\n`, 'noise\r\n\r\n']) {
      const socket = connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (chunk) => (answer += String(chunk)));
      socket.write(text);
      await once(socket, 'close');
      answers.push(answer);
    }

    expect(answers[0]).toMatch(/^HTTP\/1\.1 431 /);
    expect(answers[1]).toMatch(/^HTTP\/1\.1 400 /);
    for (const answer of answers) {
      const body: unknown = JSON.parse(answer.split('\r\n\r\n')[1] ?? '');
      expect(problemSchema.safeParse(body).error).toBeUndefined();
    }
  });

  it.each([
    ['storage-unavailable', 503],
    ['internal', 500],
  ] as const)('answers %s of a node as a problem', async (fault, status) => {
    node.fault = fault;
    const answer = await operate(api, 'listRetainedMessages');
    node.fault = undefined;

    expect(answer).toMatchObject({ status, body: { code: fault } });
  });

  it('serves probes and metrics on the ops port', async () => {
    const ops = `http://127.0.0.1:${api.opsPort}`;
    const metrics = await (await fetch(`${ops}/metrics`)).text();

    for (const probe of ['live', 'ready', 'startup']) {
      expect((await fetch(`${ops}/healthz/${probe}`)).status).toBe(200);
    }
    expect(metrics).toMatch(
      /skein_api_http_requests_total\{route="\/api\/v1\/status",method="GET",code="200"\} \d/,
    );
    expect(metrics).toMatch(/skein_api_authentications_total\{[^}]*outcome="denied"[^}]*\} [1-9]/);
    expect(metrics).toMatch(/skein_api_node_calls_total\{outcome="ok"\} [1-9]/);
    expect(metrics).not.toContain('b/+#');
  });

  // Last: the node does not come back.
  it('answers 503 when the node is gone', async () => {
    await node.server.close();
    const answer = await operate(api, 'listClients');
    const write = await operate(api, 'publishMessage', { json: { topic: 't' } });

    expect(answer).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    expect(write).toMatchObject({ status: 503, body: { code: 'node-unavailable' } });
    const ready = await fetch(`http://127.0.0.1:${api.opsPort}/healthz/ready`);
    expect(ready.status).toBe(503);
  });
});

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { KEY, call, configOf, expectProblem, open } from '../../../../test/api/api-harness.ts';
import { bearer, makeKey, whoami } from '../../../../test/api/callers.ts';
import { FakeNode } from '../../../../test/api/fake-node.ts';
import type { ApiProcess } from '../api-process.ts';

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

const send = (path: string, body: string, type = 'application/json') =>
  call(api, path, { method: 'POST', body, headers: { 'content-type': type } });

it('a body of very many unknown fields is refused as one of few', async () => {
  const fields = Array.from({ length: 160_000 }, (_, index) => `"${index.toString(36)}":0`);
  const answer = await send('/api/v1/api-keys', `{${fields.join(',')}}`);
  expect(answer.status).toBe(400);
  expectProblem(answer);
});

it.each(['json', 'plain'])(
  'a payload of very many levels is no fault of the API (%s)',
  async (encoding) => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const message = `{"topic":"a","payload_encoding":"${encoding}","payload":${deep}}`;
    const answer = await send('/api/v1/messages', message);
    expect(answer.status).toBe(400);
    expectProblem(answer);
    const bulk = await send('/api/v1/messages/bulk', `[${message}]`);
    expect(bulk.body).toMatchObject({ status: 400, errors: [{ pointer: '', code: 'too-deep' }] });
    const lines = `{}\n${message}`;
    const typed = await send('/api/v1/messages/bulk', lines, 'application/x-ndjson');
    expect(typed.body).toMatchObject({
      status: 400,
      errors: [{ pointer: '/1', code: 'too-deep' }],
    });
  },
);

it('a request for a whole URL is answered as any other', async () => {
  const line = await new Promise<string>((resolve, reject) => {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.once('error', reject);
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n', 1)[0] ?? '');
      socket.destroy();
    });
    socket.write(
      `GET http://[/api/v1/api-keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${KEY}\r\n\r\n`,
    );
  });
  expect(line).toMatch(/^HTTP\/1.1 (?:200|400)/);
});

it('many messages in one request count as many, and a key from elsewhere as a failure', async () => {
  const config = await configOf({
    ...{ SKEIN_API_KEY: KEY },
    ...{
      SKEIN_API_RATE_LIMITS_PUBLISHES_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_PUBLISH_BURST: '100',
    },
    ...{
      SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_FAILURE_BURST: '2',
    },
  });
  const limited = await open(config);
  const publish = (messages: number) =>
    call(limited, '/api/v1/messages/bulk', {
      method: 'POST',
      // Refused one by one: no node is needed.
      json: Array.from({ length: messages }, () => ({ topic: '#' })),
    });
  expect((await publish(1_000)).status).toBe(200);
  const second = await publish(1);
  expect([second.status, second.headers.get('ratelimit-remaining')]).toEqual([429, '0']);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(60);

  const elsewhere = await makeKey(limited, { role: 'viewer', allowed_cidrs: ['10.0.0.0/8'] });
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    statuses.push((await whoami(limited, bearer(elsewhere.secret))).status);
  }
  expect(statuses.slice(0, 2)).toEqual([403, 403]);
  expect(statuses).toContain(429);
  await limited.stop();
});

it('a list is told what is wrong with it however long it is and however little its caller has left', async () => {
  const config = await configOf({
    ...{ SKEIN_API_KEY: KEY },
    ...{
      SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_REQUEST_BURST: '20',
    },
  });
  const limited = await open(config);
  const disconnect = (client_ids: readonly unknown[]) =>
    call(limited, '/api/v1/client-disconnects', { method: 'POST', json: { client_ids } });
  const ids = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
  // Not the first request, so that no bucket is full.
  expect((await whoami(limited, bearer(KEY))).status).toBe(200);
  for (const faulty of [
    [...ids, 'one more'],
    [...ids.slice(1), 7],
  ]) {
    const answer = await disconnect(faulty);
    expectProblem(answer);
    expect(answer.body).toMatchObject({ code: 'validation-failed' });
  }
  // What is right but too much for now is told when to come again.
  const right = await disconnect(ids);
  expect([right.status, right.body]).toEqual([
    429,
    expect.objectContaining({ code: 'rate-limited' }),
  ]);
  const seconds = Number(right.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(20);
  await limited.stop();
});

it('a list of the longest permitted length is possible for a rested caller, whatever its burst', async () => {
  const config = await configOf({
    ...{ SKEIN_API_KEY: KEY },
    ...{
      SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '1',
      SKEIN_API_RATE_LIMITS_REQUEST_BURST: '20',
    },
  });
  const limited = await open(config);
  const client_ids = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
  const fresh = await makeKey(limited, { role: 'admin' });
  const answer = await call(limited, '/api/v1/client-disconnects', {
    ...{ method: 'POST', json: { client_ids } },
    headers: bearer(fresh.secret),
  });
  expect(answer.status).not.toBe(429);
  expect(answer.headers.get('ratelimit-remaining')).toBe('0');
  await limited.stop();
});

it('the tag of a retained message does not tell who guesses its payload', async () => {
  const path = '/api/v1/retained-messages/by-topic?topic=doors/1';
  await call(api, path, { method: 'PUT', json: { payload: 'shut' } });
  const { secret } = await makeKey(api, { role: 'viewer' });
  const shown = await call(api, path, { headers: bearer(secret) });
  expect([shown.status, JSON.stringify(shown.body).includes('payload"')]).toEqual([200, false]);
  const guess = JSON.stringify(node.messages.retained.get('doors/1'));
  const digest = createHash('sha256').update(guess).digest('base64url');
  expect(shown.headers.get('etag')).toMatch(/^"[\w-]{22}"$/);
  expect(shown.headers.get('etag')).not.toBe(`"${digest.slice(0, 22)}"`);
});

import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startWebhookServer, until, type PostedRequest, type WebhookServer } from '#libs/testkit';
import { KEY, call, configOf, open, operate, type Answer } from '../../../test/api/api-harness.ts';
import { codeOf } from '../../../test/api/callers.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 20_000;
const SECRET_BYTES = randomBytes(32);
const SECRET = `whsec_${SECRET_BYTES.toString('base64')}`;

let api: ApiProcess;
let node: FakeNode;
let server: WebhookServer;

beforeAll(async () => {
  const settings = { SKEIN_API_KEY: KEY, SKEIN_API_WEBHOOKS_ALLOW_PRIVATE: 'true' };
  const config = await configOf(settings);
  server = await startWebhookServer();
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
  await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
  await server.stop();
});

afterEach(async () => {
  const { items } = (await operate(api, 'listWebhooks')).body as { items: { id: string }[] };
  for (const { id } of items) {
    const path = `/api/v1/webhooks/${id}`;
    await operate(api, 'deleteWebhook', { path, headers: { 'if-match': '*' } });
  }
  server.stored.length = 0;
  server.answer = () => ({ status: 204 });
});

const urlOf = (path = '/hook') => `http://127.0.0.1:${String(server.port)}${path}`;

async function make(more: object = {}): Promise<Answer & { readonly path: string }> {
  const json = { url: urlOf(), secret: SECRET, ...more };
  const made = await operate(api, 'createWebhook', { json });
  expect(made.status).toBe(201);
  return { ...made, path: made.headers.get('location') ?? '' };
}

interface Told {
  readonly type: string;
  readonly events: { readonly id: string; readonly type: string; readonly client_id: string }[];
}

const toldOf = ({ body }: PostedRequest) => JSON.parse(body.toString()) as Told;

function told(path = '/hook'): string[] {
  const requests = server.stored.filter((each) => each.path === path);
  return requests.flatMap((each) => toldOf(each).events.map(({ client_id }) => client_id));
}

function expectSigned({ headers, body }: PostedRequest): void {
  const [id = ''] = headers['webhook-id'] ?? [];
  const [timestamp = ''] = headers['webhook-timestamp'] ?? [];
  const expected = createHmac('sha256', SECRET_BYTES)
    .update(`${id}.${timestamp}.${body.toString()}`)
    .digest('base64');
  expect(headers['webhook-signature']).toEqual([`v1,${expected}`]);
  expect(Math.abs(Number(timestamp) - Date.now() / 1_000)).toBeLessThan(60);
}

async function deliveries(path: string, query = ''): Promise<Record<string, unknown>[]> {
  const answer = await operate(api, 'listWebhookDeliveries', {
    path: `${path}/deliveries${query}`,
  });
  return (answer.body as { items: Record<string, unknown>[] }).items;
}

describe('a webhook', () => {
  it('is made, shown, changed and deleted, and its secret never shown', async () => {
    const made = await make({ description: 'é', events: ['node.left'] });
    expect(made.body).toMatchObject({ enabled: true, batch_events_max: 50, timeout_seconds: 10 });
    const { path } = made;
    const etag = made.headers.get('etag') ?? '';
    const shown = await operate(api, 'getWebhook', { path });
    expect(shown.body).toEqual(made.body);
    const known = { path, headers: { 'if-none-match': etag } };
    expect((await operate(api, 'getWebhook', known)).status).toBe(304);
    const patch = (headers: Record<string, string>, json: object) =>
      operate(api, 'patchWebhook', { path, headers, json });
    expect((await patch({}, { enabled: false })).status).toBe(428);
    expect((await patch({ 'if-match': '"0"' }, { enabled: false })).status).toBe(412);
    const patched = await patch({ 'if-match': etag }, { enabled: false, events: null });
    expect(patched.body).toMatchObject({ enabled: false, events: [], description: 'é' });
    const next = { 'if-match': patched.headers.get('etag') ?? '' };
    const replaced = await operate(api, 'replaceWebhook', {
      ...{ path, headers: next, json: { url: urlOf('/other'), secret: SECRET } },
    });
    expect(replaced.body).toMatchObject({ url: urlOf('/other'), description: '', enabled: true });
    const list = await operate(api, 'listWebhooks');
    expect(list.body).toMatchObject({ items: [replaced.body] });
    for (const answer of [made, shown, patched, replaced, list]) {
      expect(JSON.stringify(answer.body)).not.toContain('whsec_');
    }
    const remove = () => operate(api, 'deleteWebhook', { path, headers: { 'if-match': '*' } });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await operate(api, 'testWebhook', { path: `${path}/tests` })).status).toBe(404);
    expect(
      (await operate(api, 'listWebhookDeliveries', { path: `${path}/deliveries` })).status,
    ).toBe(404);
  });

  it.each([
    [{ url: 'ftp://a.example/' }, '/url'],
    [{ url: 'https://u:p@a.example/' }, '/url'],
    [{ secret: 'short' }, '/secret'],
    [{ secret: `whsec_${'A'.repeat(31)}` }, '/secret'],
    [{ events: ['client.exploded'] }, '/events/0'],
    [{ batch_events_max: 0 }, '/batch_events_max'],
    [{ timeout_seconds: 31 }, '/timeout_seconds'],
  ])('is refused with %j', async (more, pointer) => {
    const json = { url: urlOf(), secret: SECRET, ...more };
    expect(await operate(api, 'createWebhook', { json })).toMatchObject({
      status: 400,
      body: { errors: [expect.objectContaining({ pointer })] },
    });
  });

  it('is told what happens from then on, signed, in the order of its coming', async () => {
    node.streams.emit('client.connected', 'before');
    await make();
    const number = node.streams.events.length + 1;
    const ids = Array.from({ length: 120 }, (_, index) => `c${String(index)}`);
    for (const id of ids) node.streams.emit('client.connected', id);
    await until(() => told().length === 120, DEADLINE_MS);
    expect(told()).toEqual(ids);
    for (const request of server.stored) {
      expectSigned(request);
      expect(toldOf(request).type).toBe('events');
      expect(toldOf(request).events.length).toBeLessThanOrEqual(50);
    }
    expect(toldOf(server.stored[0] as PostedRequest).events[0]).toEqual({
      ...{
        id: `n1-1-${String(number)}`,
        type: 'client.connected',
        time: '1970-01-01T00:00:00.005Z',
        node: 'n1',
      },
      ...{ client_id: 'c0', reason: 'normal' },
    });
  });

  it('is asked again when it fails, and shows when, and what came of it', async () => {
    let isDown = true;
    server.answer = () => (isDown ? { status: 503 } : { status: 200 });
    const { path } = await make();
    node.streams.emit('client.connected', 'a');
    const retrying = async () => (await deliveries(path, '?state=retrying'))[0];
    await until(async () => (await retrying()) !== undefined, DEADLINE_MS);
    expect(await retrying()).toMatchObject({
      ...{ state: 'retrying', event_count: 1, ended_at: null },
      next_attempt_at: expect.stringMatching(/^20/),
      attempts: expect.arrayContaining([
        expect.objectContaining({ status: 503, detail: 'the endpoint answered 503' }),
      ]),
    });
    isDown = false;
    await until(() => told().length === 1, DEADLINE_MS);
    const done = async () => (await deliveries(path)).map(({ state }) => state);
    await until(async () => (await done())[0] === 'delivered', DEADLINE_MS);
    expect(await deliveries(path, '?state=failed')).toEqual([]);
    const metrics = await (await fetch(`http://127.0.0.1:${String(api.opsPort)}/metrics`)).text();
    expect(metrics).toContain('skein_api_webhook_deliveries_total{outcome="delivered"} ');
    expect(metrics).toMatch(/skein_api_webhook_deliveries_total\{outcome="retried"\} [1-9]/);
  });

  it('does not keep others waiting, and is followed nowhere else', async () => {
    server.answer = ({ path }) =>
      path === '/slow'
        ? 'hang'
        : path === '/moved'
          ? { status: 307, headers: { location: urlOf('/elsewhere') } }
          : { status: 204 };
    await make({ url: urlOf('/slow'), timeout_seconds: 30 });
    const moved = await make({ url: urlOf('/moved') });
    await make();
    for (let index = 0; index < 200; index += 1) node.streams.emit('client.connected', 'a');
    await until(() => told().length === 200, DEADLINE_MS);
    const failed = async () => (await deliveries(moved.path))[0]?.['attempts'];
    await until(async () => (await failed()) !== undefined, DEADLINE_MS);
    expect(await failed()).toMatchObject([
      { status: 307, detail: 'the endpoint answered 307; redirects are not followed' },
    ]);
    expect(told('/elsewhere')).toEqual([]);
  });

  it('is paused, and told nothing of that time when it goes on', async () => {
    const { path, headers } = await make();
    node.streams.emit('client.connected', 'a');
    await until(() => told().length === 1, DEADLINE_MS);
    const set = (etag: string | null, enabled: boolean) => {
      const ifMatch = { 'if-match': etag ?? '' };
      return operate(api, 'patchWebhook', { path, headers: ifMatch, json: { enabled } });
    };
    const paused = await set(headers.get('etag'), false);
    node.streams.emit('client.connected', 'b');
    await set(paused.headers.get('etag'), true);
    node.streams.emit('client.connected', 'c');
    await until(() => told().includes('c'), DEADLINE_MS);
    expect(told()).toEqual(['a', 'c']);
  });

  it('hears what is gone', async () => {
    await make();
    node.streams.lost = 7;
    await until(() => server.stored.length > 0, DEADLINE_MS);
    expect(toldOf(server.stored[0] as PostedRequest).events).toEqual([
      { type: 'overflow', node: 'n1', lost: 7 },
    ]);
  });

  it('is tested', async () => {
    const { path } = await make({ enabled: false });
    const test = () => operate(api, 'testWebhook', { path: `${path}/tests` });
    expect((await test()).body).toMatchObject({ delivered: true, status: 204, detail: '' });
    const [request] = server.stored;
    expectSigned(request as PostedRequest);
    expect(toldOf(request as PostedRequest)).toMatchObject({ type: 'test', events: [] });
    server.answer = () => 'drop';
    expect((await test()).body).toMatchObject({ delivered: false, status: null });
    expect(await deliveries(path)).toEqual([]);
  });

  it('is one of so many at most', async () => {
    for (let count = 0; count < 32; count += 1) await make({ enabled: false });
    const json = { url: urlOf(), secret: SECRET };
    expect(codeOf(await operate(api, 'createWebhook', { json }))).toBe('limit-reached');
  });
});

describe('without leave for private addresses', () => {
  let strict: ApiProcess;

  beforeAll(async () => {
    strict = await open(await configOf({ SKEIN_API_KEY: KEY }));
  });
  afterAll(() => strict.stop());

  it.each([
    'https://127.0.0.1/',
    'https://[::1]:8443/',
    'https://169.254.169.254/latest/meta-data',
    'https://10.1.2.3/',
    'https://localhost/',
    'http://hooks.example/',
  ])('%s is refused', async (url) => {
    const json = { url, secret: SECRET };
    expect(await operate(strict, 'createWebhook', { json })).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ pointer: '/url' })] },
    });
  });

  it('a name that leads to one is found out when it is looked up', async () => {
    // Found in the hosts file, or nowhere: names below localhost are the machine itself.
    const json = { url: `https://localhost.:${String(server.port)}/`, secret: SECRET };
    const made = await operate(strict, 'createWebhook', { json });
    const path = `${made.headers.get('location') ?? ''}/tests`;
    const before = server.posts;
    const tested = await operate(strict, 'testWebhook', { path });
    expect(tested.body).toMatchObject({ delivered: false, status: null });
    expect(server.posts).toBe(before);
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1']);
  for (const id of ['a', 'b', 'c']) node.clients.set(id, clientOf(id));
  const session = { ...clientOf('o', 'disconnected'), expiresAtMs: 9_000 };
  node.sessions.unowned = [{ nodeId: 'gone', session }];
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

const idsOf = ({ body }: { readonly body: unknown }) =>
  (body as { items: { client_id: string }[] }).items.map((item) => item.client_id);
const of = (id: string, rest: string) => ({ path: `/api/v1/clients/${id}/${rest}` });

it('hands filters on as conditions, and the order', async () => {
  const query =
    '?username[in]=u,v&ip=10.0.0.0/8&keep_alive[gte]=60&connected_at[lte]=1970-01-01T00:00:02Z&sort=-connected_at';
  await operate(api, 'listClients', { path: query });

  expect(node.received.findLast(({ kind }) => kind === 'clients')).toEqual({
    kind: 'clients',
    query: {
      ...{ limit: 100, order: 'connected_at', descending: true },
      where: [
        { field: 'username', operator: 'in', value: ['u', 'v'] },
        { field: 'ip', operator: 'eq', value: '10.0.0.0/8' },
        { field: 'connected_at', operator: 'lte', value: 2_000 },
        { field: 'keep_alive', operator: 'gte', value: 60 },
      ],
    },
  });
});

it.each([
  '?ip=10.0.0.0/99',
  '?ip=localhost',
  '?connected_at[gte]=1',
  '?keep_alive=-1',
  '?sort=username',
  '?fields=client_id,password',
  '?clean_start=yes',
  '?mqtt_version=4',
  '?queue=1',
])('refuses clients%s', async (path) => {
  expect((await operate(api, 'listClients', { path })).status).toBe(400);
});

it('shows the wanted fields only', async () => {
  const { body } = await operate(api, 'listClients', { path: '?fields=client_id,node&limit=1' });

  expect((body as { items: unknown[] }).items).toEqual([{ client_id: 'a', node: 'n1' }]);
});

it('pages downwards', async () => {
  const first = await operate(api, 'listClients', { path: '?sort=-client_id&limit=2' });
  const link = /<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
  const second = await operate(api, 'listClients', { path: link });

  expect([idsOf(first), idsOf(second)]).toEqual([
    ['o', 'c'],
    ['b', 'a'],
  ]);
});

it('lists and shows sessions, also one whose node has gone, which cannot be changed yet', async () => {
  const list = await operate(api, 'listSessions');
  const path = '/api/v1/sessions/o';
  const shown = await operate(api, 'getSession', { path });

  expect(idsOf(list)).toEqual(['a', 'b', 'c', 'o']);
  expect(shown.body).toMatchObject({ node: 'gone', expires_at: '1970-01-01T00:00:09.000Z' });
  for (const [id, init] of [
    ['deleteSession', { path }],
    ['patchSession', { path, json: { expiry_seconds: 5 } }],
  ] as const) {
    expect(await operate(api, id, init)).toMatchObject({
      status: 503,
      body: { code: 'node-unavailable', detail: expect.stringMatching(/^Not done: gone/) },
    });
  }
});

it('changes how long a session stays, unless it is not stored', async () => {
  const path = '/api/v1/sessions/a';
  const patch = (json: object) => operate(api, 'patchSession', { path, json });

  expect(await patch({ expiry_seconds: 5 })).toMatchObject({ body: { expiry_seconds: 5 } });
  expect(await patch({ expiry_seconds: null })).toMatchObject({ body: { expiry_seconds: null } });
  expect((await patch({})).status).toBe(400);
  expect((await patch({ expiry_seconds: 0 })).status).toBe(400);
  node.clients.set('a', { ...clientOf('a'), isDurable: false });
  expect(await patch({ expiry_seconds: 5 })).toMatchObject({ status: 409 });
  node.clients.set('a', clientOf('a'));
});

it('disconnects with the reason that is given, and ends sessions', async () => {
  node.clients.set('gone', clientOf('gone'));
  const path = '/api/v1/clients/gone?reason_code=151&publish_will=false&clear_session=true';
  expect((await operate(api, 'disconnectClient', { path })).status).toBe(204);
  expect(node.received).toContainEqual({
    ...{ kind: 'disconnect', clientId: 'gone' },
    ...{ reasonCode: 151, withWill: false, endSession: true },
  });
  for (const bad of ['4', '129', '-1', 'x', '']) {
    const refused = { path: `/api/v1/clients/a?reason_code=${bad}` };
    expect((await operate(api, 'disconnectClient', refused)).status).toBe(400);
  }
  expect((await operate(api, 'deleteSession', { path: '/api/v1/sessions/gone' })).status).toBe(404);
});

it('subscribes a client to one filter or to many, and says what became of each', async () => {
  node.sessions.refusals.set('secret', 0x87).set('full', 0x97);
  const target = of('a', 'subscriptions');
  const one = await operate(api, 'subscribeClient', { ...target, json: { filter: 't', qos: 2 } });
  const json = [{ filter: 'secret' }, { filter: 't' }, { filter: 'full' }];
  const many = await operate(api, 'subscribeClient', { ...target, json });

  expect(one.body).toEqual({ items: [{ index: 0, status: 200, filter: 't', qos: 2 }] });
  expect(many.body).toMatchObject({
    items: [
      { index: 0, status: 403, problem: { code: 'topic-not-allowed', mqtt_reason_code: 0x87 } },
      { index: 1, status: 200, qos: 0 },
      { index: 2, status: 409, problem: { code: 'limit-reached' } },
    ],
  });
  for (const bad of [[], { filter: 'a#' }, Array.from({ length: 1001 }, () => ({ filter: 't' }))]) {
    expect((await operate(api, 'subscribeClient', { ...target, json: bad })).status).toBe(400);
  }
  const nobody = { ...of('nobody', 'subscriptions'), json: { filter: 't' } };
  expect((await operate(api, 'subscribeClient', nobody)).status).toBe(404);
});

it('ends a subscription of a client', async () => {
  const end = (filter: string) =>
    operate(api, 'unsubscribeClient', of('a', `subscriptions?filter=${filter}`));

  expect([(await end('b')).status, (await end('c')).status]).toEqual([204, 404]);
});

it('shows the messages of a client', async () => {
  const first = await operate(
    api,
    'listQueuedMessages',
    of('a', 'queued-messages?limit=2&payload=text'),
  );
  const link = /<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
  const second = await operate(api, 'listQueuedMessages', { path: link });
  const bare = await operate(api, 'listQueuedMessages', of('a', 'queued-messages'));
  const inflight = await operate(api, 'listInflightMessages', of('a', 'inflight-messages?limit=1'));

  expect(first.body).toMatchObject({
    items: [
      { payload: 'hé', inflight: true, properties: { content_type: 'text/plain' } },
      { inflight: false },
    ],
    page: { has_more: true },
  });
  expect(second.body).toMatchObject({ items: [{ topic: 't' }], page: { has_more: false } });
  expect(JSON.stringify(bare.body)).not.toMatch(/"payload"|content_type/);
  expect(inflight.body).toMatchObject({
    items: [{ packet_id: 7, awaits: 'puback' }],
    page: { has_more: true },
  });
  const clear = (id: string) => operate(api, 'clearQueuedMessages', of(id, 'queued-messages'));
  expect([(await clear('a')).status, (await clear('nobody')).status]).toEqual([204, 404]);
});

it('shows and empties what is remembered of a client, and asks what it may do', async () => {
  const page = await operate(api, 'listAuthorizationCache', of('a', 'authorization-cache?limit=1'));
  expect(page.body).toMatchObject({
    items: [{ topic: 'x', allowed: true }],
    page: { has_more: true },
  });
  const clear = await operate(api, 'clearAuthorizationCache', of('a', 'authorization-cache'));
  expect(clear.status).toBe(204);

  const check = (json: object) =>
    operate(api, 'checkAuthorization', { ...of('a', 'authorization-checks'), json });
  expect((await check({ action: 'publish', topic: 't' })).body).toMatchObject({ allowed: true });
  expect((await check({ action: 'subscribe', topic: '#' })).body).toMatchObject({ allowed: false });
  expect((await check({ action: 'connect', topic: 't' })).status).toBe(400);
});

it('lists subscriptions of a QoS', async () => {
  const some = await operate(api, 'listSubscriptions', { path: '?qos=1&shared_group=g' });
  const none = await operate(api, 'listSubscriptions', { path: '?qos=2' });

  expect(idsOf(some)).toHaveLength(6);
  expect(idsOf(none)).toEqual([]);
  expect(node.received).toContainEqual({
    kind: 'subscriptions',
    query: { limit: 100, qos: 1, group: 'g' },
  });
});

it('lists subscriptions of sessions whose node has gone among the others', async () => {
  const fields = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  node.sessions.unownedSubscriptions = ['aa', 'zz'].map((clientId) => ({
    nodeId: clientId === 'aa' ? 'gone' : 'gone-too',
    subscription: { ...fields, clientId, filter: 'x', subscriptionIdentifier: 0 },
  }));
  const seen: [string, string][] = [];
  let path = '?limit=2';
  for (;;) {
    const { body } = await operate(api, 'listSubscriptions', { path });
    const { items, page } = body as {
      items: { client_id: string; filter: string; node: string }[];
      page: { next_cursor?: string };
    };
    seen.push(...items.map((each): [string, string] => [each.client_id, each.node]));
    if (page.next_cursor === undefined) break;
    path = `?limit=2&cursor=${page.next_cursor}`;
  }
  expect(seen.filter(([, owner]) => owner.startsWith('gone'))).toEqual([
    ['aa', 'gone'],
    ['zz', 'gone-too'],
  ]);
  expect(seen.map(([id]) => id)).toEqual(seen.map(([id]) => id).toSorted());
  const one = await operate(api, 'listSubscriptions', { path: '?node=gone-too' });
  expect(one.body).toMatchObject({ items: [{ client_id: 'zz', node: 'gone-too' }] });
  node.sessions.unownedSubscriptions = [];
});

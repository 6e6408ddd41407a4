import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const NOT_AUTHORIZED = 0x87;

const scope = new Scope();
afterEach(() => scope.close());

/** Answers what comes to its command topic, as an MQTT 5 device does. */
async function answering(url: string, clientId: string, username?: string): Promise<Client> {
  const device = await Client.connect(scope, url, {
    clientId,
    ...(username === undefined ? {} : { username, password: username }),
  });
  await device.subscribe(`devices/${clientId}/commands`);
  device.mqtt.on('message', (_topic, payload, { properties }) => {
    const { responseTopic = '', correlationData } = properties ?? {};
    device.mqtt.publish(responseTopic, `did ${payload.toString()}`, {
      qos: 1,
      properties: { contentType: 'text/plain', ...(correlationData && { correlationData }) },
    });
  });
  return device;
}

describe('messages over REST', () => {
  const shared = new Scope();
  let cluster: Cluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await startCluster(shared, { AUTH_ANONYMOUS: 'true' });
    api = await Api.start(shared, cluster.redis);
  });
  afterAll(() => shared.close());

  it('reach a client with all their properties', async () => {
    const client = await Client.connect(scope, cluster.nodes[1].url);
    await client.subscribe('all/#', 2);
    const properties = {
      content_type: 'application/json',
      response_topic: 'answers/1',
      correlation_data: Buffer.from([0, 255]).toString('base64'),
      payload_format_indicator: 1,
      message_expiry_interval: 600,
      user_properties: [
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ],
    };
    const body = {
      topic: 'all/1',
      payload: { é: [1] },
      payload_encoding: 'json',
      qos: 2,
      properties,
    };

    const { status, body: published } = await api.call('publishMessage', { body });
    expect([status, published]).toMatchObject([
      200,
      { message_id: expect.stringMatching(/^.+-\d{13}-\d+$/), matched_subscribers: 1 },
    ]);
    expect(await client.receives(1)).toEqual([
      { topic: 'all/1', payload: '{"é":[1]}', qos: 2, retain: false },
    ]);
    expect(client.packets[0]?.properties).toMatchObject({
      contentType: 'application/json',
      responseTopic: 'answers/1',
      correlationData: Buffer.from([0, 255]),
      payloadFormatIndicator: true,
      userProperties: { a: ['1', '2'] },
    });
    const { messageExpiryInterval = 0 } = client.packets[0]?.properties ?? {};
    expect(messageExpiryInterval).toBeGreaterThan(500);
    expect(messageExpiryInterval).toBeLessThanOrEqual(600);
  });

  it('in bulk come in their order, and the faulty ones keep nobody', async () => {
    const client = await Client.connect(scope, cluster.nodes[2].url);
    await client.subscribe('bulk/#');
    const items = Array.from({ length: 200 }, (_, index) => ({
      topic: index === 50 ? 'bulk/#' : `bulk/${String(index % 3)}`,
      payload: String(index),
      qos: 1,
    }));

    const { body } = await api.call('publishMessages', { body: items });
    const results = (body as { items: { status: number }[] }).items;
    expect(results.filter(({ status }) => status === 200)).toHaveLength(199);
    expect(results[50]).toMatchObject({ status: 400, problem: { code: 'invalid-topic' } });
    await client.receives(199);
    expect(client.payloads).toEqual(items.flatMap(({ payload }, at) => (at === 50 ? [] : payload)));
  });

  it('are those of a client, wherever it is, when they bear its name', async () => {
    const [, second, third] = cluster.nodes;
    await Client.connect(scope, second.url, { clientId: 'speaker' });
    const listener = await Client.connect(scope, third.url);
    await listener.subscribe('said/#');
    const body = { topic: 'said/1', payload: 'x', qos: 1, retain: true, as_client_id: 'speaker' };

    expect((await api.call('publishMessage', { body })).status).toBe(200);
    await listener.receives(1);
    const query = { topic: 'said/1' };
    expect((await api.call('getRetainedMessage', { query })).body).toMatchObject({
      publisher: 'speaker',
    });
    const absent = await api.call('publishMessage', { body: { ...body, as_client_id: 'nobody' } });
    expect(absent.status).toBe(422);
    expect((await api.call('deleteRetainedMessage', { query })).status).toBe(204);
  });

  it('are answered by a device at any node', async () => {
    const device = await answering(cluster.nodes[2].url, 'd1');
    const spy = await Client.connect(scope, cluster.nodes[0].url);
    await spy.subscribe('#');
    const body = { topic: 'devices/d1/commands', payload: 'reboot', timeout_seconds: 20 };
    // Any node may ask: each of the three has its turn.
    for (let turn = 0; turn < 6; turn += 1) {
      const { status, body: answer } = await api.call('requestMessage', { body });
      expect([status, answer]).toMatchObject([
        200,
        {
          payload: 'did reboot',
          payload_encoding: 'plain',
          publisher: 'd1',
          properties: { content_type: 'text/plain' },
        },
      ]);
    }
    await spy.receives(6);
    expect(new Set(spy.received.map(({ topic }) => topic))).toEqual(new Set([body.topic]));
    expect(device.received).toHaveLength(6);
  });

  it('are answered by a device that knows nothing of response topics', async () => {
    const device = await Client.connect(scope, cluster.nodes[1].url, { protocolVersion: 4 });
    await device.subscribe('old/commands');
    device.mqtt.on('message', () => device.mqtt.publish('old/answers', 'on', { qos: 1 }));
    const body = { topic: 'old/commands', response_topic: 'old/answers', timeout_seconds: 20 };

    expect(await api.call('requestMessage', { body })).toMatchObject({
      status: 200,
      body: { topic: 'old/answers', payload: 'on' },
    });
  });

  it('say when nobody is there, and when nobody answers', async () => {
    const silent = await Client.connect(scope, cluster.nodes[0].url);
    await silent.subscribe('silent');
    const ask = (topic: string) =>
      api.call('requestMessage', { body: { topic, timeout_seconds: 0.5 } });

    expect(await ask('nobody/here')).toMatchObject({
      status: 409,
      body: { code: 'no-subscribers' },
    });
    expect(await ask('silent')).toMatchObject({ status: 504, body: { code: 'no-response' } });
  });

  it('that a topic retains are put, shown and removed', async () => {
    const query = { topic: 'kept/1' };
    const put = await api.call('putRetainedMessage', { query, body: { payload: 'on', qos: 1 } });
    expect(put.status).toBe(201);
    const client = await Client.connect(scope, cluster.nodes[2].url);
    await client.subscribe('kept/#');
    expect(await client.receives(1)).toEqual([
      { topic: 'kept/1', payload: 'on', qos: 1, retain: true },
    ]);
    const etag = put.headers.get('etag') ?? '';
    const headers = { 'if-match': etag };
    const again = { query, headers, body: { payload: 'off', qos: 1 } };
    expect((await api.call('putRetainedMessage', again)).status).toBe(200);
    expect((await api.call('putRetainedMessage', again)).status).toBe(412);
    await client.receives(2);

    const all = { query: { filter: 'kept/+', dry_run: 'true' } };
    expect((await api.call('deleteRetainedMessages', all)).body).toMatchObject({
      ...{ dry_run: true, matched: 1, removed: 0, topics: ['kept/1'] },
    });
    const done = await api.call('deleteRetainedMessages', { query: { filter: 'kept/+' } });
    expect(done.body).toMatchObject({ matched: 1, removed: 1 });
    expect((await api.call('getRetainedMessage', { query })).status).toBe(404);
  });

  it('that are delayed come in their time, unless they are cancelled', async () => {
    const client = await Client.connect(scope, cluster.nodes[1].url);
    await client.subscribe('later/#');
    const create = (topic: string, delay_seconds: number) =>
      api.call('createDelayedMessage', { body: { topic, payload: 'x', qos: 1, delay_seconds } });

    const cancelled = await create('later/never', 2);
    expect(cancelled.status).toBe(201);
    const path = { delayed_message_id: (cancelled.body as { id: string }).id };
    await create('later/1', 2);
    await create('later/2', 3600);
    const shown = await api.call('getDelayedMessage', { path, query: { payload: 'text' } });
    expect(shown.body).toMatchObject({ topic: 'later/never', payload: 'x', publisher: null });
    expect((await api.call('deleteDelayedMessage', { path })).status).toBe(204);
    const list = await api.call('listDelayedMessages', { query: { filter: 'later/#' } });
    expect(list.body).toMatchObject({ items: [{ topic: 'later/1' }, { topic: 'later/2' }] });

    await client.receives(1, WAIT_MS);
    expect(client.received.map(({ topic }) => topic)).toEqual(['later/1']);
    await until(async () => {
      const { body } = await api.call('listDelayedMessages', { query: { filter: 'later/#' } });
      return (body as { items: object[] }).items.length === 1;
    }, WAIT_MS);
  });
});

it('the rights of a device hold for its answers, and nobody else hears them', async () => {
  const allow = (client: string, actions: readonly string[], topics: readonly string[]) => ({
    ...{ effect: 'allow', who: { clientIds: [client] }, actions, topics },
  });
  const rules = [
    allow('good', ['subscribe'], ['devices/good/#']),
    allow('good', ['publish'], ['$response/#']),
    allow('bad', ['subscribe'], ['devices/bad/#']),
    allow('spy', ['subscribe'], ['$response/#', '#']),
  ];
  const node = await Broker.start(scope, {
    AUTH_ANONYMOUS: 'true',
    ACL_DEFAULT: 'deny',
    ACL_RULES: JSON.stringify(rules),
  });
  const api = await Api.start(scope, node.settings);
  await answering(node.url, 'good');
  await answering(node.url, 'bad');
  const spy = await Client.connect(scope, node.url, { clientId: 'spy' });
  const granted = await new Promise<readonly number[]>((resolve) => {
    spy.mqtt.subscribe('$response/#', (_error, _grants, suback) => {
      resolve((suback?.granted ?? []).map(Number));
    });
  });
  expect(granted).toEqual([NOT_AUTHORIZED]);
  const ask = (device: string) =>
    api.call('requestMessage', {
      body: { topic: `devices/${device}/commands`, payload: 'go', timeout_seconds: 2 },
    });

  expect(await ask('good')).toMatchObject({ status: 200, body: { payload: 'did go' } });
  expect(await ask('bad')).toMatchObject({ status: 504 });
  const body = { topic: 'devices/good/x', payload: 'x', as_client_id: 'good' };
  expect(await api.call('publishMessage', { body })).toMatchObject({
    status: 403,
    body: { code: 'topic-not-allowed', mqtt_reason_code: NOT_AUTHORIZED },
  });
});

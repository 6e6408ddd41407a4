import { expect, it } from '@jest/globals';
import {
  bridgeRuleCreateSchema,
  bridgeRuleSchema,
  bridgeSchema,
  clientSchema,
  nodeSchema,
  retainedMessageSchema,
  type WireConnector,
} from '#libs/api-contracts';
import {
  presentBridge,
  presentNode,
  presentRetained,
  presentRule,
  wireMessageOf,
  wireRuleOf,
} from './presenters.ts';
import { presentClient } from './client-presenter.ts';

it('shows a client that was taken over without its connection', () => {
  const client = presentClient(
    {
      clientId: 'c',
      state: 'disconnected',
      cleanStart: false,
      keepAliveSeconds: 0,
      disconnectedAtMs: 0,
      createdAtMs: 0,
      isDurable: true,
      sessionExpirySeconds: 10,
      subscriptionCount: 0,
      queueMessages: 2,
      queueBytes: 3,
      inflightMessages: 0,
    },
    'n1',
  );

  expect(clientSchema.strict().safeParse(client).error).toBeUndefined();
  expect(client).toMatchObject({
    username: null,
    mqtt_version: null,
    connected_at: null,
    disconnected_at: '1970-01-01T00:00:00.000Z',
    session_expiry_seconds: 10,
  });
});

it('shows a node that does not answer', () => {
  const info = { nodeId: 'n', incarnation: 1, version: '1', startedAtMs: 0 };
  const node = presentNode({ ...info, state: 'draining' }, undefined);

  expect(nodeSchema.strict().safeParse(node).error).toBeUndefined();
  expect(node).toMatchObject({ reachable: false, statistics: null });
});

it.each([
  ['none', [104, 105], {}],
  ['base64', [104, 105], { payload: 'aGk=', payload_encoding: 'base64' }],
  ['text', [104, 105], { payload: 'hi', payload_encoding: 'plain' }],
  ['text', [0xef, 0xbb, 0xbf, 104], { payload: '\uFEFFh', payload_encoding: 'plain' }],
  ['text', [255], { payload: '/w==', payload_encoding: 'base64' }],
] as const)('shows a payload as %s: %j', (form, bytes, expected) => {
  const message = presentRetained(
    {
      topic: 't',
      qos: 0,
      payloadBytes: bytes.length,
      payload: Buffer.from(bytes).toString('base64'),
      publisher: '',
      receivedAtMs: 0,
      expiresAtMs: 0,
      properties: {},
    },
    form,
  );
  const { payload, payload_encoding: encoding } = message;

  expect(retainedMessageSchema.strict().safeParse(message).error).toBeUndefined();
  expect(payload === undefined ? {} : { payload, payload_encoding: encoding }).toEqual(expected);
});

it.each([
  ['plain', 'é', 'é'],
  ['base64', 'aGk=', 'hi'],
  ['json', [1, null], '[1,null]'],
  ['json', 'x', '"x"'],
  ['plain', undefined, ''],
] as const)('takes a %s payload %j', (encoding, payload, expected) => {
  const wire = wireMessageOf({
    topic: 't',
    payload,
    payload_encoding: encoding,
    qos: 0,
    retain: false,
  });

  expect(Buffer.from(wire.payload, 'base64').toString()).toBe(expected);
});

it.each([
  { id: 'a', bridge: 'main', direction: 'mqtt-to-kafka', filter: '#', topic: 't' },
  {
    id: 'c',
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    filter: '#',
    topic: '${topic[0]}',
    allow_topics: ['a', 'b-*'],
    partition: 'round-robin',
    dead_letter_topic: 'dead',
  },
  {
    ...{ id: 'a', bridge: 'main', direction: 'mqtt-to-kafka', filter: '#', topic: 't' },
    schema: { format: 'protobuf', subject: 's', version: 2, message_type: 'p.M' },
  },
  {
    ...{ id: 'b', bridge: 'main', direction: 'kafka-to-mqtt', topic: 't', mqtt_topic: 'm' },
    schema: { format: 'avro' },
  },
  {
    ...{ id: 'a', bridge: 'main', direction: 'mqtt-to-kafka', filter: '#', topic: 't' },
    spool: { bytes_max: 1_048_576, age_seconds_max: 60, on_full: 'block' },
    allow_loop: true,
  },
  { id: 'b', bridge: 'main', direction: 'kafka-to-mqtt', topic: 't', mqtt_topic: 'm' },
  {
    id: 'd',
    bridge: 'main',
    direction: 'kafka-to-mqtt',
    topic: 't',
    mqtt_topic: 'm/${key}',
    qos: '${headers.qos}',
    retain: '${headers.retain}',
    expiry_seconds: '60',
    content_type: 'text/plain',
    response_topic: 'r',
    correlation_data: '${headers.c}',
    user_properties: { tenant: '${headers.tenant}' },
    on_error: 'dlq',
    dead_letter_topic: 'dead',
    start_when: 'subscribers',
  },
  { id: 'c', bridge: 'hook', direction: 'mqtt-to-webhook', filter: '#', allow_loop: false },
  { id: 'c', bridge: 'hook', direction: 'mqtt-to-webhook', filter: '#', dead_letter_path: '/d' },
  { id: 'd', bridge: 'r', direction: 'mqtt-to-rabbitmq', filter: '#', routing_key: 'q' },
  {
    ...{ id: 'd', bridge: 'r', direction: 'mqtt-to-rabbitmq', filter: '#', routing_key: 'q' },
    ...{ dead_letter_exchange: '', dead_letter_routing_key: 'dead' },
  },
])('carries a rule there and back: %j', (given) => {
  const rule = bridgeRuleCreateSchema.parse(given);
  const view = presentRule({ rule: wireRuleOf(rule), source: 'api', revision: 1 });

  expect(bridgeRuleSchema.strict().safeParse(view).error).toBeUndefined();
  expect(view).toEqual({ ...rule, source: 'api' });
});

it.each<WireConnector>([
  { id: 'a', kind: 'kafka', brokers: ['k:9092'], clientId: 's', compression: 'lz4' },
  {
    ...{ id: 'a', kind: 'kafka', brokers: ['k:9093'], clientId: 's', compression: 'none' },
    tls: { caFile: '/ca', certFile: '/cert', keyFile: '/key', serverName: 'k' },
    sasl: { mechanism: 'plain', username: 'u', password: { env: 'P' } },
  },
  {
    ...{ id: 'a', kind: 'kafka', brokers: ['k:9093'], clientId: 's', compression: 'none' },
    tls: {},
    sasl: { mechanism: 'oauthbearer', token: { file: '/token' } },
    schemaRegistry: {
      ...{ url: 'https://r', username: 'u', password: { env: 'P' }, caFile: '/ca' },
      ...{ timeoutMs: 1_000, refreshMs: 60_000 },
    },
  },
  {
    id: 'b',
    kind: 'webhook',
    url: { env: 'HOOK_URL' },
    headers: { authorization: { file: '/run/token' }, accept: '*/*' },
    caFile: '/ca.pem',
    timeoutMs: 1_000,
    concurrency: 2,
    format: 'json',
  },
  { id: 'c', kind: 'rabbitmq', url: { file: '/run/amqp' }, timeoutMs: 1_000, concurrency: 2 },
])('shows a bridge as its contract says: %j', (connector) => {
  const view = presentBridge({ connector, source: 'config', revision: 0 });

  expect(bridgeSchema.parse(view)).toEqual(view);
  expect(view).toMatchObject({ id: connector.id, kind: connector.kind, source: 'config' });
});

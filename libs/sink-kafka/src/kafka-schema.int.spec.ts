import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import { RuleBridge } from '#libs/bridge';
import type {
  BridgeRule,
  Connector,
  InjectedMessage,
  KafkaToMqttRule,
  Meter,
  Spool,
} from '#libs/broker-ports';
import {
  GIVEN_KAFKA,
  kafkaServer,
  makeTopics,
  messageOf,
  openMemorySpool,
  type RegistrySchema,
  type SchemaRegistryServer,
  silentLog,
  startSchemaRegistry,
  until,
} from '#libs/testkit';
import { kafkaSinks, kafkaSources } from './index.ts';

const server = kafkaServer();
const WAIT_MS = 30_000;
const RUN = `${Date.now()}`;
const LOGIN = { user: 'skein', password: 's3cret' };

const AVRO = {
  type: 'record',
  name: 'Reading',
  fields: [
    { name: 'device', type: 'string' },
    { name: 't', type: 'double' },
  ],
};
const WITH_UNIT = {
  ...AVRO,
  fields: [...AVRO.fields, { name: 'unit', type: 'string', default: 'C' }],
};
const PROTO =
  'syntax = "proto3"; message Other {} message Reading { string device = 1; double t = 2; }';

const FORMATS: readonly [
  format: 'avro' | 'protobuf' | 'json-schema',
  registered: RegistrySchema,
  head: string,
][] = [
  ['avro', { schema: JSON.stringify(AVRO) }, '0464'],
  ['protobuf', { schema: PROTO, schemaType: 'PROTOBUF' }, '0202'],
  [
    'json-schema',
    { schema: '{"type":"object","properties":{"t":{"type":"number"}}}', schemaType: 'JSON' },
    '7b22',
  ],
];

const meter = new Proxy({}, { get: () => () => undefined }) as Meter;

describe('schemas on a real Kafka', () => {
  let admin: Admin;
  let registry: SchemaRegistryServer;
  let connector: Connector;
  let node: RuleBridge;
  let spool: Spool;
  let injected: InjectedMessage[];
  const brokers = GIVEN_KAFKA?.split(',') ?? [server.brokers];
  const client = new kafkajs.Kafka({
    brokers,
    clientId: 'spec',
    logLevel: kafkajs.logLevel.NOTHING,
  });

  beforeAll(async () => {
    if (GIVEN_KAFKA === undefined) await server.run('start', '1');
    admin = client.admin();
    await admin.connect();
  }, 300_000);

  afterAll(async () => {
    await admin.disconnect();
    await server.run('stop');
  }, 100_000);

  beforeEach(async () => {
    registry = await startSchemaRegistry();
    registry.login = `${LOGIN.user}:${LOGIN.password}`;
    spool = await openMemorySpool();
    injected = [];
    const readSecret = (): string => LOGIN.password;
    connector = {
      id: 'main',
      kind: 'kafka',
      brokers,
      clientId: `schema-${RUN}`,
      compression: 'none',
      schemaRegistry: {
        url: registry.url,
        username: LOGIN.user,
        password: { env: 'REGISTRY_PASSWORD' },
        timeoutMs: 5_000,
        refreshMs: 1_000,
      },
    };
    node = new RuleBridge({
      connectors: [connector],
      sinks: [kafkaSinks('n1', readSecret)],
      sources: [kafkaSources('n1', readSecret)],
      limits: {
        ackTimeoutMs: WAIT_MS,
        lingerMs: 10,
        batchRecordsMax: 500,
        batchBytesMax: 262_144,
        bufferBytesMax: 64 * 1_024 * 1_024,
      },
      spool: {
        spool,
        limits: { ageSecondsMax: 60, onFull: 'reject', replayRecordsPerSecond: 0 },
      },
      inject: (message, done) => {
        injected.push(message);
        done();
      },
      messageLimits: {
        topicLevelsMax: 128,
        packetBytesMax: 1_000_000,
        retainedMessageBytesMax: 1_000_000,
      },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log: silentLog,
      meter,
    });
  });

  afterEach(async () => {
    await node.close();
    await spool.close();
    await registry.stop();
  }, 30_000);

  async function topicOf(name: string): Promise<string> {
    const topic = `${name}-${RUN}`;
    await makeTopics(admin, [{ topic, numPartitions: 1 }]);
    return topic;
  }

  const outbound = (topic: string, schema: object, deadLetterTopic?: string): BridgeRule => ({
    id: `to-${topic}`,
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    enabled: true,
    filter: 'readings/+',
    topic,
    key: '${clientId}',
    partition: 'key',
    headers: {},
    ack: 'kafka',
    schema: { format: 'avro', version: 'latest', ...schema },
    deadLetterTopic,
  });

  const inbound = (topic: string, changes: Partial<KafkaToMqttRule> = {}): KafkaToMqttRule => ({
    id: `from-${topic}`,
    bridge: 'main',
    direction: 'kafka-to-mqtt',
    enabled: true,
    topic,
    mqttTopic: 'seen/${key}',
    qos: 1,
    retain: false,
    ...changes,
  });

  /** Publishes a reading. @returns what its publisher is told. */
  const publish = (reading: object): Promise<string> =>
    new Promise((resolve) => {
      const payload = Buffer.from(JSON.stringify(reading));
      const receivedAtMs = Date.now();
      const message = messageOf({ topic: 'readings/d1', payload, publisher: 'd1', receivedAtMs });
      node.offer(message, (error) => resolve(error?.code ?? 'stored'));
    });

  const isReady = (): boolean =>
    node.connectors().every(({ state }) => state === 'connected') &&
    node.status().every(({ state }) => state === 'running');

  const seen = (topic: string): readonly unknown[] =>
    injected
      .filter((message) => message.topic === topic)
      .map(({ payload }) => JSON.parse(String(payload)) as unknown);

  it.each(FORMATS)(
    'carries %s there and back, and refuses what does not fit',
    async (format, registered, head) => {
      const topic = await topicOf(format);
      const id = registry.register(`${topic}-value`, registered);
      const messageType = format === 'protobuf' ? { messageType: 'Reading' } : {};
      const raw = inbound(topic, { id: `raw-${topic}`, mqttTopic: 'raw/${key}' });
      node.apply([
        outbound(topic, { format, ...messageType }),
        inbound(topic, { schema: { format } }),
        raw,
      ]);
      await until(isReady, WAIT_MS);
      expect(await Promise.all([1, 'warm', 2.5].map((t) => publish({ device: 'd1', t })))).toEqual([
        'stored',
        'BRIDGE_UNAVAILABLE',
        'stored',
      ]);
      const expected = [1, 2.5].map((t) => ({ device: 'd1', t }));
      await until(() => expect(seen('seen/d1')).toEqual(expected), WAIT_MS);
      await until(() => injected.some((message) => message.topic === 'raw/d1'), WAIT_MS);
      const bytes = injected.find((message) => message.topic === 'raw/d1')?.payload;
      const header = `00${id.toString(16).padStart(8, '0')}`;
      expect(Buffer.from(bytes ?? []).toString('hex')).toMatch(new RegExp(`^${header}${head}`));
    },
    120_000,
  );

  it('takes up a new version', async () => {
    const topic = await topicOf('evolution');
    registry.register(`${topic}-value`, { schema: JSON.stringify(AVRO) });
    node.apply([outbound(topic, {}), inbound(topic, { schema: { format: 'avro' } })]);
    await until(isReady, WAIT_MS);
    expect(await publish({ device: 'd1', t: 1 })).toBe('stored');
    expect(await publish({ device: 'd1', t: 2, unit: 'K' })).toBe('BRIDGE_UNAVAILABLE');
    registry.register(`${topic}-value`, { schema: JSON.stringify(WITH_UNIT) });
    await until(
      async () => (await publish({ device: 'd1', t: 3, unit: 'K' })) === 'stored',
      WAIT_MS,
    );
    await until(
      () =>
        expect(seen('seen/d1')).toEqual([
          { device: 'd1', t: 1 },
          { device: 'd1', t: 3, unit: 'K' },
        ]),
      WAIT_MS,
    );
  }, 120_000);

  it('waits for a registry that is away, and says so', async () => {
    const topic = await topicOf('away');
    registry.register(`${topic}-value`, { schema: JSON.stringify(AVRO) });
    const reader = inbound(topic, { schema: { format: 'avro' } });
    node.apply([reader]);
    await until(isReady, WAIT_MS);
    await registry.stop();
    node.apply([outbound(topic, {}), reader]);
    const stored = [1, 2, 3].map((t) => publish({ device: 'd1', t }));
    const away = {
      state: 'degraded',
      lastError: expect.stringContaining('schema registry: connect ECONNREFUSED') as unknown,
    };
    const isDegraded = (): void =>
      expect(node.status()).toContainEqual({
        id: `to-${topic}`,
        ...away,
      });
    await until(isDegraded, WAIT_MS);
    expect(node.connectors()[0]).toMatchObject({ state: 'disconnected' });
    expect((await node.test(connector, { withinMs: WAIT_MS })).at(-1)).toMatchObject({
      step: 'schemas',
      ok: false,
      detail: away.lastError,
    });
    await registry.start();
    expect(await Promise.all(stored)).toEqual(['stored', 'stored', 'stored']);
    await until(isReady, WAIT_MS);
    expect((await node.test(connector, { withinMs: WAIT_MS })).at(-1)).toMatchObject({
      step: 'schemas',
      ok: true,
      detail: 'takes JSON, PROTOBUF, AVRO',
    });
    await until(() => seen('seen/d1').length === 3, WAIT_MS);
    expect(seen('seen/d1')).toEqual([1, 2, 3].map((t) => ({ device: 'd1', t })));
  }, 120_000);

  it('holds records of Kafka while the registry is away, and puts away what fits no schema', async () => {
    const topic = await topicOf('inward');
    const dead = await topicOf('dead');
    registry.register(`${topic}-value`, { schema: JSON.stringify(AVRO) });
    const schema = { format: 'avro' } as const;
    const rule = inbound(topic, { schema, onError: 'dlq', deadLetterTopic: dead });
    node.apply([outbound(topic, {}, dead), rule, inbound(dead, { mqttTopic: 'dead/${key}' })]);
    await until(isReady, WAIT_MS);
    const producer = client.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: 'bad', value: '{"t":1}' }] });
    await until(() => expect(seen('dead/bad')).toEqual([{ t: 1 }]), WAIT_MS);
    const misfit = { device: 'd1', t: 'warm' };
    // Its publisher can rely on the letter.
    expect(await publish(misfit)).toBe('stored');
    await until(() => expect(seen('dead/d1')).toEqual([misfit]), WAIT_MS);
    registry.mood = 503;
    expect(await publish({ device: 'd1', t: 1 })).toBe('stored');
    const held = {
      state: 'degraded',
      lastError: 'schema registry: Error in the backend data store (schema 1)',
    };
    await until(() => expect(node.status()[1]).toMatchObject(held), WAIT_MS);
    registry.mood = 'well';
    await until(() => expect(seen('seen/d1')).toEqual([{ device: 'd1', t: 1 }]), WAIT_MS);
    await until(isReady, WAIT_MS);
    await producer.disconnect();
  }, 120_000);

  it('acknowledges what is in the spool, and encodes it in order when the registry is there', async () => {
    const [topic, dead] = [await topicOf('spooled'), await topicOf('letters')];
    const rules = [
      inbound(topic, { schema: { format: 'avro' } }),
      inbound(dead, { mqttTopic: 'dead/${key}' }),
    ];
    node.apply(rules);
    await until(isReady, WAIT_MS);
    node.apply([{ ...outbound(topic, {}, dead), ack: 'spool' } as BridgeRule, ...rules]);
    const readings = Array.from({ length: 200 }, (_, index) => ({
      device: 'd1',
      t: index === 100 ? 'warm' : index,
    }));
    const answers = await Promise.all(readings.map(publish));
    expect(new Set(answers)).toEqual(new Set(['stored']));
    expect(spool.open(`to-${topic}`).records).toBe(200);
    // Until now there was no such subject.
    registry.register(`${topic}-value`, { schema: JSON.stringify(AVRO) });
    await until(() => seen('seen/d1').length >= 199 && seen('dead/d1').length > 0, WAIT_MS);
    expect(seen('seen/d1')).toEqual(readings.toSpliced(100, 1));
    expect(seen('dead/d1')).toEqual([readings[100]]);
    await until(() => spool.open(`to-${topic}`).records === 0, WAIT_MS);
  }, 120_000);
});

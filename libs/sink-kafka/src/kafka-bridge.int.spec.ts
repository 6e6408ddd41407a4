import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import { RuleBridge, laneOf, type BridgeLimits, type RuleBridgeOptions } from '#libs/bridge';
import {
  PublishError,
  type BridgeRule,
  type KafkaConnector,
  type InjectedMessage,
  type Message,
  type Meter,
  type PublishDone,
} from '#libs/broker-ports';
import {
  freePort,
  GIVEN_KAFKA,
  kafkaServer,
  makeTopics,
  messageOf,
  silentLog,
  until,
} from '#libs/testkit';
import { kafkaSinks, kafkaSources } from './index.ts';

const server = kafkaServer();
const WAIT_MS = 30_000;
const RUN = `${Date.now()}`;

type Cluster = ReturnType<typeof clusterOf>;

/** The Kafka that is ours to stop and start. */
const own = clusterOf([server.brokers]);
/** The Kafka that runs already, when one is named. */
const kafka = GIVEN_KAFKA === undefined ? own : clusterOf(GIVEN_KAFKA.split(','));

function clusterOf(brokers: readonly string[]) {
  const logLevel = kafkajs.logLevel.NOTHING;
  return {
    brokers,
    client: new kafkajs.Kafka({ brokers: [...brokers], clientId: 'spec', logLevel }),
  };
}

interface Seen {
  readonly key: string;
  readonly value: string;
  readonly partition: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: string;
}

/** Reads a topic from its beginning until the records are enough. */
async function readTopic(
  { client }: Cluster,
  topic: string,
  enough: (seen: readonly Seen[]) => boolean,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  const consumer = client.consumer({
    groupId: `reader-${topic}-${Math.random()}`,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ partition, message }) => {
      const headers = Object.entries(message.headers ?? {}).map((each) => each.map(String));
      seen.push({
        key: String(message.key),
        value: String(message.value),
        partition,
        headers: Object.fromEntries(headers) as Record<string, string>,
        timestamp: message.timestamp,
      });
      return Promise.resolve();
    },
  });
  await until(() => enough(seen), 30_000);
  await consumer.disconnect();
  return seen;
}

const meter = new Proxy({}, { get: () => () => undefined }) as Meter;

function bridge(
  { brokers }: Cluster,
  settings: Partial<BridgeLimits & Pick<KafkaConnector, 'compression'>> = {},
  inject: RuleBridgeOptions['inject'] = (_message, done) => done(),
): RuleBridge {
  const { compression = 'lz4', ...limits } = settings;
  return new RuleBridge({
    connectors: [{ id: 'main', kind: 'kafka', brokers, clientId: `skein-${RUN}`, compression }],
    sinks: [kafkaSinks('n1', () => '')],
    sources: [kafkaSources('n1', () => '')],
    limits: {
      ackTimeoutMs: 10_000,
      lingerMs: 10,
      batchRecordsMax: 500,
      batchBytesMax: 262_144,
      bufferBytesMax: 64 * 1_024 * 1_024,
      ...limits,
    },
    inject,
    messageLimits: {
      topicLevelsMax: 128,
      packetBytesMax: 1_000_000,
      retainedMessageBytesMax: 1_000_000,
    },
    clock: { nowMs: Date.now, monotonicMs: Date.now },
    log: silentLog,
    meter,
  });
}

const isConnected = (node: RuleBridge): boolean => node.connectors()[0]?.state === 'connected';

function outbound(topic: string, changes: object = {}): BridgeRule {
  return {
    id: 'telemetry',
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    enabled: true,
    filter: 'devices/+/telemetry',
    topic,
    key: '${clientId}',
    partition: 'key',
    headers: { device: '${topic[1]}' },
    ack: 'kafka',
    ...changes,
  };
}

function inbound(topic: string): BridgeRule {
  return {
    id: `commands-${topic}`,
    bridge: 'main',
    direction: 'kafka-to-mqtt',
    enabled: true,
    topic,
    mqttTopic: 'devices/${key}/commands',
    qos: 1,
    retain: false,
  };
}

let sequence = 0;
function message(client: number, text: string, changes: Partial<Message> = {}): Message {
  sequence += 1;
  return messageOf({
    topic: `devices/d${client}/telemetry`,
    payload: Buffer.from(text),
    publisher: `c${client}`,
    source: { nodeId: 'n1', incarnation: 7 },
    sequence,
    receivedAtMs: Date.now(),
    ...changes,
  });
}

/** Whether the values of every key, repeats left out, come in rising order. */
function inOrder(seen: readonly Seen[]): boolean {
  const last = new Map<string, number>();
  const known = new Set<string>();
  for (const { key, value } of seen) {
    if (known.has(`${key}/${value}`)) continue;
    known.add(`${key}/${value}`);
    if (Number(value) < (last.get(key) ?? -1)) return false;
    last.set(key, Number(value));
  }
  return true;
}

const distinct = (seen: readonly Seen[]): number =>
  new Set(seen.map(({ key, value }) => `${key}/${value}`)).size;

describe('RuleBridge on a real Kafka', () => {
  let admin: Admin;

  beforeAll(async () => {
    if (GIVEN_KAFKA === undefined) await server.run('start', '1');
    admin = kafka.client.admin();
    await admin.connect();
  }, 300_000);

  afterAll(async () => {
    await admin.disconnect();
    await server.run('stop');
  }, 100_000);

  async function topicOf(name: string, numPartitions = 3, where = admin): Promise<string> {
    const topic = `${name}-${RUN}`;
    await makeTopics(where, [{ topic, numPartitions }]);
    return topic;
  }

  it('stores 5,000 messages of 50 clients, in order per key, with their headers', async () => {
    const topic = await topicOf('telemetry');
    const node = bridge(kafka);
    node.apply([outbound(topic)]);
    const errors: PublishError[] = [];
    let acknowledged = 0;
    for (let round = 0; round < 100; round += 1) {
      for (let client = 0; client < 50; client += 1) {
        const properties = {
          contentType: 'text/plain',
          correlationData: Buffer.from('abc'),
          responseTopic: 'answers',
          userProperties: [
            ['colour', 'red'],
            ['colour', 'blue'],
          ] as const,
        };
        node.offer(message(client, String(round), { properties }), (error) => {
          acknowledged += 1;
          if (error !== undefined) errors.push(error);
        });
      }
    }
    await until(() => acknowledged === 5_000, WAIT_MS);
    const seen = await readTopic(kafka, topic, (records) => records.length >= 5_000);
    expect(errors).toEqual([]);
    expect(seen).toHaveLength(5_000);
    expect(distinct(seen)).toBe(5_000);
    expect(inOrder(seen)).toBe(true);
    expect(seen.every(({ key, partition }) => partition === laneOf(Buffer.from(key), 3))).toBe(
      true,
    );
    const one = seen.find(({ key, value }) => key === 'c7' && value === '0');
    expect(one?.headers).toEqual({
      'mqtt-topic': 'devices/d7/telemetry',
      'mqtt-client-id': 'c7',
      'mqtt-qos': '1',
      'mqtt-retain': 'false',
      'mqtt-msg-id': 'n1-7-8',
      'mqtt-node': 'n1',
      'content-type': 'text/plain',
      'correlation-data': 'abc',
      'response-topic': 'answers',
      'up.colour': 'red,blue',
      device: 'd7',
    });
    expect(Math.abs(Number(one?.timestamp) - Date.now())).toBeLessThan(60_000);
    expect(isConnected(node)).toBe(true);
    expect(node.status()).toEqual([{ id: 'telemetry', state: 'running', lastError: undefined }]);
    await node.close();
  }, 60_000);

  it('puts records into the partition that a template gives', async () => {
    const topic = await topicOf('partitions');
    const node = bridge(kafka);
    node.apply([outbound(topic, { filter: 'p/+', partition: '${topic[1]}' })]);
    for (const name of ['p/0', 'p/2', 'p/4']) {
      node.offer(message(1, name, { topic: name }), () => undefined);
    }
    const seen = await readTopic(kafka, topic, ({ length }) => length === 3);
    const places = seen.map(({ value, partition }) => `${value} ${partition}`).toSorted();
    expect(places).toEqual(['p/0 0', 'p/2 2', 'p/4 1']);
    await node.close();
  }, 60_000);

  it('holds back what belongs to a topic that does not exist yet, and says so', async () => {
    const topic = `late-${RUN}`;
    const node = bridge(kafka);
    node.apply([outbound(topic)]);
    const answers: (PublishError | undefined)[] = [];
    node.offer(message(1, '0'), (error) => answers.push(error));
    await until(() => node.status()[0]?.state === 'degraded', WAIT_MS);
    expect(answers).toEqual([]);
    await topicOf('late');
    await until(() => answers.length === 1, WAIT_MS);
    expect(answers).toStrictEqual([undefined]);
    expect(node.status()[0]?.state).toBe('running');
    await node.close();
  }, 60_000);

  it('loses no other record when one is too large for Kafka', async () => {
    const topic = await topicOf('large', 1);
    const node = bridge(kafka, { batchBytesMax: 8 * 1_024 * 1_024, compression: 'none' });
    node.apply([outbound(topic)]);
    const answers = new Map<string, string>();
    const offer = (text: string, payload: Buffer): void =>
      node.offer(message(1, text, { payload }), (error) =>
        answers.set(text, error?.code ?? 'stored'),
      );
    for (let index = 0; index < 9; index += 1) {
      offer(String(index), index === 4 ? Buffer.alloc(2_000_000) : Buffer.from(String(index)));
    }
    await until(() => answers.size === 9, WAIT_MS);
    expect(answers.get('4')).toBe('BRIDGE_UNAVAILABLE');
    const seen = await readTopic(kafka, topic, (records) => records.length >= 8);
    expect(seen.map(({ value }) => value)).toEqual(['0', '1', '2', '3', '5', '6', '7', '8']);
    await node.close();
  }, 60_000);

  it('skips nothing while the publish pipeline refuses, and commits only what is done', async () => {
    const topic = await topicOf('commands');
    const producer = kafka.client.producer();
    await producer.connect();
    const send = (from: number, to: number): Promise<unknown> =>
      producer.send({
        topic,
        messages: Array.from({ length: to - from }, (_, index) => ({
          key: `d${(from + index) % 10}`,
          value: String(from + index),
        })),
      });
    await send(0, 50);

    let refusing = false;
    const taken: InjectedMessage[] = [];
    let refused = 0;
    const inject = (injected: InjectedMessage, done: PublishDone): void => {
      setImmediate(() => {
        if (refusing) {
          refused += 1;
          done(new Error('the store is away') as PublishError);
        } else {
          taken.push(injected);
          done();
        }
      });
    };
    const node = bridge(kafka, {}, inject);
    node.apply([inbound(topic)]);
    await until(() => isConnected(node), WAIT_MS);
    await send(100, 400);
    await until(() => taken.length >= 300, WAIT_MS);
    // What was there before the rule is not replayed to devices.
    expect(taken.every(({ payload }) => Number(String(payload)) >= 100)).toBe(true);

    const committed = async (): Promise<number> => {
      const [offsets] = await admin.fetchOffsets({
        groupId: `skein-${RUN}-commands-${topic}`,
        topics: [topic],
      });
      return (offsets?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
    };
    await until(async () => (await committed()) === 350, WAIT_MS);

    refusing = true;
    await send(400, 1_400);
    await until(() => refused >= 20, WAIT_MS);
    expect(await committed()).toBe(350);
    refusing = false;
    await until(() => new Set(taken.map(({ payload }) => String(payload))).size === 1_300, WAIT_MS);
    await until(async () => (await committed()) === 1_350, WAIT_MS);
    const last = taken.findLast(({ topic: name }) => name === 'devices/d3/commands');
    expect(String(last?.payload)).toBe('1393');
    await node.close();

    // Whatever came while no node was there is carried when one comes back.
    await send(1_400, 1_450);
    const later: string[] = [];
    const next = bridge(kafka, {}, (injected, done) => {
      later.push(String(injected.payload));
      done();
    });
    next.apply([inbound(topic)]);
    await until(() => later.length >= 50, WAIT_MS);
    expect(later.map(Number).toSorted((left, right) => left - right)).toEqual(
      Array.from({ length: 50 }, (_, index) => 1_400 + index),
    );
    await next.close();
    await producer.disconnect();
  }, 90_000);

  it('carries the other partitions while one rests, and passes what can never be carried', async () => {
    const topic = await topicOf('stuck');
    const keys = ['0', '1', '2'].map((partition) =>
      Array.from({ length: 100 }, (_, index) => `d${index}`).find(
        (key) => laneOf(Buffer.from(key), 3) === Number(partition),
      ),
    );
    const [stuck = '', ...others] = keys;
    const producer = kafka.client.producer();
    await producer.connect();
    const send = (key: string | undefined, ...values: readonly string[]): Promise<unknown> =>
      producer.send({
        topic,
        messages: values.map((value) => ({ key: key ?? null, value })),
      });

    let refusals = 0;
    let storeIsAway = true;
    const taken = new Map<string, string[]>();
    const node = bridge(kafka, {}, (injected, done) => {
      setImmediate(() => {
        const isStuck = injected.topic === `devices/${stuck}/commands`;
        if (isStuck && storeIsAway) {
          refusals += 1;
          return done(new PublishError('STORE_UNAVAILABLE', 'away'));
        }
        const values = taken.get(injected.topic) ?? [];
        taken.set(injected.topic, values);
        values.push(String(injected.payload));
        if (String(injected.payload) === 'poison') {
          return done(new PublishError('NOT_AUTHORIZED', 'forbidden'));
        }
        done();
      });
    });
    node.apply([inbound(topic)]);
    await until(() => isConnected(node), WAIT_MS);
    await send(stuck, '1', '2', '3');
    await until(() => refusals >= 3, WAIT_MS);
    for (const key of others) {
      await send(key, 'first');
      const of = (): readonly string[] | undefined => taken.get(`devices/${key ?? ''}/commands`);
      await until(() => of()?.length === 1, WAIT_MS);
      await send(key, 'poison', 'last');
      await until(() => of()?.length === 3, WAIT_MS);
      expect(of()).toEqual(['first', 'poison', 'last']);
    }
    storeIsAway = false;
    const stuckValues = (): readonly string[] | undefined => taken.get(`devices/${stuck}/commands`);
    await until(() => stuckValues()?.length === 3, WAIT_MS);
    expect(stuckValues()).toEqual(['1', '2', '3']);
    const groupId = `skein-${RUN}-commands-${topic}`;
    await until(async () => {
      const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
      expect(offsets?.partitions.map(({ offset }) => offset)).toEqual(['3', '3', '3']);
    }, WAIT_MS);
    await node.close();
    await producer.disconnect();
  }, 60_000);

  it('loses nothing acknowledged when Kafka stops and comes back', async () => {
    if (GIVEN_KAFKA !== undefined) await server.run('start', '1');
    const ownAdmin = own.client.admin();
    await ownAdmin.connect();
    const topic = await topicOf('outage', 3, ownAdmin);
    await ownAdmin.disconnect();
    const node = bridge(own, { ackTimeoutMs: 60_000 });
    node.apply([outbound(topic)]);
    const acknowledged = new Set<string>();
    const failed: PublishError[] = [];
    let round = 0;
    const publishing = setInterval(() => {
      if (round === 400) return clearInterval(publishing);
      for (let client = 0; client < 10; client += 1) {
        const text = String(round);
        node.offer(message(client, text), (error) => {
          if (error === undefined) acknowledged.add(`c${client}/${text}`);
          else failed.push(error);
        });
      }
      round += 1;
    }, 10);
    await until(() => acknowledged.size >= 500, WAIT_MS);
    await server.run('kill', '1');
    const atKill = round;
    await until(() => !isConnected(node), WAIT_MS);
    await server.run('restart', '1');
    await until(() => round === 400 && acknowledged.size + failed.length === 4_000, 40_000);
    expect(failed).toEqual([]);
    expect(atKill).toBeLessThan(400);
    const seen = await readTopic(own, topic, (records) => distinct(records) >= 4_000);
    expect(distinct(seen)).toBe(4_000);
    expect(inOrder(seen)).toBe(true);
    // Only what was under way in the three lanes may come twice.
    expect(seen.length - 4_000).toBeLessThanOrEqual(3 * 500);
    await node.close();
  }, 120_000);
});

describe('RuleBridge without a Kafka', () => {
  const held = new Set<Socket>();
  const mute = createServer((socket) => {
    held.add(socket);
    socket.on('error', () => undefined);
  });

  afterAll(() => {
    for (const socket of held) socket.destroy();
    mute.close();
  });

  async function mutePort(): Promise<number> {
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    return (mute.address() as AddressInfo).port;
  }

  it.each([
    ['is not there', freePort],
    ['does not answer', mutePort],
  ])('closes when it %s, whatever it holds and waits for', async (_, port) => {
    const node = bridge(clusterOf([`127.0.0.1:${await port()}`]));
    node.apply([outbound('telemetry'), inbound('commands')]);
    const answers: (string | undefined)[] = [];
    node.offer(message(1, 'late'), (error) => answers.push(error?.code));
    const isTried = (): boolean =>
      held.size >= 2 || node.status().every(({ state }) => state === 'degraded');
    await until(isTried, WAIT_MS);
    await node.close();
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE']);
  });
});

import { connect, type ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RuleBridge } from '#libs/bridge';
import type { BridgeRule, RabbitmqConnector } from '#libs/broker-ports';
import {
  clientSequences,
  countingMeter,
  freePort,
  messageOf,
  offerLoad,
  silentLog,
  sinkContract,
  startRabbitmq,
  until,
  type RabbitmqServer,
  type ReceivedRecord,
} from '#libs/testkit';
import { rabbitmqSinks } from './index.ts';

const WAIT_MS = 60_000;
const OPEN_MS = 300_000;
const CASE_MS = 180_000;
const LOAD = { clients: 8, messages: 100 };
const SENT = Object.fromEntries(
  Array.from({ length: LOAD.clients }, (_, client) => [
    `c${client}`,
    Array.from({ length: LOAD.messages }, (__, number) => number),
  ]),
);

function connectorTo(url: string, changes: Partial<RabbitmqConnector> = {}): RabbitmqConnector {
  return {
    id: 'rabbit',
    kind: 'rabbitmq',
    url: { env: url },
    timeoutMs: 5_000,
    concurrency: 3,
    ...changes,
  };
}

/** The secret of a test is its own name. */
const sinks = rabbitmqSinks((reference) => ('env' in reference ? reference.env : reference.file));

/** Makes a durable exchange whose every message goes to a durable queue of its name. */
async function makeExchange(url: string, name: string): Promise<void> {
  const model = await connect(url);
  const channel = await model.createChannel();
  await channel.assertExchange(name, 'topic', { durable: true });
  await channel.assertQueue(name, { durable: true });
  await channel.bindQueue(name, name, '#');
  await model.close();
}

/** Reads a queue, and leaves all of it there. */
async function readQueue(
  url: string,
  queue: string,
  enough: (messages: readonly ConsumeMessage[]) => boolean,
): Promise<readonly ConsumeMessage[]> {
  const messages: ConsumeMessage[] = [];
  const model = await connect(url);
  const channel = await model.createChannel();
  await channel.consume(queue, (message) => {
    if (message !== null) messages.push(message);
  });
  await until(() => enough(messages), WAIT_MS);
  await model.close();
  return messages;
}

function recordOf({ content, properties }: ConsumeMessage): ReceivedRecord {
  const headers = Object.entries(properties.headers ?? {}).map(([name, value]) => [
    name,
    [value as unknown].flat().map(String),
  ]);
  return {
    key: undefined,
    value: String(content),
    headers: Object.fromEntries(headers) as ReceivedRecord['headers'],
  };
}

// A node takes seconds to start: both parts of the file share one.
let server: RabbitmqServer;

beforeAll(async () => {
  server = await startRabbitmq(['max_message_size = 1000000']);
}, OPEN_MS);
afterAll(() => server.stop(), OPEN_MS);

sinkContract('RabbitmqSink', {
  openReceiver: async () => {
    const nobody = `amqp://127.0.0.1:${await freePort()}`;
    let made = 0;
    return {
      open: () => sinks.open(connectorTo(server.url), { id: 'rule' }, silentLog),
      openAstray: () => sinks.open(connectorTo(nobody), { id: 'rule' }, silentLog),
      makeTarget: async () => {
        made += 1;
        const name = `target-${made}`;
        await makeExchange(server.url, name);
        return name;
      },
      received: async (target, enough) => {
        const messages = await readQueue(server.url, target, (all) => enough(all.map(recordOf)));
        return messages.map(recordOf);
      },
      kill: () => server.kill(),
      restart: () => server.restart(),
      close: () => Promise.resolve(),
    };
  },
  missingTarget: 'nobody-made-this',
  refusedBytes: 2_000_000,
});

describe('RuleBridge with RabbitMQ', () => {
  function ruleTo(exchange: string, routingKey = '${topic[1]}'): BridgeRule {
    return {
      id: 'telemetry',
      bridge: 'rabbit',
      direction: 'mqtt-to-rabbitmq',
      enabled: true,
      filter: 'devices/+/telemetry',
      exchange,
      routingKey,
      key: '${clientId}',
      headers: { device: '${topic[1]}' },
      ack: 'rabbitmq',
    };
  }

  async function withBridge(
    rule: BridgeRule,
    work: (bridge: RuleBridge, batches: () => number) => Promise<void>,
    changes: Partial<RabbitmqConnector> = {},
  ): Promise<void> {
    const { meter, counts } = countingMeter();
    const bridge = new RuleBridge({
      connectors: [connectorTo(server.url, changes)],
      sinks: [sinks],
      sources: [],
      limits: {
        ackTimeoutMs: WAIT_MS,
        lingerMs: 5,
        batchRecordsMax: 50,
        batchBytesMax: 262_144,
        bufferBytesMax: 16 * 1_024 * 1_024,
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 8, packetBytesMax: 1_000, retainedMessageBytesMax: 1_000 },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log: silentLog,
      meter,
    });
    try {
      bridge.apply([rule]);
      await work(bridge, () => counts.get('bridgeBatch') ?? 0);
    } finally {
      await bridge.close();
    }
  }

  const payloads = (messages: readonly ConsumeMessage[]): string[] =>
    messages.map(({ content }) => String(content));

  it(
    'publishes a message as its rule says',
    async () => {
      await makeExchange(server.url, 'plain');
      await withBridge(ruleTo('plain'), (bridge) => offerLoad(bridge, { clients: 1, messages: 1 }));
      const [message] = await readQueue(server.url, 'plain', ({ length }) => length === 1);
      expect(message?.fields.routingKey).toBe('c0');
      expect(message?.properties).toMatchObject({
        deliveryMode: 2,
        messageId: expect.stringMatching(/^node-a-\d+-\d+$/),
        headers: { 'mqtt-topic': 'devices/c0/telemetry', 'mqtt-client-id': 'c0', device: 'c0' },
      });
    },
    CASE_MS,
  );

  it(
    'refuses what no queue takes, and nothing else',
    async () => {
      const model = await connect(server.url);
      const channel = await model.createChannel();
      await channel.assertQueue('known', { durable: true });
      await model.close();
      const answers: string[] = [];
      const long = 'x'.repeat(300);
      await withBridge(ruleTo(''), async (bridge) => {
        for (const [sequence, device] of ['known', 'unknown', long, 'known'].entries()) {
          const topic = `devices/${device}/telemetry`;
          const message = messageOf({ topic, sequence, receivedAtMs: Date.now() });
          bridge.offer(message, (error) => answers.push(`${device}: ${error?.code ?? 'ok'}`));
        }
        await until(() => answers.length === 4, WAIT_MS);
        // A name that a device has chosen is no fault of the rule.
        expect(bridge.status()[0]?.state).toBe('running');
      });
      expect(answers.toSorted()).toEqual([
        'known: ok',
        'known: ok',
        'unknown: BRIDGE_UNAVAILABLE',
        `${long}: BRIDGE_UNAVAILABLE`,
      ]);
      await readQueue(server.url, 'known', ({ length }) => length === 2);
      await withBridge(ruleTo('', 'unknown'), async (bridge) => {
        const refused = offerLoad(bridge, { clients: 1, messages: 1 });
        await expect(refused).rejects.toMatchObject({ code: 'BRIDGE_UNAVAILABLE' });
        expect(bridge.status()[0]?.state).toBe('degraded');
      });
    },
    CASE_MS,
  );

  it(
    'keeps as dead letters what no queue takes and what has an impossible routing key',
    async () => {
      const model = await connect(server.url);
      const channel = await model.createChannel();
      for (const queue of ['taken', 'dead']) await channel.assertQueue(queue, { durable: true });
      await model.close();
      const long = 'x'.repeat(300);
      const answers: string[] = [];
      const letters = { deadLetterExchange: '', deadLetterRoutingKey: 'dead' } as const;
      await withBridge({ ...ruleTo(''), ...letters }, async (bridge) => {
        for (const [sequence, device] of ['taken', 'absent', long].entries()) {
          const topic = `devices/${device}/telemetry`;
          const message = messageOf({ topic, sequence, receivedAtMs: Date.now() });
          bridge.offer(message, (error) => answers.push(error?.code ?? 'ok'));
        }
        await until(() => answers.length === 3, WAIT_MS);
      });
      expect(answers).toEqual(['ok', 'ok', 'ok']);
      await readQueue(server.url, 'taken', ({ length }) => length === 1);
      const dead = await readQueue(server.url, 'dead', ({ length }) => length === 2);
      const reasons = dead.map((letter) => {
        const { headers } = recordOf(letter);
        return [headers['skein-route']?.join(), headers['skein-error-reason']?.join()];
      });
      expect(new Map(reasons as [string, string][])).toEqual(
        new Map([
          ['absent', 'unknown_topic'],
          [long, 'other'],
        ]),
      );
    },
    CASE_MS,
  );

  it(
    'loses and reorders nothing when the server dies and when it hangs under load',
    async () => {
      await makeExchange(server.url, 'restarted');
      await withBridge(
        ruleTo('restarted'),
        async (bridge, batches) => {
          const isIn = (state: string) => () => bridge.status()[0]?.state === state;
          const offered = offerLoad(bridge, LOAD);
          await until(() => batches() > 10, WAIT_MS);
          await server.kill();
          await until(isIn('degraded'), WAIT_MS);
          await server.restart();
          await offered;
          server.pause();
          const more = offerLoad(bridge, { clients: LOAD.clients, messages: 10 });
          await until(isIn('degraded'), WAIT_MS);
          server.resume();
          await more;
        },
        { timeoutMs: 2_000 },
      );
      const complete = (all: readonly ConsumeMessage[]): boolean =>
        new Set(payloads(all)).size === LOAD.clients * LOAD.messages;
      const messages = await readQueue(server.url, 'restarted', complete);
      // The second load has payloads of the first, which come first.
      expect(clientSequences(payloads(messages))).toEqual(SENT);
    },
    CASE_MS,
  );
});

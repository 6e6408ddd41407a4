import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TraceCollector, freePort, traceTree, until, type CollectedSpan } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { KafkaForTests, bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const START_MS = 300_000;
const WAIT_MS = 30_000;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const OWN = `00-${TRACE}-${CALLER}-01`;

const scope = new Scope();
afterEach(() => scope.close());

function tracingTo(endpoint: string, sampleRatio: number): Record<string, string> {
  return {
    TRACING_ENABLED: 'true',
    TRACING_ENDPOINT: endpoint,
    TRACING_SAMPLE_RATIO: String(sampleRatio),
    TRACING_FLUSH_INTERVAL_MS: '50',
  };
}

/** Keeps a trace as people read it; `npm run trace-demo` shows it. */
function keep(tree: string): void {
  mkdirSync('.cache', { recursive: true });
  writeFileSync('.cache/trace.txt', `${tree}\n`);
}

/** The one span of a name, at a node if given. */
function spanOf(spans: readonly CollectedSpan[], name: string, node?: string): CollectedSpan {
  const found = spans.filter((span) => span.name === name && (node ?? span.node) === span.node);
  const [span] = found;
  if (span === undefined || found.length > 1) throw new Error(`${found.length} spans ${name}`);
  return span;
}

describe('three nodes, a Kafka and a collector', () => {
  const shared = new Scope();
  let kafka: KafkaForTests;
  let collector: TraceCollector;
  let topic: string;
  let cluster: Cluster;

  beforeAll(async () => {
    kafka = await KafkaForTests.open(shared);
    topic = await kafka.topic('traced');
    collector = await TraceCollector.open();
    shared.add(() => collector.close());
    const rule = { id: 'traced', direction: 'mqtt-to-kafka', filter: 'devices/#', topic };
    const rules = [{ ...rule, key: '${clientId}', ack: 'kafka' }];
    cluster = await startCluster(shared, {
      ...bridgeTo(kafka.brokers, rules),
      ...tracingTo(collector.url, 0),
    });
  }, START_MS);
  afterAll(() => shared.close(), START_MS);

  it('make one trace of a message from its publisher to a subscriber elsewhere and to Kafka', async () => {
    const [first, second] = cluster.nodes;
    const properties = { userProperties: { traceparent: OWN } };
    const subscriber = await Client.connect(scope, second.url, { clientId: 'dashboard' });
    await subscriber.subscribe('devices/+/t');
    const publisher = await Client.connect(scope, first.url, { clientId: 'sensor', properties });
    await publisher.mqtt.publishAsync('devices/d1/t', 'hunter2', { qos: 1, properties });
    await until(() => subscriber.packets.length === 1, WAIT_MS);
    const [record = ''] = await kafka.read(scope, topic, 1);
    await until(() => collector.of(TRACE).length === 7, WAIT_MS);

    const spans = collector.of(TRACE);
    const connect = spanOf(spans, 'connect', first.id);
    const publish = spanOf(spans, 'publish', first.id);
    const route = spanOf(spans, 'route', first.id);
    const forward = spanOf(spans, 'forward', first.id);
    const send = spanOf(spans, 'send', first.id);
    const there = spanOf(spans, 'route', second.id);
    const deliver = spanOf(spans, 'deliver', second.id);
    expect(connect.parentSpanId).toBe(CALLER);
    expect(publish.parentSpanId).toBe(CALLER);
    expect(route.parentSpanId).toBe(publish.spanId);
    expect(forward.parentSpanId).toBe(route.spanId);
    expect(send.parentSpanId).toBe(route.spanId);
    expect(there.parentSpanId).toBe(forward.spanId);
    expect(deliver.parentSpanId).toBe(there.spanId);
    expect(send.attributes).toMatchObject({
      'messaging.system': 'kafka',
      'messaging.destination.name': topic,
    });
    // The answer waits for Kafka, and so does its span.
    expect(publish.endNanos).toBeGreaterThanOrEqual(send.endNanos);

    const told = subscriber.packets[0]?.properties?.userProperties;
    expect(told).toEqual({ traceparent: OWN });
    const headers = record.split('|')[1]?.split(',');
    expect(headers).toContain(`traceparent=00-${TRACE}-${send.spanId}-01`);
    keep(traceTree(spans));
    const whole = JSON.stringify(spans, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(whole).not.toContain('hunter2');
  });

  it('go on with the trace of a request of the API, and link what waits for its client', async () => {
    const [first, second] = cluster.nodes;
    const api = await Api.start(scope, cluster.redis);
    const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
    const device = await Client.connect(scope, second.url, { clientId: 'device', ...session });
    await device.subscribe('jobs/device');
    await device.mqtt.endAsync();
    const traceId = TRACE.replace('4b', '5c');
    await api.call('publishMessage', {
      headers: { traceparent: OWN.replace(TRACE, traceId) },
      body: { topic: 'jobs/device', payload: 'x', qos: 1 },
    });
    await until(() => collector.of(traceId).some(({ name }) => name === 'publish'), WAIT_MS);
    const publish = spanOf(collector.of(traceId), 'publish');
    expect(publish.parentSpanId).toBe(CALLER);
    expect(collector.of(traceId).filter(({ name }) => name === 'deliver')).toEqual([]);

    const again = await Client.connect(scope, first.url, { clientId: 'device', ...session });
    await until(() => again.packets.length === 1, WAIT_MS);
    const linked = (): CollectedSpan | undefined =>
      collector.spans.find(({ links }) => links[0]?.traceId === traceId);
    await until(() => linked() !== undefined, WAIT_MS);
    expect(linked()).toMatchObject({
      ...{ name: 'deliver', node: first.id, parentSpanId: '' },
      links: [{ traceId, spanId: publish.spanId }],
    });
  });
});

it('a node whose collector is away serves its clients and counts the spans', async () => {
  const endpoint = `http://127.0.0.1:${String(await freePort())}/v1/traces`;
  const settings = { ...tracingTo(endpoint, 1), TRACING_EXPORT_TIMEOUT_MS: '500' };
  const node = await Broker.start(scope, settings);
  const client = await Client.connect(scope, node.url);
  await client.subscribe('t');
  for (let sent = 0; sent < 100; sent += 1) await client.publish('t', String(sent));
  await until(() => client.received.length === 100, WAIT_MS);

  const failed = /^skein_broker_trace_spans_total\{outcome="failed"\} [1-9]/m;
  await until(async () => failed.test(await node.ops.metrics()), WAIT_MS);
  expect(client.payloads.at(-1)).toBe('99');
  await client.mqtt.endAsync();
  await node.stop();
});

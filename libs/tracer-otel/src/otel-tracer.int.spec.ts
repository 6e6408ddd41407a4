import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { RecordingLog, TraceCollector, freePort, until } from '#libs/testkit';
import { OtelTracer, type OtelTracerOptions } from './index.ts';

const DEADLINE_MS = 20_000;
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

const limits = {
  queueSpansMax: 100,
  batchSpansMax: 10,
  flushIntervalMs: 20,
  exportTimeoutMs: 1_000,
};

let log: RecordingLog;
let collector: TraceCollector;
let counts: Record<'exported' | 'dropped' | 'failed', number>;
let tracers: OtelTracer[];

beforeEach(async () => {
  log = new RecordingLog();
  collector = await TraceCollector.open();
  counts = { exported: 0, dropped: 0, failed: 0 };
  tracers = [];
});

afterEach(async () => {
  await Promise.all(tracers.map((tracer) => tracer.close()));
  await collector.close();
});

function open(options: Partial<OtelTracerOptions> = {}): OtelTracer {
  // One that ends may count on while the next test has begun.
  const own = counts;
  const tracer = new OtelTracer({
    ...{ endpoint: collector.url, sampleRatio: 1, injectUserProperty: true, deliverySpansMax: 1 },
    service: { name: 'skein-broker', version: '1', cluster: 'c', nodeId: 'node-a' },
    limits,
    meter: { traceSpans: (outcome, count) => void (own[outcome] += count) },
    log,
    ...options,
  });
  tracers.push(tracer);
  return tracer;
}

const told = (): readonly string[] => log.lines.map(({ event }) => event);

it('exports spans with the ids, parents, links and faults that they were given', async () => {
  const tracer = open({ authorization: () => 'Bearer hunter2' });
  const parent = { traceId: TRACE, spanId: SPAN, state: 'vendor=x' };
  const beforeMs = Date.now();
  const span = tracer.start({
    ...{ name: 'publish', kind: 'server', parent, ids: { spanId: '1'.repeat(16) } },
    attributes: { 'messaging.system': 'mqtt', 'skein.qos': 1 },
  });
  span.end('QUOTA_EXCEEDED');
  const root = tracer.start({ name: 'deliver', kind: 'producer', link: parent, attributes: {} });
  root.end();
  await until(() => collector.spans.length === 2, DEADLINE_MS);

  const [publish, deliver] = collector.spans;
  expect(span.context).toEqual({ traceId: TRACE, spanId: '1'.repeat(16), state: 'vendor=x' });
  expect(publish).toMatchObject({
    ...{ traceId: TRACE, spanId: '1'.repeat(16), parentSpanId: SPAN, node: 'node-a' },
    ...{ name: 'publish', fault: 'QUOTA_EXCEEDED' },
    attributes: { 'messaging.system': 'mqtt', 'skein.qos': 1 },
  });
  const startMs = Number((publish?.startNanos ?? 0n) / 1_000_000n);
  expect(Math.abs(startMs - beforeMs)).toBeLessThan(DEADLINE_MS);
  expect(deliver).toMatchObject({ parentSpanId: '', links: [{ traceId: TRACE, spanId: SPAN }] });
  expect(deliver?.traceId).toBe(root.context.traceId);
  expect(deliver?.traceId).not.toBe(TRACE);
  expect(collector.headers[0]).toMatchObject({
    authorization: 'Bearer hunter2',
    'content-type': 'application/json',
  });
  await until(() => counts.exported === 2, DEADLINE_MS);
});

it('sends what is left at its end', async () => {
  const tracer = open({ limits: { ...limits, flushIntervalMs: 600_000 } });
  tracer.start({ name: 'last', kind: 'internal', attributes: {} }).end();
  await tracer.close();
  expect(collector.spans.map(({ name }) => name)).toEqual(['last']);
});

it('drops and counts what finds no room while nobody takes it, and tells it once', async () => {
  const endpoint = `http://127.0.0.1:${String(await freePort())}/v1/traces`;
  const tracer = open({ endpoint });
  const spans = 250;
  for (let made = 0; made < spans; made += 1) {
    tracer.start({ name: 'span', kind: 'internal', attributes: {} }).end();
  }
  expect(counts.dropped).toBe(spans - limits.queueSpansMax);
  await until(() => counts.failed >= 2 * limits.batchSpansMax, DEADLINE_MS);

  expect(counts.exported).toBe(0);
  expect(told()).toEqual(['trace-export-failed']);
});

it('goes on when the collector comes back', async () => {
  const tracer = open();
  collector.status = 400;
  tracer.start({ name: 'lost', kind: 'internal', attributes: {} }).end();
  await until(() => counts.failed === 1, DEADLINE_MS);
  collector.status = 200;
  tracer.start({ name: 'had', kind: 'internal', attributes: {} }).end();
  await until(() => counts.exported === 1, DEADLINE_MS);

  expect(collector.spans.map(({ name }) => name)).toEqual(['had']);
  expect(told()).toEqual(['trace-export-failed', 'trace-export-works']);
});

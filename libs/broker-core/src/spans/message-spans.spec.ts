import { expect, it } from '@jest/globals';
import type { PublishPacket } from '#libs/mqtt-codec';
import {
  DURABLE,
  MemoryFleet,
  RecordingTracer,
  quiet,
  type FleetNode,
  type RecordedSpan,
} from '#libs/testkit';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const OWN = `00-${TRACE}-${CALLER}-01`;
const UNSAMPLED = `00-${TRACE}-${CALLER}-00`;

type TracerOptions = ConstructorParameters<typeof RecordingTracer>[1];

interface Traced {
  readonly a: FleetNode;
  readonly b: FleetNode;
  readonly at: Readonly<Record<'a' | 'b', RecordingTracer>>;
}

async function pair(options: TracerOptions = {}): Promise<Traced> {
  const fleet = new MemoryFleet();
  const at = { a: new RecordingTracer('a', options), b: new RecordingTracer('b', options) };
  const a = await fleet.join('a', { tracer: at.a });
  const b = await fleet.join('b', { tracer: at.b });
  return { a, b, at };
}

function placed(traceparent: string): Partial<PublishPacket> {
  const userProperties = [
    ['first', '1'],
    ['traceparent', traceparent],
    ['tracestate', 'vendor=x'],
    ['last', '2'],
  ] as const;
  return { properties: { userProperties } };
}

/** Publishes at the one node what a client of the other one is subscribed to. */
async function carried(
  { a, b }: Traced,
  packet: Partial<PublishPacket> = {},
): Promise<readonly (readonly [string, string])[]> {
  const subscriber = await b.connected('subscriber', { version: 5 });
  await subscriber.subscribe('t', { qos: 2 });
  const publisher = await a.connected('publisher', { version: 5 });
  publisher.publish('t', 'x', packet);
  const { properties } = await subscriber.next('publish');
  return [...(properties?.userProperties ?? [])];
}

function only(spans: readonly RecordedSpan[]): RecordedSpan {
  const [span, ...others] = spans;
  if (span === undefined || others.length > 0) throw new Error(`${spans.length} spans`);
  return span;
}

it.each([0, 1] as const)(
  'leads a message of QoS %s through two nodes as one trace',
  async (qos) => {
    const traced = await pair();
    const told = await carried(traced, { qos });
    const { a, b } = traced.at;

    const publish = only(a.named('publish'));
    const route = only(a.named('route'));
    const forward = only(a.named('forward'));
    const there = only(b.named('route'));
    const deliver = only(b.named('deliver'));
    expect(publish.parentId).toBeUndefined();
    expect(route.parentId).toBe(publish.spanId);
    expect(forward.parentId).toBe(route.spanId);
    expect(there.parentId).toBe(forward.spanId);
    expect(deliver.parentId).toBe(there.spanId);
    const traces = [publish, route, forward, there, deliver].map(({ traceId }) => traceId);
    expect(new Set(traces).size).toBe(1);
    expect(deliver.attributes).toMatchObject({
      'messaging.system': 'mqtt',
      'messaging.destination.name': 't',
      'messaging.client.id': 'subscriber',
      'messaging.message.body.size': 1,
    });
    expect(told).toEqual([['traceparent', `00-${publish.traceId}-${publish.spanId}-01`]]);
  },
);

it('goes on with the trace of the publisher, whose properties stay as they are', async () => {
  const traced = await pair({ sampleRatio: 0 });
  const told = await carried(traced, { qos: 1, ...placed(OWN) });
  const { a, b } = traced.at;

  const publish = only(a.named('publish'));
  expect(publish).toMatchObject({ traceId: TRACE, parentId: CALLER });
  expect(publish.parent?.state).toBe('vendor=x');
  expect(only(b.named('deliver')).traceId).toBe(TRACE);
  expect(only(b.named('route')).parentId).toBe(only(a.named('forward')).spanId);
  expect(told.map(([name]) => name)).toEqual(['first', 'traceparent', 'tracestate', 'last']);
  expect(told[1]).toEqual(['traceparent', OWN]);
});

it('leaves alone what its publisher has not sampled, and what the ratio passes over', async () => {
  const traced = await pair({ sampleRatio: 1 });
  expect(await carried(traced, { qos: 1, ...placed(UNSAMPLED) })).toContainEqual([
    'traceparent',
    UNSAMPLED,
  ]);
  const none = await pair({ sampleRatio: 0 });
  expect(await carried(none, { qos: 1 })).toEqual([]);

  const messages = ['publish', 'route', 'forward', 'deliver'];
  const spans = [traced, none].flatMap(({ at }) => [...at.a.spans, ...at.b.spans]);
  expect(spans.filter(({ name }) => messages.includes(name))).toEqual([]);
});

it('is one trace also where messages are given nothing', async () => {
  const traced = await pair({ injectUserProperty: false });
  expect(await carried(traced, { qos: 1 })).toEqual([]);
  const { a, b } = traced.at;
  expect(only(b.named('deliver')).traceId).toBe(only(a.named('publish')).traceId);
  expect(only(b.named('route')).parentId).toBe(only(a.named('forward')).spanId);
});

it('samples about the part that it is to, the same at both nodes', async () => {
  const { a, b, at } = await pair({ sampleRatio: 0.25, injectUserProperty: false });
  const subscriber = await b.connected('subscriber');
  await subscriber.subscribe('t');
  const publisher = await a.connected('publisher');
  const messages = 400;
  for (let sent = 0; sent < messages; sent += 1) publisher.publish('t', 'x');
  await quiet();

  const taken = at.a.named('publish').map(({ traceId }) => traceId);
  expect(taken.length).toBeGreaterThan(messages * 0.15);
  expect(taken.length).toBeLessThan(messages * 0.35);
  expect(new Set(taken).size).toBe(taken.length);
  expect(at.b.named('deliver').map(({ traceId }) => traceId)).toEqual(taken);
});

it('links the delivery of what has waited in a stored queue to where it came from', async () => {
  const { a, b, at } = await pair();
  const device = await b.connected('device', { ...DURABLE, version: 5 });
  await device.subscribe('t', { qos: 1 });
  device.cut();
  const publisher = await a.connected('publisher');
  publisher.publish('t', 'x', { qos: 1 });
  await publisher.next('puback');
  await quiet();
  expect(at.b.named('deliver')).toEqual([]);

  const again = await b.connected('device', { ...DURABLE, version: 5, cleanStart: false });
  await again.next('publish');

  const publish = only(at.a.named('publish'));
  const deliver = only(at.b.named('deliver'));
  expect(deliver.parentId).toBeUndefined();
  expect(deliver.link).toMatchObject({ traceId: publish.traceId, spanId: publish.spanId });
});

it('makes no more spans of deliveries than it may, and counts the receivers', async () => {
  const { a, at } = await pair({ deliverySpansMax: 2 });
  for (const id of ['s1', 's2', 's3']) {
    const subscriber = await a.connected(id);
    await subscriber.subscribe('t');
  }
  const publisher = await a.connected('publisher');
  publisher.publish('t', 'x');
  await quiet();

  expect(at.a.named('deliver')).toHaveLength(2);
  expect(only(at.a.named('route')).attributes).toMatchObject({ 'skein.receivers': 3 });
});

it('tells of a CONNECT, and where in a trace one was refused', async () => {
  const { a, at } = await pair({ sampleRatio: 0 });
  const properties = { userProperties: [['traceparent', OWN]] as const };
  await a.connected('client', { version: 5, properties });
  a.node.turnAway(true);
  await a.connected('late', { version: 5, properties });

  const [taken, refused] = at.a.named('connect');
  expect(taken).toMatchObject({ traceId: TRACE, parentId: CALLER, fault: undefined });
  expect(refused).toMatchObject({ traceId: TRACE, fault: 'useAnotherServer' });
  const line = a.log.lines.find(({ event }) => event === 'connect-refused');
  expect(line?.fields).toMatchObject({ trace_id: TRACE, span_id: refused?.spanId });
});

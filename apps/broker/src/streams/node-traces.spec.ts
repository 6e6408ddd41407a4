import { describe, expect, it } from '@jest/globals';
import type { WireTrace } from '#libs/api-contracts';
import { Tracing, type TraceOutput, type TraceRecord } from '#libs/broker-core';
import type { Packet } from '#libs/mqtt-codec';
import { NodeTraces } from './node-traces.ts';
import { traceLineOf } from './trace-line.ts';

const CLIENT: TraceRecord['client'] = {
  ...{ clientId: 'c', username: 'u', listener: 'tcp', address: '192.0.2.1' },
  version: 5,
};

const recordOf = (packet: Packet): TraceRecord => ({
  ...{ kind: 'packet', direction: 'in', client: CLIENT, packet },
});

const publishOf = (payload: string, more: object = {}): TraceRecord =>
  recordOf({
    ...{ kind: 'publish', dup: false, qos: 1, retain: false, topic: 't', packetId: 7 },
    ...{ payload: Buffer.from(payload), ...more },
  });

const traceOf = (own: Partial<WireTrace> = {}): WireTrace => ({
  ...{ id: 'one', clientId: 'c', payload: 'none', untilMs: 60_000, isStopped: false },
  ...{ bytesMax: 100_000, perSecond: 5, ...own },
});

function setUp() {
  const outputs: TraceOutput[] = [];
  let nowMs = 1_000;
  const tracing = {
    start: (_: unknown, output: TraceOutput) => {
      outputs.push(output);
      return () => void outputs.splice(outputs.indexOf(output), 1);
    },
  };
  const traces = new NodeTraces({ tracing, nodeId: 'n1', nowMs: () => nowMs, life: 1 });
  const read = async (number?: number, life = 1) => {
    const after = number === undefined ? undefined : { life, number };
    const answer = await traces.read({ kind: 'trace-content', id: 'one', after, waitMs: 0 });
    if (answer.kind === 'unknown') return undefined;
    return { ...answer, lines: answer.lines.map((line) => JSON.parse(line) as unknown) };
  };
  const record = (payload = 'x') => {
    for (const output of [...outputs]) output(publishOf(payload));
  };
  return { traces, read, record, outputs, pass: (ms: number) => (nowMs += ms) };
}

describe('NodeTraces', () => {
  it('begin what runs, once, end what is over, and keep what was recorded', async () => {
    const { traces, read, record, outputs } = setUp();
    traces.sync([traceOf(), traceOf({ id: 'over', untilMs: 999 })]);
    traces.sync([traceOf()]);
    expect(outputs).toHaveLength(1);
    record();
    expect(await read()).toMatchObject({ lines: [{ kind: 'packet' }], isOver: false, lost: 0 });
    traces.sync([traceOf({ isStopped: true })]);
    expect(outputs).toHaveLength(0);
    expect(await read()).toMatchObject({ lines: [{ kind: 'packet' }], isOver: true });
    traces.sync([traceOf()]);
    expect(outputs).toHaveLength(0);
  });

  it('end by themselves, and are forgotten when they are deleted, not when they are new', async () => {
    const { traces, read, outputs, pass } = setUp();
    traces.sync([traceOf()]);
    pass(10_000);
    traces.sync([]);
    expect(outputs).toHaveLength(1);
    pass(1);
    traces.sync([]);
    expect(outputs).toHaveLength(0);
    expect(await read()).toBeUndefined();
    traces.sync([traceOf()]);
    pass(60_000);
    traces.sweep();
    expect(outputs).toHaveLength(0);
    expect(await read()).toMatchObject({ isOver: true });
  });

  it('take so many records a second, and say how many they have not taken', async () => {
    const { traces, read, record, pass } = setUp();
    traces.sync([traceOf()]);
    for (let count = 0; count < 12; count += 1) record();
    pass(1_000);
    record();
    const content = await read();
    expect(content).toMatchObject({ recorded: 7, capped: 7 });
    expect(content?.lines[5]).toEqual({
      ...{ kind: 'cut', time: '1970-01-01T00:00:02.000Z', node: 'n1', reason: 'rate', records: 7 },
    });
  });

  it('keep to their bytes, and say how many records are gone', async () => {
    const { traces, read, record } = setUp();
    traces.sync([traceOf({ perSecond: 1_000, bytesMax: 4_000 })]);
    for (let count = 0; count < 50; count += 1) record();
    const content = await read();
    expect(content?.lost).toBeGreaterThan(30);
    expect(content?.lines).toHaveLength(50 - (content?.lost ?? 0));
    expect(JSON.stringify(content?.lines).length).toBeLessThan(4_100);
  });

  it('are read in parts, and all of them by who has read another life of the node', async () => {
    const { traces, read, record } = setUp();
    traces.sync([traceOf({ perSecond: 1_000 })]);
    for (let count = 0; count < 150; count += 1) record();
    const first = await read();
    expect(first).toMatchObject({ hasMore: true, position: { number: 100 } });
    expect(await read(100)).toMatchObject({ hasMore: false, position: { number: 150 } });
    expect((await read(100, 2))?.lines).toHaveLength(100);
  });
});

describe('traceLineOf', () => {
  const line = (record: TraceRecord, payload: 'none' | 'text' | 'base64' = 'none') =>
    JSON.parse(traceLineOf(record, { nodeId: 'n1', atMs: 5, payload })) as unknown;

  it('shows every field of a PUBLISH, and its payload when that is asked for', () => {
    const properties = { messageExpiryInterval: 9, correlationData: Buffer.from('k') };
    expect(line(publishOf('hello', { properties }))).toEqual({
      ...{ kind: 'packet', time: '1970-01-01T00:00:00.005Z', node: 'n1', client_id: 'c' },
      ...{ username: 'u', listener: 'tcp', remote_address: '192.0.2.1', mqtt_version: '5' },
      direction: 'in',
      packet: {
        ...{ type: 'publish', dup: false, qos: 1, retain: false, topic: 't', packet_id: 7 },
        payload_bytes: 5,
        properties: { message_expiry_interval: 9, correlation_data: 'aw==' },
      },
    });
    expect(line(publishOf('hello'), 'text')).toMatchObject({
      packet: { payload: 'hello', payload_encoding: 'plain' },
    });
    expect(line(publishOf('hello'), 'base64')).toMatchObject({ packet: { payload: 'aGVsbG8=' } });
    expect(line(publishOf('x'.repeat(9_000)), 'text')).toMatchObject({
      packet: { payload_bytes: 9_000, payload: 'x'.repeat(8_192), payload_truncated: true },
    });
  });

  it('never shows a password or the data of an authentication', () => {
    const secret = Buffer.from('s3cret-s3cret');
    const properties = { authenticationMethod: 'SCRAM-SHA-256', authenticationData: secret };
    const records = [
      recordOf({
        ...{ kind: 'connect', version: 5, cleanStart: true, keepAlive: 60, clientId: 'c' },
        ...{ username: 'u', password: secret, properties },
      }),
      recordOf({ kind: 'auth', reasonCode: 0x18, properties }),
      recordOf({ kind: 'connack', sessionPresent: false, reasonCode: 0, properties }),
    ];
    for (const record of records) {
      const text = JSON.stringify(line(record, 'text'));
      for (const form of ['utf8', 'base64', 'hex'] as const) {
        expect(text).not.toContain(secret.toString(form));
      }
      expect(text).toContain('"authentication_data_bytes":13');
    }
    expect(line(records[0] as TraceRecord)).toMatchObject({ packet: { has_password: true } });
  });

  it('names reasons, and leaves out what is too long to keep', () => {
    expect(line(recordOf({ kind: 'puback', packetId: 1, reasonCode: 0x87 }))).toMatchObject({
      packet: { reason_code: 0x87, reason: 'not_authorized' },
    });
    const filters = Array.from({ length: 10_000 }, (_, index) => `filter/${String(index)}`);
    expect(line(recordOf({ kind: 'unsubscribe', packetId: 1, filters }))).toMatchObject({
      truncated: true,
      packet: { type: 'unsubscribe', packet_id: 1 },
    });
  });
});

it('records what a real tracing shows, of an address in a network', async () => {
  const tracing = new Tracing();
  const traces = new NodeTraces({ tracing, nodeId: 'n1', nowMs: () => 1_000, life: 1 });
  traces.sync([traceOf({ clientId: undefined, ip: '192.0.2.0/24' })]);
  const decision = { type: 'connection_ended', initiator: 'client', reason: 'normal' } as const;
  tracing.tell(CLIENT, decision);
  tracing.tell({ ...CLIENT, address: '198.51.100.1' }, decision);
  const content = await traces.read({ kind: 'trace-content', id: 'one', waitMs: 0 });
  expect(content).toMatchObject({ recorded: 1 });
  traces.close();
  expect(tracing.isOn).toBe(false);
});

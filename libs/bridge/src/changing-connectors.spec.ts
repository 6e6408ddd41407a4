import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BridgeGround, Connector, Meter, MqttToKafkaRule, Spool } from '#libs/broker-ports';
import { messageOf, openMemorySpool, outboundRule, RecordingLog } from '#libs/testkit';
import { RuleBridge } from './rule-bridge.ts';
import { SinkError, type Sink, type SinkRecord, type SinkRule } from './sink.ts';

function connector(id: string, clientId = 'skein'): Connector {
  return { id, kind: 'kafka', brokers: ['127.0.0.1:1'], clientId, compression: 'none' };
}

const ground = (...connectors: Connector[]): BridgeGround => ({ connectors, refused: new Map() });

function rule(id: string, changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
  return outboundRule({ id, bridge: id, filter: `${id}/#`, topic: 't', ...changes });
}

/** What a sink was opened with, and whether it is closed. */
interface Opened {
  readonly rule: string;
  readonly clientId: string;
  isClosed: boolean;
}

describe('RuleBridge whose connectors change', () => {
  let away: Set<string>;
  let opened: Opened[];
  /** `client id of the connector:value` in the order of their storing. */
  let stored: string[];
  let answers: string[];
  let gauges: Record<string, unknown>;
  let log: RecordingLog;
  let spool: Spool;
  let bridge: RuleBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    away = new Set();
    [opened, stored, answers] = [[], [], []];
    gauges = {};
    log = new RecordingLog();
    spool = await openMemorySpool(Infinity);
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeConnected: (id: string, isUp: boolean) => (gauges[id] = isUp),
    };
    bridge = new RuleBridge({
      connectors: [],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: openSink }],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 100, batchBytesMax: 100_000 },
        bufferBytesMax: 100_000,
      },
      spool: {
        spool,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0 },
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log,
      meter: new Proxy({}, { get: (_, name) => told[name] ?? (() => undefined) }) as Meter,
    });
  });

  afterEach(async () => {
    const closed = bridge.close();
    await pass(10_000);
    await closed;
    jest.useRealTimers();
  });

  function openSink(to: Connector, { id }: SinkRule): Sink {
    const clientId = to.kind === 'kafka' ? to.clientId : '';
    const entry: Opened = { rule: id, clientId, isClosed: false };
    opened.push(entry);
    const reach = async (): Promise<void> => {
      if (away.has(clientId)) throw new SinkError('UNAVAILABLE', 'away');
    };
    return {
      ping: reach,
      lanes: async () => 1,
      send: async (_target, lane, records: readonly SinkRecord[]) => {
        await reach();
        stored.push(...records.map(({ value }) => `${clientId}:${value.toString()}`));
        return [lane];
      },
      test: async function* () {
        yield { step: 'dns', ok: true, ms: 1, detail: clientId };
      },
      renew: () => undefined,
      close: async () => {
        entry.isClosed = true;
      },
    };
  }

  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  function offer(topic: string, text: string): void {
    const message = messageOf({ topic, receivedAtMs: Date.now(), payload: Buffer.from(text) });
    bridge.offer(message, (error) => answers.push(`${text}:${error?.code ?? 'ok'}`));
  }

  const stateOf = (id: string) => bridge.status().find((status) => status.id === id);

  it('sets the rules of a new one to work, and leaves others alone', async () => {
    bridge.apply([rule('a'), rule('b')], ground(connector('a')));
    expect(stateOf('b')).toMatchObject({
      state: 'stopped',
      lastError: expect.stringContaining(
        'bridge: is b, and there is no bridge of that id; name one of a',
      ),
    });
    bridge.apply([rule('a'), rule('b')], ground(connector('a'), connector('b')));
    await pass(100);
    offer('b/1', '1');
    await pass(100);
    expect(stored).toEqual(['skein:1']);
    expect(opened.map((each) => each.rule)).toEqual(['a', 'b']);
    expect(log.of('bridge-rule-invalid')).toHaveLength(1);
  });

  it('goes on with new settings: what waits in the spool comes first, other rules go on', async () => {
    const rules = [rule('a', { ack: 'spool' }), rule('b')];
    bridge.apply(rules, ground(connector('a', 'old'), connector('b')));
    away.add('old');
    for (const text of ['1', '2', '3']) offer('a/1', text);
    await pass(100);
    expect(answers).toEqual(['1:ok', '2:ok', '3:ok']);
    bridge.apply(rules, ground(connector('a', 'new'), connector('b')));
    offer('a/1', '4');
    await pass(10_000);
    expect(stored).toEqual(['new:1', 'new:2', 'new:3', 'new:4']);
    expect(answers.at(-1)).toBe('4:ok');
    expect(opened.filter((each) => each.rule === 'b')).toHaveLength(1);
    expect(opened.map((each) => each.isClosed)).toEqual([true, false, false]);
  });

  it('sends with the old settings what is in memory, before anything goes with the new ones', async () => {
    bridge.apply([rule('a')], ground(connector('a', 'old')));
    await pass(100);
    away.add('old');
    offer('a/1', '1');
    bridge.apply([rule('a')], ground(connector('a', 'new')));
    offer('a/1', '2');
    await pass(500);
    expect(stored).toEqual([]);
    away.delete('old');
    await pass(2_000);
    expect(stored).toEqual(['old:1', 'new:2']);
  });

  it('stops the rules of one that is gone, keeps what they have, and says why', async () => {
    const rules = [rule('a', { ack: 'spool' })];
    bridge.apply(rules, ground(connector('a')));
    await pass(200);
    away.add('skein');
    offer('a/1', '1');
    await pass(10_500);
    expect(gauges).toEqual({ a: false });
    bridge.apply(rules, ground(), new Map());
    await pass(10_000);
    expect(stateOf('a')).toMatchObject({
      state: 'stopped',
      lastError: expect.stringContaining('bridge: is a, and there is no bridge of that id; add it'),
    });
    expect(gauges).toEqual({ a: true });
    expect(bridge.connectors()).toEqual([]);
    expect(spool.open('a').records).toBe(1);
    away.clear();
    bridge.apply(rules, ground(connector('a')));
    await pass(1_000);
    expect(stored).toEqual(['skein:1']);
  });

  it('stops the rules of one that is not enabled, keeps what they have, and lets messages pass', async () => {
    const rules = [rule('a', { ack: 'spool' })];
    bridge.apply(rules, ground(connector('a')));
    await pass(200);
    away.add('skein');
    offer('a/1', '1');
    await pass(200);
    bridge.apply(rules, ground({ ...connector('a'), enabled: false }));
    await pass(10_000);
    expect(bridge.idle).toBe(true);
    expect(bridge.connectors()).toEqual([{ id: 'a', state: 'stopped', lastError: undefined }]);
    expect(stateOf('a')).toEqual({ id: 'a', state: 'stopped', lastError: undefined });
    expect(bridge.restart('a')).toBe('stopped');
    offer('a/1', 'passes');
    away.clear();
    await pass(1_000);
    expect([stored, answers]).toEqual([[], ['1:ok', 'passes:ok']]);
    bridge.apply(rules, ground(connector('a')));
    await pass(1_000);
    expect(stored).toEqual(['skein:1']);
  });

  it('begins anew when it is restarted, and loses nothing', async () => {
    bridge.apply([rule('a', { ack: 'spool' }), rule('b')], ground(connector('a'), connector('b')));
    await pass(100);
    away.add('skein');
    offer('a/1', '1');
    await pass(100);
    expect(bridge.restart('a')).toBe('restarting');
    expect(bridge.restart('c')).toBe('absent');
    offer('a/1', '2');
    away.clear();
    await pass(2_000);
    expect(stored).toEqual(['skein:1', 'skein:2']);
    expect(opened.map((each) => [each.rule, each.isClosed])).toEqual([
      ...[['a', true] as const, ['b', false] as const, ['a', false] as const],
    ]);
  });

  it('counts what its rules do over restarts, until somebody resets it', async () => {
    const metricsOf = (id: string) => bridge.metrics().find((each) => each.id === id);
    bridge.apply([rule('a'), rule('b')], ground(connector('a'), connector('b')));
    await pass(100);
    offer('a/1', '1');
    await pass(100);
    bridge.restart('a');
    await pass(100);
    offer('a/1', '2');
    offer('b/1', '3');
    await pass(100);
    const sinceMs = metricsOf('a')?.sinceMs ?? 0;
    expect(metricsOf('a')).toMatchObject({ bridge: 'a', matched: 2, delivered: 2, failed: 0 });
    away.add('skein');
    offer('a/1', '4');
    await pass(100);
    offer('a/1', 'behind it');
    await pass(2_000);
    expect(metricsOf('a')).toMatchObject({ matched: 4, failed: 1, reasons: { timeout: 1 } });
    expect(metricsOf('a')?.retries).toBeGreaterThan(0);
    bridge.resetMetrics('a');
    expect(metricsOf('a')).toMatchObject({ matched: 0, delivered: 0, failed: 0, reasons: {} });
    expect(metricsOf('a')?.sinceMs).toBeGreaterThan(sinceMs);
    expect(metricsOf('b')).toMatchObject({ matched: 1, delivered: 1 });
    bridge.apply([rule('b')]);
    expect(bridge.metrics().map(({ id }) => id)).toEqual(['b']);
  });

  it('says of one that it may not use what is wrong with it', () => {
    const refused = new Map([['a', 'sasl.password.env must begin with X_']]);
    bridge.apply([rule('a')], { connectors: [], refused });
    const lastError = expect.stringContaining('sasl.password.env must begin with X_');
    expect(stateOf('a')).toMatchObject({ state: 'stopped', lastError });
    expect(bridge.connectors()).toEqual([{ id: 'a', state: 'disconnected', lastError }]);
  });

  it('does not mind in which order settings are written', () => {
    bridge.apply([rule('a')], ground(connector('a')));
    const turned = Object.fromEntries(Object.entries(connector('a')).toReversed());
    bridge.apply([rule('a')], ground(turned as unknown as Connector));
    expect(opened).toHaveLength(1);
  });

  it('tests one that was never applied', async () => {
    expect(await bridge.test(connector('x', 'c'), { withinMs: 1 })).toEqual([
      { step: 'dns', ok: true, ms: 1, detail: 'c' },
    ]);
    expect(bridge.connectors()).toEqual([]);
    expect(opened).toMatchObject([{ isClosed: true }]);
  });
});

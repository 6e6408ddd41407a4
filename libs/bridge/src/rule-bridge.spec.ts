import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type BridgeRecordCount,
  type BridgeRule,
  type BridgeTestStep,
  type Connector,
  type InjectedMessage,
  type Message,
  type Meter,
} from '#libs/broker-ports';
import { inboundRule, messageOf, outboundRule as rule, RecordingLog } from '#libs/testkit';
import type { BridgeLimits } from './bridge-options.ts';
import { RuleBridge } from './rule-bridge.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';
import type { Source, SourceHandler } from './source.ts';

const LIMITS: BridgeLimits = {
  ackTimeoutMs: 1_000,
  lingerMs: 0,
  batchRecordsMax: 100,
  batchBytesMax: 100_000,
  bufferBytesMax: 10_000,
};

const MESSAGE_LIMITS = { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 };

const CONNECTORS = ['main', 'other'].map((id): Connector => ({
  id,
  kind: 'kafka',
  brokers: ['127.0.0.1:1'],
  clientId: 'skein',
  compression: 'none',
}));

/** A sink with one lane per target, and a source, that can be away. */
class MemoryKafka implements Sink, Source {
  readonly stored: SinkRecord[] = [];
  away = false;
  readonly missing = new Set<string>();
  closed = 0;
  consumer: SourceHandler | undefined;

  async ping(): Promise<void> {
    if (this.away) throw new SinkError('UNAVAILABLE', 'away');
  }

  async lanes(target: string): Promise<number> {
    await this.ping();
    if (this.missing.has(target)) throw new SinkError('UNKNOWN_TARGET', `no ${target}`);
    return 1;
  }

  async send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    await this.ping();
    this.stored.push(...records);
    return [lane];
  }

  renew(): void {}

  async *test(): AsyncGenerator<BridgeTestStep> {
    yield { step: 'auth', ok: !this.away, ms: 1, detail: 'in memory' };
  }

  async close(): Promise<void> {
    this.closed += 1;
  }
}

const targetFault = (target: string): string | undefined =>
  target.includes('/') ? 'no slash' : undefined;

describe('RuleBridge', () => {
  let kafkas: Map<string, MemoryKafka>;
  let counts: Record<string, number>;
  let answers: string[];
  let bridge: RuleBridge;
  let started: string[];
  let injected: InjectedMessage[];
  let log: RecordingLog;
  /** The last value of each gauge, by `connector/name`. */
  let gauges: Record<string, unknown>;

  beforeEach(() => {
    jest.useFakeTimers();
    kafkas = new Map();
    counts = {};
    gauges = {};
    answers = [];
    started = [];
    injected = [];
    log = new RecordingLog();
    const count = ({ outcome, reason, count: records }: BridgeRecordCount): void => {
      const name = `${outcome}/${reason}`;
      counts[name] = (counts[name] ?? 0) + records;
    };
    const gauge = (name: string) => (connector: string, value: unknown) => {
      gauges[`${connector}/${name}`] = value;
    };
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeRecords: count,
      bridgeConsumerLag: gauge('lag'),
      bridgeConnected: gauge('connected'),
      bridgeBuffer: gauge('records'),
    };
    const meter = new Proxy(
      {},
      { get: (_target, name) => told[name] ?? (() => undefined) },
    ) as Meter;
    bridge = new RuleBridge({
      connectors: CONNECTORS,
      sinks: [
        {
          kind: 'kafka',
          targetFault,
          open: (_connector, { id }) => {
            started.push(id);
            return kafka(id);
          },
        },
      ],
      sources: [
        {
          kind: 'kafka',
          topicFault: targetFault,
          open: (_connector, { id }, { handler }) => {
            kafka(id).consumer = handler;
            return kafka(id);
          },
        },
      ],
      limits: LIMITS,
      inject: (message, done) => {
        injected.push(message);
        done();
      },
      messageLimits: MESSAGE_LIMITS,
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log,
      meter,
    });
  });

  afterEach(async () => {
    const closed = bridge.close();
    await jest.advanceTimersByTimeAsync(10_000);
    await closed;
    jest.useRealTimers();
  });

  function kafka(id = 'r1'): MemoryKafka {
    const known = kafkas.get(id) ?? new MemoryKafka();
    kafkas.set(id, known);
    return known;
  }

  function offer(changes: Partial<Message> = {}): void {
    const message = messageOf({ topic: 'a/b', receivedAtMs: Date.now(), ...changes });
    bridge.offer(message, (error) => answers.push(error?.code ?? 'ok'));
  }

  const values = (id = 'r1'): string[] =>
    kafka(id).stored.map(({ target, value }) => `${target}:${String(value)}`);
  const connected = (): boolean =>
    bridge.connectors().every(({ state }) => state !== 'disconnected');
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('answers at once without rules, and when none matches', async () => {
    offer();
    expect(connected()).toBe(true);
    bridge.apply([rule()]);
    offer({ topic: 'b' });
    expect(answers).toEqual(['ok', 'ok']);
  });

  it('answers a QoS 1 message when Kafka has it, and a QoS 0 message at once', async () => {
    bridge.apply([rule()]);
    offer({ payload: Buffer.from('1') });
    offer({ payload: Buffer.from('2'), qos: 0 });
    expect(answers).toEqual(['ok']);
    await pass(10);
    expect(answers).toEqual(['ok', 'ok']);
    expect(values()).toEqual(['telemetry:1', 'telemetry:2']);
    expect(counts).toEqual({ 'delivered/ok': 2 });
  });

  it('keeps a copy: the bytes of a message live as long as the turn', async () => {
    bridge.apply([rule({ key: '${payload}' })]);
    const payload = Buffer.from('before');
    offer({ payload });
    payload.fill('x');
    await pass(10);
    expect(values()).toEqual(['telemetry:before']);
    expect(String(kafka().stored[0]?.key)).toBe('before');
  });

  it('waits for the strictest of several rules', async () => {
    kafka('r2').away = true;
    bridge.apply([
      rule(),
      rule({ id: 'r2', filter: '+/b' }),
      rule({ id: 'r3', filter: 'a/b', ack: 'none' }),
    ]);
    offer({ payload: Buffer.from('1') });
    await pass(300);
    expect(values('r1')).toEqual(['telemetry:1']);
    expect(values('r3')).toEqual(['telemetry:1']);
    expect(answers).toEqual([]);
    kafka('r2').away = false;
    await pass(1_000);
    expect(answers).toEqual(['ok']);
  });

  it('does not send back what came from Kafka', async () => {
    bridge.apply([rule({ filter: '#' })]);
    offer({ origin: 'bridge' });
    offer({ topic: '$SYS/uptime' });
    await pass(10);
    expect(answers).toEqual(['ok', 'ok']);
    expect(values()).toEqual([]);
  });

  it('sends on what came from Kafka where a rule asks for it, and waits as for a client', async () => {
    bridge.apply([rule({ filter: '#', allowLoop: true }), rule({ id: 'r2', topic: 'other' })]);
    kafka('r1').away = true;
    offer({ origin: 'bridge', publisher: '', payload: Buffer.from('1') });
    await pass(10);
    expect(answers).toEqual([]);
    kafka('r1').away = false;
    await pass(900);
    expect(answers).toEqual(['ok']);
    expect([values('r1'), values('r2')]).toEqual([['telemetry:1'], []]);
  });

  it('takes system topics only for a filter that names them', async () => {
    bridge.apply([rule({ filter: '$SYS/#' })]);
    offer({ topic: '$SYS/uptime', payload: Buffer.from('1') });
    await pass(10);
    expect(values()).toEqual(['telemetry:1']);
  });

  it('tells the publisher when Kafka takes too long, once, and forgets what was not tried', async () => {
    kafka().away = true;
    bridge.apply([rule()]);
    offer({ payload: Buffer.from('1') });
    await pass(900);
    expect(answers).toEqual([]);
    await pass(300);
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE']);
    expect(connected()).toBe(false);
    expect(bridge.status()).toEqual([{ id: 'r1', state: 'degraded', lastError: 'away' }]);
    kafka().away = false;
    await pass(1_000);
    expect(values()).toEqual([]);
    expect(counts).toEqual({ 'failed/timeout': 1 });
    expect(gauges['main/records']).toBe(0);
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE']);
    expect(bridge.status()).toEqual([{ id: 'r1', state: 'running', lastError: undefined }]);
  });

  it('gives the room of a full buffer to the rules that come first', async () => {
    const first = rule({ ack: 'none' });
    const second = rule({ id: 'r2', ack: 'none' });
    for (const rules of [
      [first, second],
      [second, first],
    ]) {
      bridge.apply(rules);
      kafka().away = true;
      kafka('r2').away = true;
      const before = { r1: kafka().stored.length, r2: kafka('r2').stored.length };
      offer({ payload: Buffer.alloc(6_000) });
      kafka().away = false;
      kafka('r2').away = false;
      await pass(5_000);
      const [winner] = rules;
      expect({
        r1: kafka().stored.length - before.r1,
        r2: kafka('r2').stored.length - before.r2,
      }).toEqual({ r1: winner === first ? 1 : 0, r2: winner === second ? 1 : 0 });
    }
    expect(counts['dropped/buffer_full']).toBe(2);
  });

  it('refuses or drops what the buffer cannot hold, and counts it', async () => {
    kafka().away = true;
    kafka('r2').away = true;
    bridge.apply([rule(), rule({ id: 'r2', filter: 'b', ack: 'none' })]);
    for (let index = 0; index < 20; index += 1) offer({ payload: Buffer.alloc(1_000) });
    expect(answers.length).toBeGreaterThan(10);
    expect(new Set(answers)).toEqual(new Set(['QUOTA_EXCEEDED']));
    const refused = answers.length;
    offer({ topic: 'b', payload: Buffer.alloc(1_000) });
    expect(answers.at(-1)).toBe('ok');
    expect(counts).toEqual({ 'failed/buffer_full': refused, 'dropped/buffer_full': 1 });
    kafka().away = false;
    await pass(2_000);
    expect(kafka().stored).toHaveLength(20 - refused);
    offer({ payload: Buffer.alloc(1_000) });
    await pass(100);
    expect(answers.at(-1)).toBe('ok');
  });

  it('refuses a message whose Kafka topic would be illegal', async () => {
    bridge.apply([rule({ topic: '${topic}' })]);
    offer({ topic: 'a/b' });
    offer({ topic: 'a/b', qos: 0 });
    await pass(10);
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE', 'ok']);
    expect(counts).toEqual({ 'failed/invalid_topic': 1, 'dropped/invalid_topic': 1 });
  });

  it('refuses a topic that the rule may not write to, and one whose partition is no number', async () => {
    bridge.apply([
      rule({ topic: '${topic[1]}', allowTopics: ['b', 'c-*'], partition: '${payload}' }),
    ]);
    for (const topic of ['a/b', 'a/c-1', 'a/bc', 'a/c'])
      offer({ topic, payload: Buffer.from('7') });
    offer({ topic: 'a/b', payload: Buffer.from('-1') });
    await pass(10);
    expect(values()).toEqual(['b:7', 'c-1:7']);
    expect(counts).toEqual({
      'delivered/ok': 2,
      'failed/invalid_topic': 2,
      'failed/template_error': 1,
    });
    expect(answers.toSorted()).toEqual([
      ...Array.from({ length: 3 }, () => 'BRIDGE_UNAVAILABLE'),
      ...Array.from({ length: 2 }, () => 'ok'),
    ]);
  });

  it('does not let a missing topic hold up the others of its rule, nor the buffer', async () => {
    kafka().missing.add('none');
    bridge.apply([rule({ topic: '${topic[1]}' })]);
    offer({ topic: 'a/none' });
    offer({ topic: 'a/some', payload: Buffer.from('1') });
    await pass(10);
    expect(values()).toEqual(['some:1']);
    expect(answers).toEqual(['ok']);
    await pass(2_000);
    expect(answers).toEqual(['ok', 'BRIDGE_UNAVAILABLE']);
    expect(counts).toEqual({ 'delivered/ok': 1, 'failed/unknown_topic': 1 });
    expect(bridge.status()[0]?.state).toBe('running');
  });

  it('leaves unchanged rules alone, and sends what a changed one held before the new one', async () => {
    const other: BridgeRule = rule({ id: 'r2', filter: 'b' });
    bridge.apply([rule(), other]);
    kafka().away = true;
    offer({ payload: Buffer.from('old') });
    bridge.apply([{ ...other }, rule({ topic: 'elsewhere' })]);
    offer({ payload: Buffer.from('new') });
    expect(started).toEqual(['r1', 'r2', 'r1']);
    await pass(200);
    kafka().away = false;
    await pass(1_000);
    expect(values()).toEqual(['telemetry:old', 'elsewhere:new']);
    expect(answers).toEqual(['ok', 'ok']);
    bridge.apply([]);
    await pass(100);
    expect(kafka('r2').closed).toBe(1);
    expect(bridge.status()).toEqual([]);
  });

  it('gives every connector a buffer and metrics of its own', async () => {
    kafka().away = true;
    bridge.apply([rule(), rule({ id: 'r2', bridge: 'other', filter: 'b' })]);
    for (let index = 0; index < 20; index += 1) offer({ payload: Buffer.alloc(1_000) });
    expect(answers).toContain('QUOTA_EXCEEDED');
    const waiting = 20 - answers.length;
    offer({ topic: 'b', payload: Buffer.alloc(1_000) });
    await pass(200);
    expect(answers.at(-1)).toBe('ok');
    expect(gauges).toEqual({
      'main/connected': false,
      'main/lag': 0,
      'main/records': waiting,
      'other/connected': true,
      'other/lag': 0,
      'other/records': 0,
    });
    expect(bridge.connectors()).toEqual([
      { id: 'main', state: 'disconnected', lastError: 'away' },
      { id: 'other', state: 'connected', lastError: undefined },
    ]);
    bridge.apply([]);
    expect(bridge.connectors().map(({ state }) => state)).toEqual(['unused', 'unused']);
  });

  it('is idle while no rule takes messages', () => {
    expect(bridge.idle).toBe(true);
    bridge.apply([rule({ enabled: false })]);
    expect(bridge.idle).toBe(true);
    bridge.apply([rule()]);
    expect(bridge.idle).toBe(false);
    bridge.apply([]);
    expect(bridge.idle).toBe(true);
  });

  it('shows rules that do not run', () => {
    bridge.apply([
      rule({ enabled: false }),
      rule({ id: 'r2', key: '${who}' }),
      rule({ id: 'r3', bridge: 'gone' }),
    ]);
    expect(bridge.status()).toEqual([
      { id: 'r1', state: 'stopped', lastError: undefined },
      { id: 'r2', state: 'stopped', lastError: 'key: ${who} is not a known placeholder' },
      {
        id: 'r3',
        state: 'stopped',
        lastError:
          'bridge: is gone, and there is no bridge of that id; name one of main, other, or add it to `bridges`',
      },
    ]);
    expect(started).toEqual([]);
  });

  it('sets rules of the other direction to work as well', async () => {
    bridge.apply([inboundRule()]);
    await pass(0);
    expect(bridge.idle).toBe(true);
    expect(connected()).toBe(false);
    kafka('commands').consumer?.joined();
    expect(connected()).toBe(true);
    const record = { offset: '7', key: Buffer.from('d1'), value: Buffer.from('now') };
    await kafka('commands').consumer?.batch({
      partition: 0,
      records: [{ ...record, timestamp: '0' }],
      lag: 5,
      active: () => true,
      resolve: () => undefined,
      heartbeat: () => Promise.resolve(),
    });
    expect(injected.map(({ topic }) => topic)).toEqual(['devices/d1']);
    await pass(100);
    expect(gauges['main/lag']).toBe(5);
    bridge.apply([]);
    await pass(0);
    expect(kafka('commands').closed).toBe(1);
  });

  it('flushes when it closes, and gives up at the deadline without a lie', async () => {
    bridge.apply([rule(), rule({ id: 'r2', filter: 'b' })]);
    await pass(10);
    kafka('r2').away = true;
    offer({ payload: Buffer.from('1') });
    offer({ topic: 'b' });
    let closed = false;
    void bridge.close().then(() => (closed = true));
    offer({ payload: Buffer.from('late') });
    await pass(500);
    expect(values()).toEqual(['telemetry:1']);
    expect(closed).toBe(false);
    await pass(5_000);
    expect(closed).toBe(true);
    expect(answers.toSorted()).toEqual(['BRIDGE_UNAVAILABLE', 'BRIDGE_UNAVAILABLE', 'ok']);
  });

  it('does not wait long for a Kafka that is away when it closes', async () => {
    kafka().away = true;
    bridge.apply([rule()]);
    offer();
    let closed = false;
    void bridge.close().then(() => (closed = true));
    await pass(1_000);
    expect(closed).toBe(true);
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE']);
  });

  it('is on its way to a Kafka that is starting, and degraded when it does not come or goes', async () => {
    const lines = (): string[] => log.lines.map(({ level, event }) => `${level} ${event}`);
    kafka().away = true;
    bridge.apply([rule()]);
    await pass(9_000);
    kafka().away = false;
    await pass(1_000);
    expect(lines()).toEqual(['info bridge-connecting', 'info bridge-connected']);
    expect(log.lines[0]?.fields).toEqual({ rule: 'r1', error: 'away' });

    kafka().away = true;
    await pass(15_000);
    kafka().away = false;
    await pass(1_000);
    expect(lines().slice(2)).toEqual(['warn bridge-degraded', 'info bridge-recovered']);
    kafka('r2').away = true;
    bridge.apply([rule(), rule({ id: 'r2' })]);
    await pass(30_000);
    expect(lines().slice(4)).toEqual(['info bridge-connecting', 'warn bridge-degraded']);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type BridgeRecordCount,
  type Connector,
  type Message,
  type Meter,
  type MqttToKafkaRule,
  type Spool,
} from '#libs/broker-ports';
import { MemorySpoolStore, messageOf, openMemorySpool, RecordingLog } from '#libs/testkit';
import { laneOf } from './murmur2.ts';
import { RuleBridge } from './rule-bridge.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';
import type { SpoolLimits } from './spool-limits.ts';

const LANES = 3;
const BUFFER_BYTES_MAX = 2_000_000;
const CONNECTOR: Connector = {
  id: 'main',
  kind: 'kafka',
  brokers: ['127.0.0.1:1'],
  clientId: 'skein',
  compression: 'none',
};

/** A sink of three lanes that can be away, as a whole or by lanes. */
class LaneSink implements Sink {
  readonly stored: SinkRecord[] = [];
  away = false;
  readonly stuck = new Set<number>();
  fault: SinkError['code'] = 'UNAVAILABLE';

  async ping(): Promise<void> {
    if (this.away) throw new SinkError(this.fault, 'away');
  }

  async lanes(): Promise<number> {
    return LANES;
  }

  async send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    await this.ping();
    if (this.stuck.has(lane)) throw new SinkError('UNAVAILABLE', 'stuck');
    this.stored.push(...records);
    return [lane];
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {}

  async close(): Promise<void> {}
}

function rule(changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
  return {
    id: 'r1',
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    enabled: true,
    filter: 'a/#',
    topic: 'telemetry',
    key: '${clientId}',
    partition: 'key',
    headers: {},
    ack: 'spool',
    ...changes,
  };
}

/** A client whose records take a lane. */
function clientOf(lane: number): string {
  const ids = Array.from({ length: 50 }, (_, index) => `c${String(index)}`);
  return ids.find((id) => laneOf(Buffer.from(id), LANES) === lane) ?? '';
}

describe('a rule that acknowledges from the spool', () => {
  let store: MemorySpoolStore;
  let spool: Spool;
  let sink: LaneSink;
  let bridge: RuleBridge;
  let log: RecordingLog;
  let answers: string[];
  let counts: Record<string, number>;
  let buffered: number;

  beforeEach(async () => {
    jest.useFakeTimers();
    store = new MemorySpoolStore();
    spool = await openMemorySpool(Infinity, store);
    sink = new LaneSink();
    answers = [];
    counts = {};
    log = new RecordingLog();
    open();
  });

  afterEach(async () => {
    await closed();
    jest.useRealTimers();
  });

  function open(limits: Partial<SpoolLimits> = {}): void {
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeRecords: ({ outcome, reason, count }: BridgeRecordCount): void => {
        const name = `${outcome}/${reason}`;
        counts[name] = (counts[name] ?? 0) + count;
      },
      bridgeBuffer: (_bridge: string, _records: number, bytes: number) => (buffered = bytes),
    };
    const meter = new Proxy({}, { get: (_, name) => told[name] ?? (() => undefined) }) as Meter;
    bridge = new RuleBridge({
      connectors: [CONNECTOR],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: () => sink }],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 100, batchBytesMax: 100_000 },
        bufferBytesMax: BUFFER_BYTES_MAX,
      },
      spool: {
        spool,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0, ...limits },
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: Date.now,
      log,
      meter,
    });
  }

  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  async function closed(): Promise<void> {
    const ended = bridge.close();
    await pass(10_000);
    await ended;
  }

  /** Ends the bridge as a stop does, and starts it again over what is on the disk. */
  async function restart(limits: Partial<SpoolLimits> = {}, bytesMax = Infinity): Promise<void> {
    await closed();
    await spool.close();
    spool = await openMemorySpool(bytesMax, store);
    sink.away = false;
    open(limits);
  }

  function offer(text: string, changes: Partial<Message> = {}): void {
    const payload = Buffer.from(text);
    const message = messageOf({ topic: 'a/b', receivedAtMs: Date.now(), payload, ...changes });
    bridge.offer(message, (error) => answers.push(`${text}:${error?.code ?? 'ok'}`));
  }

  function offerMany(from: number, to: number, bytes = 0): void {
    for (let index = from; index <= to; index += 1) offer(`${String(index)}${'.'.repeat(bytes)}`);
  }

  const values = (): string[] => sink.stored.map(({ value }) => String(value).replace(/\.+$/, ''));
  const numbers = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
  const events = (): string[] => log.lines.map(({ event }) => event);
  const first = (): number => spool.open('r1').first;

  it('answers when the record is on the disk, whether or not the sink is there', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    const goOn = store.hold();
    offer('1');
    await pass(50);
    expect(answers).toEqual([]);
    goOn();
    await pass(50);
    expect(answers).toEqual(['1:ok']);
    expect(bridge.status()).toMatchObject([{ id: 'r1', spool: { records: 1 } }]);
    sink.away = false;
    await pass(3_000);
    expect(values()).toEqual(['1']);
    expect(bridge.status()).toMatchObject([{ state: 'running', spool: { records: 0 } }]);
    expect(counts).toEqual({ 'delivered/ok': 1 });
  });

  it('sends from memory what is durable, as it was rendered, QoS 0 in its place', async () => {
    const read = jest.spyOn(store, 'read');
    bridge.apply([rule({ headers: { x: '${topic}' } })]);
    offer('1');
    offer('2', { qos: 0 });
    offer('3');
    await pass(200);
    expect(values()).toEqual(['1', '2', '3']);
    expect(answers).toEqual(['2:ok', '1:ok', '3:ok']);
    expect(sink.stored[0]).toMatchObject({ target: 'telemetry', headers: { x: 'a/b' } });
    expect(read).not.toHaveBeenCalled();
    expect(first()).toBe(4);
  });

  it('releases up to the first record that is not done with, however lanes overtake', async () => {
    bridge.apply([rule()]);
    sink.stuck.add(0);
    await pass(100);
    for (const [index, lane] of [1, 2, 0, 1, 2].entries()) {
      offer(String(index + 1), { publisher: clientOf(lane) });
    }
    await pass(300);
    expect(values().toSorted()).toEqual(['1', '2', '4', '5']);
    expect(first()).toBe(3);
    await restart();
    sink.stored.length = 0;
    sink.stuck.clear();
    bridge.apply([rule()]);
    await pass(300);
    expect(values().toSorted()).toEqual(['3', '4', '5']);
    expect(first()).toBe(6);
  });

  it('replays in order after a restart, live records behind', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offerMany(1, 1_000);
    await pass(200);
    expect(answers).toHaveLength(1_000);
    await restart();
    bridge.apply([rule()]);
    offerMany(1_001, 1_010);
    await pass(1_000);
    offerMany(1_011, 1_020);
    await pass(200);
    expect(values()).toEqual(numbers(1, 1_020));
    expect(events()).toContain('bridge-spool-replay');
    expect(counts).toEqual({ 'delivered/ok': 1_020 });
  });

  it('limits the replay when it is told to', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offerMany(1, 300);
    await pass(200);
    await restart({ replayRecordsPerSecond: 100 });
    bridge.apply([rule()]);
    await pass(1_000);
    expect(sink.stored.length).toBeGreaterThan(80);
    expect(sink.stored.length).toBeLessThan(120);
    offer('301');
    await pass(3_000);
    expect(values()).toEqual(numbers(1, 301));
  });

  it('holds no more in memory while the sink is away for long, and catches up in order', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    for (let round = 0; round < 30; round += 1) {
      offerMany(round * 200 + 1, round * 200 + 200, 1_000);
      await pass(100);
    }
    // Half of the buffer in the lanes, and the newest.
    expect(buffered).toBeLessThan(BUFFER_BYTES_MAX / 2 + 1_200_000);
    expect(answers).toHaveLength(6_000);
    expect(events()).toContain('bridge-spool-behind');
    sink.away = false;
    for (let round = 30; round < 40; round += 1) {
      offerMany(round * 200 + 1, round * 200 + 200, 1_000);
      await pass(300);
    }
    await pass(1_000);
    expect(values()).toEqual(numbers(1, 8_000));
    expect(events()).toContain('bridge-spool-caught-up');
    expect(buffered).toBe(0);
    expect(spool.bytes).toBe(0);
    const read = jest.spyOn(store, 'read');
    offer('8001');
    await pass(200);
    expect(values().at(-1)).toBe('8001');
    expect(read).not.toHaveBeenCalled();
  });

  it('stops without waiting for the sink, and keeps what it has', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offerMany(1, 10);
    await pass(100);
    let isClosed = false;
    void bridge.close().then(() => (isClosed = true));
    await pass(600);
    expect(isClosed).toBe(true);
    expect(spool.open('r1').records).toBe(10);
    expect(counts).toEqual({});
  });

  it('fails closed when the disk fails, and goes on when it works again', async () => {
    bridge.apply([rule()]);
    offer('1');
    await pass(200);
    store.fault = 'FAILED';
    offer('2');
    await pass(100);
    expect(answers).toEqual(['1:ok', '2:BRIDGE_UNAVAILABLE']);
    expect(bridge.status()).toMatchObject([
      { state: 'degraded', lastError: 'the spool fails: as the test wants it' },
    ]);
    store.fault = undefined;
    offer('3');
    await pass(11_000);
    expect(values()).toEqual(['1', '3']);
    expect(first()).toBe(4);
    expect(counts).toEqual({ 'delivered/ok': 2, 'failed/spool_failed': 1 });
    expect(events()).toEqual(
      expect.arrayContaining(['bridge-spool-failed', 'bridge-spool-recovered']),
    );
  });

  it('refuses with 0x97 what a full disk does not take', async () => {
    bridge.apply([rule()]);
    store.fault = 'FULL';
    offer('1');
    await pass(100);
    expect(answers).toEqual(['1:QUOTA_EXCEEDED']);
    expect(counts).toEqual({ 'failed/spool_full': 1 });
    expect(events()).toContain('bridge-spool-full');
  });

  describe('when the spool is full', () => {
    /** Room for some 90 records of 1,000 bytes. */
    async function full(onFull: SpoolLimits['onFull']): Promise<void> {
      await restart({ onFull }, 100_000);
      sink.away = true;
      bridge.apply([rule()]);
      await pass(100);
      for (let index = 1; index <= 200; index += 1) {
        offer(`${String(index)}${'.'.repeat(1_000)}`);
        if (index % 10 === 0) await pass(1);
      }
      await pass(100);
    }
    const codes = (code: string): number =>
      answers.filter((answer) => answer.endsWith(`:${code}`)).length;
    async function back(): Promise<void> {
      sink.away = false;
      await pass(3_000);
    }

    it('reject: refuses publishers and keeps what it has', async () => {
      await full('reject');
      const kept = codes('ok');
      expect(kept).toBeGreaterThan(50);
      expect(kept).toBeLessThan(100);
      expect(codes('QUOTA_EXCEEDED')).toBe(200 - kept);
      await back();
      expect(values()).toEqual(numbers(1, kept));
      offer('more');
      await pass(200);
      expect(answers.at(-1)).toBe('more:ok');
      expect(counts['failed/spool_full']).toBe(200 - kept);
    });

    it('drop-newest: acknowledges, counts and keeps what it has', async () => {
      await full('drop-newest');
      expect(codes('ok')).toBe(200);
      await back();
      expect(values()).toEqual(numbers(1, values().length));
      expect(values().length).toBeLessThan(100);
      expect(counts['dropped/spool_full']).toBe(200 - values().length);
    });

    it('drop-oldest: acknowledges, counts and keeps the newest', async () => {
      await full('drop-oldest');
      expect(codes('ok')).toBe(200);
      await back();
      const kept = values().map(Number);
      expect(kept.at(-1)).toBe(200);
      expect(kept).toEqual(kept.toSorted((one, other) => one - other));
      expect((counts['dropped/spool_full'] ?? 0) + kept.length).toBe(200);
    });

    it('block: lets publishers wait for room, and refuses them at the deadline', async () => {
      await full('block');
      const kept = codes('ok');
      expect(kept).toBeLessThan(100);
      expect(answers).toHaveLength(kept);
      await back();
      expect(codes('ok') + codes('QUOTA_EXCEEDED')).toBe(200);
      expect(values()).toEqual(numbers(1, codes('ok')));
      await full('block');
      await pass(2_000);
      expect(answers).toHaveLength(400);
      expect(codes('QUOTA_EXCEEDED')).toBeGreaterThan(100);
    });
  });

  it('holds to the bound of a rule', async () => {
    sink.away = true;
    bridge.apply([rule({ spool: { bytesMax: 5_000 } }), rule({ id: 'r2', filter: 'b' })]);
    for (let count = 0; count < 10; count += 1) offer('.'.repeat(1_000));
    await pass(100);
    expect(counts['failed/spool_full']).toBeGreaterThan(4);
    offer('.'.repeat(10_000), { topic: 'b' });
    await pass(100);
    expect(answers.at(-1)).toMatch(/:ok$/);
  });

  it('drops records that are too old when their turn comes', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offer('old');
    await pass(100);
    await restart({ ageSecondsMax: 60 });
    await pass(61_000);
    bridge.apply([rule()]);
    offer('new');
    await pass(300);
    expect(values()).toEqual(['new']);
    expect(counts).toEqual({ 'dropped/expired': 1, 'delivered/ok': 1 });
    expect(first()).toBe(3);
  });

  it('gives up what can never be delivered, and goes on', async () => {
    bridge.apply([rule()]);
    sink.away = true;
    sink.fault = 'TOO_LARGE';
    offer('1');
    await pass(100);
    sink.away = false;
    offer('2');
    await pass(200);
    expect(answers).toEqual(['1:ok', '2:ok']);
    expect(values()).toEqual(['2']);
    expect(counts).toEqual({ 'failed/too_large': 1, 'delivered/ok': 1 });
    expect(first()).toBe(3);
  });

  it('waits for a target that it names itself, for as long as records may live', async () => {
    sink.away = true;
    sink.fault = 'UNKNOWN_TARGET';
    bridge.apply([rule(), rule({ id: 'r2', topic: '${topic[1]}' })]);
    offer('1');
    await pass(20_000);
    expect(counts).toEqual({ 'failed/unknown_topic': 1 });
    sink.away = false;
    await pass(5_000);
    expect(values()).toEqual(['1']);
  });

  it('hands its log on when the rule changes, in order and once', async () => {
    bridge.apply([rule()]);
    offerMany(1, 100);
    bridge.apply([rule({ topic: 'elsewhere' })]);
    offerMany(101, 200);
    await pass(2_000);
    const of = (target: string): string[] =>
      sink.stored.filter((each) => each.target === target).map(({ value }) => String(value));
    expect(of('telemetry')).toEqual(numbers(1, 100));
    expect(of('elsewhere')).toEqual(numbers(101, 200));
  });

  it('empties its log also when the rule does not acknowledge from it any more', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offerMany(1, 10);
    await pass(100);
    await restart();
    bridge.apply([rule({ ack: 'kafka' })]);
    await pass(500);
    expect(values()).toEqual(numbers(1, 10));
  });

  it('removes the log of a rule that is gone, and keeps that of one that is off', async () => {
    sink.away = true;
    bridge.apply([rule(), rule({ id: 'r2', filter: 'b' })]);
    offer('1');
    offer('2', { topic: 'b' });
    await pass(100);
    bridge.apply([rule({ enabled: false })]);
    bridge.prune();
    await pass(10_000);
    expect(spool.rules()).toEqual(['r1']);
    expect(log.lines).toContainEqual({
      level: 'warn',
      event: 'bridge-spool-removed',
      fields: { rule: 'r2', records: 1, bytes: expect.any(Number) },
    });
    expect(counts).toEqual({ 'dropped/rule_removed': 1 });
  });

  it('sends what a removed rule has left before its log goes', async () => {
    sink.away = true;
    bridge.apply([rule()]);
    offerMany(1, 2_000);
    await pass(100);
    sink.away = false;
    bridge.apply([]);
    bridge.prune();
    await pass(6_000);
    expect(values()).toEqual(numbers(1, 2_000));
    expect(spool.rules()).toEqual([]);
    expect(events()).not.toContain('bridge-spool-removed');
  });
});

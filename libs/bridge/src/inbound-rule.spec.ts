import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  PublishError,
  type BridgeRecordCount,
  type InjectedMessage,
  type KafkaToMqttRule,
  type Meter,
} from '#libs/broker-ports';
import { inboundRule, RecordingLog } from '#libs/testkit';
import { BufferBudget } from './buffer-budget.ts';
import { DeadLetters } from './dead-letters.ts';
import { InboundRule, type InboundLink } from './inbound-rule.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';
import type { SourceHandler } from './source.ts';

const LIMITS = { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 };

const RULE = inboundRule({ mqttTopic: 'devices/${key}/${headers.kind}', retain: true });

/** A sink that keeps what it gets, or is away. */
class DeadLetterSink implements Sink {
  readonly stored: SinkRecord[] = [];
  away = false;
  closed = false;

  ping(): Promise<void> {
    return Promise.resolve();
  }

  lanes(): Promise<number> {
    return this.away ? Promise.reject(new SinkError('UNAVAILABLE', 'away')) : Promise.resolve(1);
  }

  send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    this.stored.push(...records);
    return Promise.resolve([lane]);
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {}

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

describe('InboundRule', () => {
  const headers = { kind: Buffer.from('reboot') };
  let rule: InboundRule;
  let handler: SourceHandler | undefined;
  let counts: Record<string, number>;
  let injected: InjectedMessage[];
  /** What the publish pipeline answers, by topic. */
  let refusals: Map<string, PublishError>;
  let resolved: string[];
  let log: RecordingLog;
  let meter: Meter;
  let clockMs: number;
  let wanted: string | undefined;

  beforeEach(async () => {
    counts = {};
    injected = [];
    refusals = new Map();
    resolved = [];
    log = new RecordingLog();
    const count = ({ bridge, outcome, reason, count: records }: BridgeRecordCount): void => {
      const name = `${bridge}/${outcome}/${reason}`;
      counts[name] = (counts[name] ?? 0) + records;
    };
    clockMs = 1_000;
    wanted = undefined;
    meter = new Proxy(
      {},
      { get: (_target, name) => (name === 'bridgeRecords' ? count : () => undefined) },
    ) as Meter;
    rule = await open();
  });

  /** Opens the rule, with changes. */
  async function open(
    changes: Partial<KafkaToMqttRule> = {},
    link: Partial<InboundLink> = {},
  ): Promise<InboundRule> {
    const opened = new InboundRule(
      { ...RULE, ...changes },
      {
        bridge: 'main',
        limits: { ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 1, batchBytesMax: 1 },
        budget: new BufferBudget(0),
        spool: undefined,
        moves: undefined,
        clock: { nowMs: () => clockMs, monotonicMs: () => clockMs },
        log,
        meter,
      },
      {
        open: (given) => {
          handler = given;
          return { close: () => Promise.resolve() };
        },
        after: Promise.resolve(),
        limits: LIMITS,
        inject: (message, done) => {
          injected.push(message);
          done(refusals.get(message.topic));
        },
        ...link,
      },
    );
    await Promise.resolve();
    return opened;
  }

  /** Lets records come, by their keys; returns how long the partition rests then. */
  async function batch(
    keys: readonly string[],
    { partition = 0, from = 7, value = Buffer.from('now') as Buffer | null, lag: behind = 0 } = {},
  ): Promise<number | undefined> {
    const records = keys.map((key, index) => ({
      offset: String(from + index),
      key: Buffer.from(key),
      value,
      headers,
      timestamp: '0',
    }));
    return handler?.batch({
      partition,
      records,
      lag: behind,
      active: () => true,
      resolve: (offset) => resolved.push(offset),
      heartbeat: () => Promise.resolve(),
    });
  }

  it('carries records', async () => {
    expect(rule.connected).toBe(false);
    handler?.joined();
    expect(rule.connected).toBe(true);
    expect(await batch(['d1'])).toBe(0);
    expect(await batch(['d2'], { value: null })).toBe(0);
    const message = { qos: 1, retain: true };
    expect(injected).toEqual([
      { ...message, topic: 'devices/d1/reboot', payload: Buffer.from('now') },
      { ...message, topic: 'devices/d2/reboot', payload: new Uint8Array(0) },
    ]);
    expect(resolved).toEqual(['7', '7']);
    expect(counts).toEqual({ 'main/delivered/ok': 2 });
    expect(log.lines).toEqual([]);
  });

  it('carries the records that `where` lets pass, with the payload that `value` gives', async () => {
    const where = 'payload.t > 30 and headers.kind = "reboot"';
    rule = await open({ where, value: '{"id": key, "at": partition & ":" & offset}' });
    expect(await batch(['d1'], { value: Buffer.from('{"t":31}') })).toBe(0);
    expect(await batch(['d1'], { from: 8, value: Buffer.from('{"t":30}') })).toBe(0);
    expect(await batch(['d1'], { from: 9, value: Buffer.from('warm') })).toBe(0);
    expect(injected.map(({ payload }) => String(payload))).toEqual(['{"id":"d1","at":"0:7"}']);
    expect(resolved).toEqual(['7', '8', '9']);
    expect(counts).toEqual({
      'main/delivered/ok': 1,
      'main/filtered/ok': 1,
      'main/failed/where_error': 1,
    });
    expect(log.of('bridge-record-skipped').map(({ fields }) => fields)).toMatchObject([
      { offset: '9', detail: 'where: the payload is not JSON (PAYLOAD_NOT_JSON)' },
    ]);
  });

  it('lets a record whose value cannot be made meet `onError`', async () => {
    const [sink, onError, deadLetterTopic] = [new DeadLetterSink(), 'dlq', 'dead'] as const;
    const deadLetters = new DeadLetters(sink, deadLetterTopic);
    rule = await open({ value: 'payload.missing', onError, deadLetterTopic }, { deadLetters });
    expect(await batch(['d1'], { value: Buffer.from('{}') })).toBe(0);
    expect(injected).toEqual([]);
    expect(counts).toEqual({ 'main/failed/value_error': 1 });
    expect(sink.stored[0]?.headers).toMatchObject({
      'skein-error-stage': 'value',
      'skein-error-reason': 'value_error',
    });
  });

  it('tells how far the worst partition is behind', async () => {
    refusals.set('devices/d2/reboot', new PublishError('STORE_UNAVAILABLE', 'Redis is away'));
    await batch(['d1'], { partition: 0, lag: 30 });
    await batch(['d2', 'd3'], { partition: 1, lag: 40 });
    expect(rule.lag).toBe(42);
    refusals.clear();
    await batch(['d2', 'd3'], { partition: 1 });
    expect(rule.lag).toBe(30);
  });

  it('skips records that can never be published, counts each and logs each kind once', async () => {
    refusals.set('devices/secret/reboot', new PublishError('NOT_AUTHORIZED', 'forbidden'));
    refusals.set('devices/new/reboot', new PublishError('QUOTA_EXCEEDED', 'no room'));
    expect(await batch(['#', 'a/b/c', 'secret', 'x'.repeat(65_535), 'd1', 'new'])).toBe(0);
    expect(await batch(['d1'], { value: Buffer.alloc(501) })).toBe(0);
    expect(await batch(['x'.repeat(800)], { value: Buffer.alloc(200) })).toBe(0);
    expect(resolved).toEqual(['12', '7', '7']);
    expect(injected.map(({ topic }) => topic)).toEqual([
      'devices/secret/reboot',
      'devices/d1/reboot',
      'devices/new/reboot',
    ]);
    expect(counts).toEqual({
      'main/delivered/ok': 1,
      'main/failed/invalid_topic': 3,
      'main/failed/too_large': 2,
      'main/failed/not_authorized': 1,
      'main/failed/other': 1,
    });
    const faults = log.of('bridge-record-skipped').map(({ fields }) => fields);
    expect(faults).toHaveLength(4);
    expect(faults[0]).toMatchObject({ rule: 'commands', partition: 0, offset: '7' });
  });

  it('does not hold up other keys for long', async () => {
    refusals.set('devices/d1/reboot', new PublishError('STORE_UNAVAILABLE', 'its node is away'));
    expect(await batch(['d1', 'd2'])).toBe(100);
    for (let again = 0; again < 7; again += 1) await batch(['d1', 'd2']);
    expect(await batch(['d1', 'd2', 'd3'])).toBe(1_000);
    expect(resolved).toEqual([]);
    refusals.clear();
    expect(await batch(['d1', 'd2', 'd3', 'd1'])).toBe(0);
    expect(resolved).toEqual(['10']);
    const carried = injected.map(({ topic }) => topic.split('/')[1]);
    expect(carried.filter((id) => id !== 'd1')).toEqual(['d2', 'd3']);
    handler?.joined();
    await batch(['d1', 'd2']);
    expect(injected).toHaveLength(carried.length + 2);
  });

  it('keeps a dead letter before it goes on, and rests when it cannot', async () => {
    const sink = new DeadLetterSink();
    sink.away = true;
    const deadLetters = new DeadLetters(sink, 'dead');
    rule = await open({ onError: 'dlq', deadLetterTopic: 'dead' }, { deadLetters });
    handler?.joined();
    expect(await batch(['d1', '#', 'd2'])).toBe(100);
    expect(resolved).toEqual(['7']);
    expect(rule.status()).toMatchObject({ state: 'degraded', lastError: 'away' });
    sink.away = false;
    expect(await batch(['#', 'd2'], { from: 8 })).toBe(0);
    expect(rule.status().state).toBe('running');
    expect(resolved.at(-1)).toBe('9');
    const carried = injected.map(({ topic }) => topic.split('/')[1]);
    expect(carried).toEqual(['d1', 'd2']);
    expect(sink.stored).toHaveLength(1);
    expect(sink.stored[0]).toMatchObject({
      target: 'dead',
      key: Buffer.from('#'),
      value: Buffer.from('now'),
      headers: {
        ...headers,
        'skein-rule': 'commands',
        'skein-error-stage': 'topic',
        'skein-error-reason': 'invalid_topic',
        'skein-topic': 'commands',
        'skein-partition': '0',
        'skein-offset': '8',
      },
    });
    expect(counts['main/failed/invalid_topic']).toBe(1);
    await rule.close();
    expect(sink.closed).toBe(true);
  });

  it('stops at poison, and goes on when it is none any more', async () => {
    rule = await open({ onError: 'stop' });
    handler?.joined();
    refusals.set('devices/d2/reboot', new PublishError('NOT_AUTHORIZED', 'forbidden'));
    expect(await batch(['d1', 'd2', 'd3'])).toBe(100);
    expect(await batch(['d2', 'd3'], { from: 8 })).toBe(200);
    expect(rule.status()).toEqual({
      id: 'commands',
      state: 'degraded',
      lastError: 'record 8 of partition 0: forbidden',
    });
    refusals.clear();
    expect(await batch(['d2', 'd3'], { from: 8 })).toBe(0);
    expect(rule.status().state).toBe('running');
    expect(counts).toEqual({ 'main/delivered/ok': 3 });
    expect(log.of('bridge-record-stops-rule')).toHaveLength(1);
  });

  it('begins nothing while there is no subscriber or the node is behind', async () => {
    let isBehind = true;
    let isWanted = false;
    await open(
      { startWhen: 'subscribers' },
      {
        isBehind: () => isBehind,
        mayWant: (filter) => {
          wanted = filter;
          return isWanted;
        },
      },
    );
    jest.useFakeTimers();
    try {
      const done = batch(['d1']);
      const pass = async (): Promise<void> => {
        clockMs += 1_000;
        await jest.advanceTimersByTimeAsync(500);
      };
      await pass();
      expect(wanted).toBeUndefined();
      isBehind = false;
      await pass();
      expect(wanted).toBe('devices/#');
      expect(injected).toEqual([]);
      isWanted = true;
      await pass();
      expect(await done).toBe(0);
    } finally {
      jest.useRealTimers();
    }
    expect(injected).toHaveLength(1);
    expect(log.lines.map(({ event, fields }) => [event, fields?.['awaits']])).toEqual([
      ['bridge-rule-waits', 'the node to catch up'],
      ['bridge-rule-waits', 'a subscriber'],
      ['bridge-rule-goes-on', undefined],
    ]);
  });

  it('lets a partition rest, longer each time, while its first record cannot be taken', async () => {
    refusals.set('devices/d2/reboot', new PublishError('STORE_UNAVAILABLE', 'Redis is away'));
    expect(await batch(['d1', 'd2', 'd3'])).toBe(100);
    const rests: unknown[] = [];
    for (let again = 0; again < 7; again += 1) rests.push(await batch(['d2', 'd3'], { from: 8 }));
    expect(rests).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(await batch(['d4'], { partition: 1 })).toBe(0);
    refusals.clear();
    expect(await batch(['d2', 'd3'], { from: 8 })).toBe(0);
    refusals.set('devices/d2/reboot', new PublishError('STORE_UNAVAILABLE', 'Redis is away'));
    expect(await batch(['d2'])).toBe(100);

    expect(resolved).toEqual(['7', '7', '9']);
    const times = (id: string) =>
      injected.filter(({ topic }) => topic === `devices/${id}/reboot`).length;
    expect([times('d1'), times('d2'), times('d3')]).toEqual([1, 10, 1]);
    expect(log.lines.map(({ level, event }) => `${level} ${event}`)).toEqual([
      'warn bridge-inject-refused',
      'info bridge-inject-restored',
      'warn bridge-inject-refused',
    ]);
    expect(log.lines[0]?.fields).toMatchObject({ partition: 0, error: 'Redis is away' });
  });
});

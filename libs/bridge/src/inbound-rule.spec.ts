import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  PublishError,
  type BridgeRecordCount,
  type InjectedMessage,
  type Meter,
} from '#libs/broker-ports';
import { RecordingLog } from '#libs/testkit';
import { BufferBudget } from './buffer-budget.ts';
import { InboundRule } from './inbound-rule.ts';
import type { SourceHandler } from './source.ts';

const LIMITS = { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 };

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
    const meter = new Proxy(
      {},
      { get: (_target, name) => (name === 'bridgeRecords' ? count : () => undefined) },
    ) as Meter;
    rule = new InboundRule(
      {
        id: 'commands',
        bridge: 'main',
        direction: 'kafka-to-mqtt',
        enabled: true,
        topic: 'commands',
        mqttTopic: 'devices/${key}/${headers.kind}',
        qos: 1,
        retain: true,
      },
      {
        bridge: 'main',
        limits: { ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 1, batchBytesMax: 1 },
        budget: new BufferBudget(0),
        spool: undefined,
        clock: Date.now,
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
      },
    );
    await Promise.resolve();
  });

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

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BridgeRecordCount, BridgeTestStep, Message, Meter } from '#libs/broker-ports';
import { messageOf, outboundRule, RecordingLog } from '#libs/testkit';
import { RuleBridge } from './rule-bridge.ts';
import type { Sink, SinkRecord } from './sink.ts';

const LIMITS = {
  ackTimeoutMs: 1_000,
  lingerMs: 0,
  batchRecordsMax: 100,
  batchBytesMax: 100_000,
  bufferBytesMax: 1_000_000,
};

const RULE = outboundRule({ filter: '#' });

/** A sink that takes everything. */
class MemorySink implements Sink {
  readonly stored: SinkRecord[] = [];

  ping(): Promise<void> {
    return Promise.resolve();
  }

  lanes(): Promise<number> {
    return Promise.resolve(1);
  }

  send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    this.stored.push(...records);
    return Promise.resolve([lane]);
  }

  renew(): void {}

  async *test(): AsyncGenerator<BridgeTestStep> {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('rules with expressions', () => {
  let sink: MemorySink;
  let counts: Record<string, number>;
  let answers: string[];
  let log: RecordingLog;
  let bridge: RuleBridge;

  beforeEach(() => {
    jest.useFakeTimers();
    sink = new MemorySink();
    counts = {};
    answers = [];
    log = new RecordingLog();
    const add = (name: string, count = 1): void => {
      counts[name] = (counts[name] ?? 0) + count;
    };
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeRecords: ({ outcome, reason, count }: BridgeRecordCount) =>
        add(`${outcome}/${reason}`, count),
      bridgeRuleMatched: () => add('matched'),
      bridgeRuleError: (_rule: string, stage: string) => add(`stage ${stage}`),
      bridgeTransformed: () => add('transformed'),
    };
    bridge = new RuleBridge({
      connectors: [
        { id: 'main', kind: 'kafka', brokers: [], clientId: 'skein', compression: 'none' },
      ],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: () => sink }],
      sources: [],
      limits: LIMITS,
      inject: (_message, done) => done(),
      usernameOf: (clientId) => (clientId === 'dev-7' ? 'bob' : undefined),
      messageLimits: { topicLevelsMax: 9, packetBytesMax: 9, retainedMessageBytesMax: 9 },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log,
      meter: new Proxy({}, { get: (_target, name) => told[name] ?? (() => undefined) }) as Meter,
    });
  });

  afterEach(async () => {
    const closed = bridge.close();
    await jest.advanceTimersByTimeAsync(10_000);
    await closed;
    jest.useRealTimers();
  });

  async function offer(payload: string, changes: Partial<Message> = {}): Promise<void> {
    const message = messageOf({
      topic: 'site/berlin/dev-7',
      publisher: 'dev-7',
      payload: Buffer.from(payload),
      ...changes,
    });
    bridge.offer(message, (error) => answers.push(error?.code ?? 'ok'));
    await jest.advanceTimersByTimeAsync(10);
  }

  const values = (): string[] => sink.stored.map(({ value }) => value.toString());

  it('carry what `where` lets pass; the rest is not of the rule', async () => {
    bridge.apply([{ ...RULE, where: 'payload.t > 30' }]);
    await offer('{"t":31}');
    await offer('{"t":30}');
    await offer('{}');
    await offer('{"t":20}', { qos: 0 });
    expect(values()).toEqual(['{"t":31}']);
    expect(answers).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(counts).toEqual({ 'delivered/ok': 1, 'filtered/ok': 3, matched: 1, transformed: 4 });
  });

  it('see who published, with which user name and where', async () => {
    bridge.apply([{ ...RULE, where: 'username = "bob" and clientId = "dev-7" and qos = 1' }]);
    await offer('1');
    await offer('2', { publisher: 'dev-8' });
    expect(values()).toEqual(['1']);
  });

  it('write the value that `value` gives: text, an object, bytes', async () => {
    bridge.apply([
      { ...RULE, filter: 'text', value: '"t=" & payload.t' },
      { ...RULE, id: 'r2', filter: 'json', value: '{"t": payload.t, "by": clientId}' },
      { ...RULE, id: 'r3', filter: 'bytes', value: '$bytes(payload.frame)' },
    ]);
    await offer('{"t":1}', { topic: 'text' });
    await offer('{"t":1}', { topic: 'json' });
    await offer('{"frame":"AP8="}', { topic: 'bytes' });
    expect(sink.stored.map(({ value }) => value)).toEqual([
      Buffer.from('t=1'),
      Buffer.from('{"t":1,"by":"dev-7"}'),
      Buffer.from([0, 255]),
    ]);
  });

  it('share the document of a message, each with its own answer', async () => {
    bridge.apply([
      { ...RULE, where: 'payload.t > 1', value: '"first"' },
      { ...RULE, id: 'r2', where: 'payload.t > 2', value: '"second"' },
      { ...RULE, id: 'r3' },
    ]);
    await offer('{"t":2}');
    expect(values().toSorted()).toEqual(['first', '{"t":2}'].toSorted());
    expect(answers).toEqual(['ok']);
  });

  it('refuse at once what an expression has no answer for, and say why once', async () => {
    bridge.apply([{ ...RULE, where: 'payload.t > 30', value: 'payload.name' }]);
    await offer('no JSON');
    await offer('{"t":"warm"}');
    await offer('{"t":31}');
    await offer('{"t":32}');
    await offer('secret', { qos: 0 });
    expect(values()).toEqual([]);
    expect(answers).toEqual([...Array.from({ length: 4 }, () => 'BRIDGE_UNAVAILABLE'), 'ok']);
    expect(counts).toEqual({
      'failed/where_error': 2,
      'failed/value_error': 2,
      'dropped/where_error': 1,
      'stage where': 3,
      'stage value': 2,
      matched: 5,
      transformed: 5,
    });
    expect(log.of('bridge-records-failed').map(({ fields }) => fields)).toEqual([
      {
        ...{ rule: 'r1', fault: 'where_error' },
        error: expect.stringContaining('(PAYLOAD_NOT_JSON)'),
      },
      { rule: 'r1', fault: 'value_error', error: expect.stringContaining('(RESULT_MISSING)') },
    ]);
  });

  it('are bounded, in steps or in time', async () => {
    bridge.apply([{ ...RULE, value: '$sum([1..10000].($ * $count([1..100])))' }]);
    await offer('1');
    expect(answers).toEqual(['BRIDGE_UNAVAILABLE']);
    expect(log.of('bridge-records-failed')[0]?.fields).toMatchObject({
      error: expect.stringMatching(/\(LIMIT_(?:STEPS|TIME)\)/),
    });
  });

  it('do not run with an expression that does not compile', async () => {
    const bad = { ...RULE, where: 'payload.t >' };
    expect(bridge.ruleFault(bad)).toMatch(/^where, character \d+: .*the expression ends too early/);
    expect(bridge.ruleFault({ ...RULE, value: 'temperature' })).toMatch(
      /^value, character 11: messages have no temperature; write payload\.temperature/,
    );
    bridge.apply([bad]);
    await offer('1');
    expect(answers).toEqual(['ok']);
    expect(bridge.status()).toMatchObject([
      { id: 'r1', state: 'stopped', lastError: expect.stringMatching(/^where, /) },
    ]);
  });
});

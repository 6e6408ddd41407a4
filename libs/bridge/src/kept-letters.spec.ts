import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  StoreUnavailableError,
  type DeadLetter,
  type KeptDeadLetter,
  type Meter,
  type MqttToKafkaRule,
  type Spool,
} from '#libs/broker-ports';
import { messageOf, openMemorySpool, outboundRule, RecordingLog } from '#libs/testkit';
import { RuleBridge } from './rule-bridge.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';

const CONNECTOR = {
  ...{ id: 'a', kind: 'kafka' as const, brokers: ['127.0.0.1:1'], clientId: 'skein' },
  compression: 'none' as const,
};

function ruleOf(changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
  return outboundRule({
    ...{ id: 'r', bridge: 'a', filter: 'a/#', topic: 't', ack: 'spool', keepDeadLetters: true },
    ...changes,
  });
}

describe('RuleBridge that keeps dead letters itself', () => {
  let kept: DeadLetter[];
  let isStoreAway: boolean;
  let dropped: number;
  /** `target:value` in the order of their storing. */
  let stored: string[];
  let headers: SinkRecord['headers'][];
  let answers: string[];
  let refused: Set<string>;
  let counts: Record<string, number>;
  let spool: Spool;
  let bridge: RuleBridge;

  const open = () =>
    new RuleBridge({
      connectors: [CONNECTOR],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: () => sink }],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 1, batchBytesMax: 10_000_000 },
        bufferBytesMax: 10_000_000,
      },
      spool: {
        spool,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0 },
      },
      letters: {
        store: {
          append: async (letters) => {
            if (isStoreAway) throw new StoreUnavailableError('away');
            kept.push(...letters);
            return letters.length > 0 ? 2 : 0;
          },
        },
        meter: { bridgeDeadLettersDropped: (records) => (dropped += records) },
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log: new RecordingLog(),
      meter: new Proxy(
        {},
        {
          get: (_, name) =>
            name === 'bridgeDeadLetters'
              ? (_bridge: string, records: number) =>
                  (counts['letters'] = (counts['letters'] ?? 0) + records)
              : () => undefined,
        },
      ) as Meter,
    });

  const sink: Sink = {
    ping: async () => undefined,
    lanes: async () => 1,
    send: async (target, lane, records) => {
      for (const { value } of records) {
        if (refused.has(value.toString())) throw new SinkError('REJECTED', 'will not');
      }
      stored.push(...records.map(({ value }) => `${target}:${value.toString()}`));
      headers.push(...records.map((record) => record.headers));
      return [lane];
    },
    test: async function* () {
      yield { step: 'dns', ok: true, ms: 1, detail: '' };
    },
    renew: () => undefined,
    close: async () => undefined,
  };

  beforeEach(async () => {
    jest.useFakeTimers();
    [kept, stored, headers, answers] = [[], [], [], []];
    [refused, counts] = [new Set(['bad']), {}];
    isStoreAway = false;
    dropped = 0;
    spool = await openMemorySpool(Infinity);
    bridge = open();
  });

  afterEach(async () => {
    const closed = bridge.close();
    await pass(10_000);
    await closed;
    jest.useRealTimers();
  });

  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  function offer(text: string): void {
    const message = messageOf({
      ...{ topic: 'a/b', publisher: 'c', qos: 1, payload: Buffer.from(text) },
      ...{ receivedAtMs: Date.now(), source: { nodeId: 'n-1', incarnation: 7 }, sequence: 9 },
      properties: { contentType: 'x', userProperties: [['k', 'v']] },
    });
    bridge.offer(message, (error) => answers.push(`${text}:${error?.code ?? 'ok'}`));
  }

  const keptOf = (index: number): KeptDeadLetter => {
    const letter = kept[index];
    if (letter === undefined) throw new Error('there is no such letter');
    return { ...letter, id: `1-${index}`, atMs: 1 };
  };

  const replay = (letter: KeptDeadLetter) =>
    bridge.replay(letter, (error) => answers.push(`replay:${error?.code ?? 'ok'}`));

  it('keeps what the other side refuses, and goes on with the rest', async () => {
    bridge.apply([ruleOf()]);
    for (const text of ['1', 'bad', '2']) offer(text);
    await pass(500);
    expect(answers).toEqual(['1:ok', 'bad:ok', '2:ok']);
    expect(stored).toEqual(['t:1', 't:2']);
    expect(kept).toMatchObject([
      {
        ...{ bridge: 'a', rule: 'r', stage: 'produce', reason: 'other', error: 'will not' },
        ...{ target: 't', value: Buffer.from('bad').toString('base64') },
        headers: { 'mqtt-topic': 'a/b', 'mqtt-client-id': 'c', 'up.k': ['v'] },
      },
    ]);
    expect(Object.keys(kept[0]?.headers ?? {}).filter((name) => name.startsWith('skein'))).toEqual(
      [],
    );
    expect([counts['letters'], dropped]).toEqual([1, 2]);
    expect(spool.open('r').records).toBe(0);
  });

  it('waits for the store, and loses nothing when the node stops meanwhile', async () => {
    isStoreAway = true;
    bridge.apply([ruleOf()]);
    offer('bad');
    await pass(2_000);
    expect(answers).toEqual(['bad:ok']);
    expect(bridge.status()).toMatchObject([{ state: 'degraded' }]);
    const closed = bridge.close();
    await pass(10_000);
    await closed;
    expect([kept.length, spool.open('r').records]).toEqual([0, 1]);
    isStoreAway = false;
    bridge = open();
    bridge.apply([ruleOf()]);
    await pass(2_000);
    expect(kept).toMatchObject([{ reason: 'other' }]);
    expect(spool.open('r').records).toBe(0);
  });

  it('gives a letter back to the rule that was mended, as the same message', async () => {
    bridge.apply([ruleOf({ value: '{"n": $number(payload.n)}' })]);
    offer('{"n":"x"}');
    await pass(500);
    expect(kept).toMatchObject([{ stage: 'value', reason: 'value_error' }]);
    bridge.apply([ruleOf({ value: '{"s": payload.n}', topic: 'u' })]);
    await pass(500);
    expect(replay(keptOf(0))).toBe('begun');
    await pass(500);
    expect(stored).toEqual(['u:{"s":"x"}']);
    expect(headers[0]).toMatchObject({
      'mqtt-msg-id': 'n-1-7-9',
      'content-type': 'x',
      'up.k': ['v'],
      'mqtt-client-id': 'c',
    });
    expect(answers.at(-1)).toBe('replay:ok');
  });

  it('sends again the value that was made, where the other side has refused it', async () => {
    refused.add('{"n":1}');
    bridge.apply([ruleOf({ value: '{"n": payload}' })]);
    offer('1');
    await pass(500);
    expect(kept).toMatchObject([{ stage: 'produce' }]);
    refused.clear();
    expect(replay(keptOf(0))).toBe('begun');
    await pass(500);
    expect(stored).toEqual(['t:{"n":1}']);
  });

  it('keeps what cannot be replayed, and says why', async () => {
    bridge.apply([ruleOf()]);
    offer('bad');
    offer('x'.repeat(600_000));
    refused.add('x'.repeat(600_000));
    await pass(500);
    expect(kept).toMatchObject([{}, { valueBytes: 600_000 }]);
    expect(replay(keptOf(1))).toBe('cut');
    expect(replay({ ...keptOf(0), headers: {} })).toBe('unreadable');
    expect(replay({ ...keptOf(0), rule: 'other' })).toBe('idle');
    bridge.apply([ruleOf({ where: 'false' })]);
    await pass(500);
    expect(replay({ ...keptOf(0), stage: 'where' })).toBe('filtered');
    bridge.apply([ruleOf({ enabled: false })]);
    expect(replay(keptOf(0))).toBe('idle');
  });

  it('is no place that a device may name', async () => {
    bridge.apply([ruleOf({ topic: '${payload}' })]);
    offer('\0kept');
    await pass(500);
    expect(kept).toMatchObject([{ reason: 'invalid_topic', stage: 'topic' }]);
    offer('\0kept');
    await pass(500);
    expect(kept).toMatchObject([{}, { reason: 'invalid_topic' }]);
  });

  it('takes the place of one on the other side', () => {
    expect(bridge.ruleFault(ruleOf({ deadLetterTopic: 'dlq' }))).toBe(
      'keepDeadLetters: takes the place of deadLetterTopic; remove one',
    );
    expect(bridge.ruleFault(ruleOf())).toBeUndefined();
  });
});

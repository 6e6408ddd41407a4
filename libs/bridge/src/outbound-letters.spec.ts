import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { MqttToKafkaRule } from '#libs/broker-ports';
import { SpoolingBridge, spoolingRule } from '#libs/testkit';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';

/** A sink that refuses batches by what is in them, and targets by their names. */
class FaultySink implements Sink {
  readonly stored: SinkRecord[] = [];
  readonly sent: string[] = [];
  readonly missing = new Set<string>();
  /** What is wrong with a record. */
  faultOf: (record: SinkRecord) => SinkError['code'] | undefined = () => undefined;

  async ping(): Promise<void> {}

  async lanes(target: string): Promise<number> {
    if (this.missing.has(target)) throw new SinkError('UNKNOWN_TARGET', `no ${target}`);
    return 2;
  }

  async send(target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    this.sent.push(target);
    for (const record of records) {
      const fault = this.faultOf(record);
      if (fault !== undefined) throw new SinkError(fault, `it says ${fault}`);
    }
    this.stored.push(...records);
    return [lane];
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {}

  async close(): Promise<void> {}
}

describe.each(['kafka', 'spool'] as const)('dead letters of a rule with ack: %s', (ack) => {
  let bench: SpoolingBridge<FaultySink>;
  let sink: FaultySink;
  let answers: string[];
  let counts: Record<string, number>;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new FaultySink());
    ({ sink, answers, counts } = bench);
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  function rule(changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
    return spoolingRule({ headers: { site: 'north' }, deadLetterTopic: 'dead', ack, ...changes });
  }

  const of = (target: string): string[] =>
    sink.stored.filter((record) => record.target === target).map(({ value }) => String(value));
  const letters = (): SinkRecord[] => sink.stored.filter(({ target }) => target === 'dead');
  const waiting = (): number => bench.spool.open('r1').records;

  it.each([
    ['TOO_LARGE', 'too_large'],
    ['REJECTED', 'other'],
    ['NOT_AUTHORIZED', 'not_authorized'],
  ] as const)(
    'takes what its target refuses (%s), and tells why and what it was',
    async (code, reason) => {
      sink.faultOf = ({ target, value }) =>
        target === 'telemetry' && String(value) === 'bad' ? code : undefined;
      bench.bridge.apply([rule()]);
      bench.offer('bad', { publisher: 'c1' });
      await bench.pass(200);
      bench.offer('good');
      await bench.pass(200);
      expect(of('telemetry')).toEqual(['good']);
      expect(answers).toEqual(['bad:ok', 'good:ok']);
      expect(letters()).toMatchObject([
        {
          key: Buffer.from('c1'),
          value: Buffer.from('bad'),
          headers: {
            'mqtt-topic': 'a/b',
            'mqtt-client-id': 'c1',
            site: 'north',
            'skein-rule': 'r1',
            'skein-error': `it says ${code}`,
            'skein-error-stage': 'produce',
            'skein-error-reason': reason,
            'skein-target': 'telemetry',
          },
        },
      ]);
      expect(counts).toEqual({
        ...{ 'delivered/ok': 1, [`failed/${reason}`]: 1, letters: 1, 'stage produce': 1 },
      });
      expect(waiting()).toBe(0);
    },
  );

  it('takes a message whose topic would be illegal or is not allowed, and one without a partition', async () => {
    bench.bridge.apply([
      rule({ topic: '${topic[1]}', allowTopics: ['b'], partition: '${payload}' }),
    ]);
    bench.offer('1', { topic: 'a/x' });
    bench.offer('none', { topic: 'a/b' });
    bench.offer('2', { topic: 'a/b' });
    await bench.pass(200);
    expect(answers.toSorted()).toEqual(['1:ok', '2:ok', 'none:ok']);
    expect(of('b')).toEqual(['2']);
    const told = letters().map(
      ({ value, headers }) =>
        `${String(value)} ${String(headers['skein-error-stage'])} ${String(headers['skein-target'])}`,
    );
    expect(told.toSorted()).toEqual(['1 topic x', 'none template b']);
    expect(counts).toMatchObject({ 'failed/invalid_topic': 1, 'failed/template_error': 1 });
  });

  it('takes a message for which an expression has no answer, with its payload', async () => {
    bench.bridge.apply([rule({ where: 'payload.t > 30' })]);
    bench.offer('no JSON');
    await bench.pass(200);
    expect(answers).toEqual(['no JSON:ok']);
    expect(letters()).toMatchObject([
      {
        value: Buffer.from('no JSON'),
        headers: {
          'skein-error': expect.stringContaining('(PAYLOAD_NOT_JSON)'),
          'skein-error-stage': 'where',
          'skein-error-reason': 'where_error',
          'skein-target': 'telemetry',
        },
      },
    ]);
  });

  it('does not let a device write to the topic of dead letters when the rule may not', async () => {
    bench.bridge.apply([rule({ topic: '${topic[1]}', allowTopics: ['b'] })]);
    bench.offer('1', { topic: 'a/x' });
    await bench.pass(200);
    bench.offer('2', { topic: 'a/dead' });
    await bench.pass(200);
    expect(letters().map(({ headers }) => headers['skein-target'])).toEqual(['x', 'dead']);
  });

  it('takes what a device named a missing topic for, when that was waited for', async () => {
    sink.missing.add('none');
    bench.bridge.apply([rule({ topic: '${topic[1]}' })]);
    bench.offer('1', { topic: 'a/none' });
    bench.offer('2', { topic: 'a/some' });
    await bench.pass(5_000);
    expect(of('some')).toEqual(['2']);
    expect(of('dead')).toEqual(['1']);
    expect(counts).toMatchObject({ 'failed/unknown_topic': 1, 'delivered/ok': 1, letters: 1 });
  });

  it('answers no publisher, and forgets nothing, before the dead letter is stored', async () => {
    let isAway = true;
    sink.faultOf = ({ target }) => {
      if (target === 'telemetry') return 'TOO_LARGE';
      return isAway ? 'UNAVAILABLE' : undefined;
    };
    bench.bridge.apply([rule()]);
    bench.offer('1');
    await bench.pass(500);
    expect(answers).toEqual(ack === 'spool' ? ['1:ok'] : []);
    expect(waiting()).toBe(ack === 'spool' ? 1 : 0);
    isAway = false;
    await bench.pass(2_000);
    expect(of('dead')).toEqual(['1']);
    expect(waiting()).toBe(0);
    expect(answers).toEqual(['1:ok']);
  });

  it('cuts a dead letter that is too large itself, and says so', async () => {
    sink.faultOf = ({ value }) => (value.length > 2_000 ? 'TOO_LARGE' : undefined);
    bench.bridge.apply([rule()]);
    bench.offer('x'.repeat(5_000));
    await bench.pass(300);
    expect(answers).toEqual([`${'x'.repeat(5_000)}:ok`]);
    expect(letters()).toHaveLength(1);
    expect(letters()[0]?.value).toHaveLength(1_024);
    expect(letters()[0]?.headers).toMatchObject({
      'skein-value-bytes': '5000',
      'skein-error-reason': 'too_large',
      'mqtt-topic': 'a/b',
    });
    expect(letters()[0]?.headers).not.toHaveProperty('site');
  });

  it.each(['NOT_AUTHORIZED', 'TOO_LARGE'] as const)(
    'gives up a dead letter that is refused (%s), after a bounded number of attempts',
    async (code) => {
      sink.faultOf = ({ target, value }) =>
        String(value).startsWith('bad') ? (target === 'dead' ? code : 'REJECTED') : undefined;
      bench.bridge.apply([rule()]);
      for (let index = 0; index < 5; index += 1) {
        bench.offer(`bad ${String(index)}`);
        await bench.pass(200);
      }
      bench.offer('good');
      await bench.pass(300);
      expect(of('telemetry')).toEqual(['good']);
      expect(sink.sent.filter((target) => target === 'dead')).toHaveLength(
        code === 'TOO_LARGE' ? 10 : 5,
      );
      expect(counts).toEqual({ 'delivered/ok': 1, 'dropped/dead_letter': 5, 'stage produce': 5 });
      expect(bench.events.filter((event) => event === 'bridge-dead-letters-lost')).toHaveLength(1);
      expect(bench.bridge.status()).toMatchObject([
        { state: 'degraded', lastError: expect.stringContaining('dead letters are lost: dead: ') },
      ]);
      expect(answers.includes('bad 0:ok')).toBe(ack === 'spool');
      expect(waiting()).toBe(0);
      await bench.pass(20_000);
      expect(bench.events).toContain('bridge-dead-letters-lost-over');
      expect(bench.bridge.status()).toMatchObject([{ state: 'running' }]);
    },
  );

  it('gives up dead letters whose topic is missing, and takes them once it is there', async () => {
    sink.faultOf = ({ target, value }) =>
      target === 'telemetry' && String(value).startsWith('bad') ? 'REJECTED' : undefined;
    sink.missing.add('dead');
    bench.bridge.apply([rule()]);
    bench.offer('bad 1');
    bench.offer('good 1');
    await bench.pass(3_000);
    expect(counts).toMatchObject({ 'dropped/dead_letter': 1, 'delivered/ok': 1 });
    sink.missing.delete('dead');
    await bench.pass(1_000);
    bench.offer('bad 2');
    await bench.pass(1_000);
    expect(of('dead')).toEqual(['bad 2']);
    expect(waiting()).toBe(0);
  });

  it('without a topic for them: counts, tells once, and answers as before', async () => {
    sink.faultOf = ({ value }) => (String(value).startsWith('bad') ? 'REJECTED' : undefined);
    const { deadLetterTopic: _, ...without } = rule();
    bench.bridge.apply([without]);
    for (let index = 0; index < 3; index += 1) bench.offer(`bad ${String(index)}`);
    await bench.pass(1_000);
    expect(counts).toEqual({ 'failed/other': 3, 'stage produce': 3 });
    expect(bench.events.filter((event) => event === 'bridge-records-failed')).toHaveLength(1);
    const answer = ack === 'spool' ? 'ok' : 'BRIDGE_UNAVAILABLE';
    expect(answers).toEqual([0, 1, 2].map((index) => `bad ${String(index)}:${answer}`));
  });

  it('keeps the order of each key among dead letters', async () => {
    sink.faultOf = ({ target }) => (target === 'telemetry' ? 'REJECTED' : undefined);
    bench.bridge.apply([rule()]);
    for (let index = 0; index < 60; index += 1) {
      bench.offer(String(index), { publisher: `c${String(index % 3)}` });
      if (index % 7 === 0) await bench.pass(5);
    }
    await bench.pass(2_000);
    for (const key of ['c0', 'c1', 'c2']) {
      const numbers = letters()
        .filter((letter) => String(letter.key) === key)
        .map(({ value }) => Number(value));
      expect(numbers).toHaveLength(20);
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    }
  });

  if (ack === 'spool') {
    it('tries a record again after a restart whose dead letter was not stored', async () => {
      sink.faultOf = ({ target }) => (target === 'dead' ? 'UNAVAILABLE' : 'TOO_LARGE');
      bench.bridge.apply([rule()]);
      bench.offer('1');
      bench.offer('2', { topic: 'a/b' });
      await bench.pass(300);
      await bench.restart();
      sink.faultOf = ({ target }) => (target === 'dead' ? undefined : 'TOO_LARGE');
      bench.bridge.apply([rule()]);
      await bench.pass(500);
      expect(of('dead')).toEqual(['1', '2']);
      expect(waiting()).toBe(0);
    });

    it('takes a record of the spool that cannot be read as it is', async () => {
      bench.spool.open('r1').append(Buffer.from('not a record'), Date.now(), () => undefined);
      bench.bridge.apply([rule()]);
      bench.offer('1');
      await bench.pass(500);
      expect(of('telemetry')).toEqual(['1']);
      expect(letters()).toMatchObject([
        {
          value: Buffer.from('not a record'),
          headers: { 'skein-error-stage': 'spool', 'skein-error-reason': 'spool_damaged' },
        },
      ]);
      expect(counts).toMatchObject({ 'failed/spool_damaged': 1, letters: 1 });
      expect(waiting()).toBe(0);
    });

    it('sends dead letters that wait in the spool where they were to go, whatever the rule says by now', async () => {
      sink.faultOf = () => 'UNAVAILABLE';
      bench.bridge.apply([rule({ topic: '${topic[1]}', allowTopics: ['b'] })]);
      bench.offer('1', { topic: 'a/x' });
      await bench.pass(300);
      const { deadLetterTopic: _, ...without } = rule({ allowTopics: ['telemetry'] });
      bench.bridge.apply([without]);
      sink.faultOf = () => undefined;
      await bench.pass(10_000);
      expect(of('dead')).toEqual(['1']);
      expect(counts).toMatchObject({ 'failed/invalid_topic': 1, letters: 1 });
    });
  }
});

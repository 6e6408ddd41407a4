import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Kafka } from 'kafkajs';
import { KafkaSink } from './kafka-sink.ts';

/** A request that a producer has under way. */
interface Request {
  readonly producer: number;
  readonly lane: string;
  readonly answer: () => void;
  readonly fail: (type: string, retriable?: boolean) => void;
}

interface Connecting {
  readonly pass: () => void;
  readonly fail: (error: Error) => void;
}

/** One of the client's, of which the spec gives the answers. Producers are numbered as they are made. */
class HandKafka {
  readonly connects: Connecting[] = [];
  readonly requests: Request[] = [];
  readonly gone: number[] = [];
  connectsByItself = true;

  producer() {
    const producer = this.connects.length;
    return {
      connect: () =>
        new Promise<void>((pass, fail) => {
          this.connects.push({ pass, fail });
          if (this.connectsByItself) pass();
        }),
      send: ({ topic, messages }: { topic: string; messages: { partition: number }[] }) =>
        new Promise((resolve, reject) => {
          const partition = messages[0]?.partition ?? 0;
          this.requests.push({
            producer,
            lane: `${topic}/${String(partition)}`,
            answer: () => resolve([{ topicName: topic, partition, errorCode: 0 }]),
            fail: (type, retriable = true) =>
              reject(Object.assign(new Error(type), { type, retriable })),
          });
        }),
      disconnect: async () => void this.gone.push(producer),
    };
  }

  /** The request of a lane that is under way. */
  async request(lane: string): Promise<Request> {
    for (let turn = 0; turn < 3; turn += 1) {
      const index = this.requests.findIndex((request) => request.lane === lane);
      if (index >= 0) return this.requests.splice(index, 1)[0] as Request;
      await settled();
    }
    throw new Error(`nothing is on its way to ${lane}`);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('KafkaSink', () => {
  let kafka: HandKafka;
  let sink: KafkaSink;

  beforeEach(() => {
    kafka = new HandKafka();
    sink = new KafkaSink(
      kafka as unknown as Kafka,
      { id: 'main', kind: 'kafka', brokers: [], clientId: 'c', compression: 'none' },
      {},
    );
  });

  function send(topic: string, partition: number): Promise<readonly number[]> {
    const record = { target: topic, key: Buffer.of(1), value: Buffer.of(1), headers: {} };
    return sink.send(topic, partition, [{ ...record, timestampMs: 1 }]);
  }

  it('keeps the producer that took the place of one that never connected', async () => {
    kafka.connectsByItself = false;
    const first = send('t', 0);
    sink.renew('t', 1);
    const second = send('t', 1);
    kafka.connects[1]?.pass();
    (await kafka.request('t/1')).answer();
    await second;
    kafka.connects[0]?.fail(new Error('timed out'));
    await expect(first).rejects.toThrow('timed out');
    const third = send('t', 0);
    const request = await kafka.request('t/0');
    expect(request.producer).toBe(1);
    request.answer();
    await third;
    await sink.close();
  });

  it('connects anew when a producer did not connect', async () => {
    kafka.connectsByItself = false;
    const first = send('t', 0);
    kafka.connects[0]?.fail(new Error('refused'));
    await expect(first).rejects.toThrow('refused');
    kafka.connectsByItself = true;
    const second = send('t', 0);
    const request = await kafka.request('t/0');
    expect(request.producer).toBe(1);
    request.answer();
    await second;
    await sink.close();
  });

  it('cuts no request of another lane when one takes a new producer, and repeats it with the old one', async () => {
    const other = send('t', 1);
    const underWay = await kafka.request('t/1');
    const broken = send('t', 0);
    (await kafka.request('t/0')).fail('OUT_OF_ORDER_SEQUENCE_NUMBER', false);
    await expect(broken).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const again = send('t', 0);
    const next = await kafka.request('t/0');
    expect([underWay.producer, next.producer, kafka.gone]).toEqual([0, 1, []]);
    next.answer();
    await again;
    underWay.fail('REQUEST_TIMED_OUT');
    await expect(other).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const repeated = send('t', 1);
    const repeat = await kafka.request('t/1');
    expect([repeat.producer, kafka.gone]).toEqual([0, []]);
    repeat.answer();
    await repeated;
    await settled();
    expect(kafka.gone).toEqual([0]);
    const after = send('t', 1);
    const last = await kafka.request('t/1');
    expect(last.producer).toBe(1);
    last.answer();
    await after;
    await sink.close();
  });

  it('gives a lane that gives up a new producer, and leaves that of the others', async () => {
    const given = send('t', 0);
    (await kafka.request('t/0')).fail('REQUEST_TIMED_OUT');
    await expect(given).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const other = send('t', 1);
    const underWay = await kafka.request('t/1');
    sink.renew('t', 0);
    const next = send('t', 0);
    const request = await kafka.request('t/0');
    await settled();
    expect([underWay.producer, request.producer, kafka.gone]).toEqual([0, 1, []]);
    request.answer();
    underWay.answer();
    await Promise.all([next, other]);
    await settled();
    expect(kafka.gone).toEqual([0]);
    await sink.close();
  });

  it('tries a topic that is missing with producers of its own, until it is there', async () => {
    const attempt = async (type?: string): Promise<number> => {
      const sent = send('missing', 0).catch(() => undefined);
      const request = await kafka.request('missing/0');
      if (type === undefined) request.answer();
      else request.fail(type);
      await sent;
      return request.producer;
    };
    const healthy = async (): Promise<number> => {
      const sent = send('t', 0);
      const request = await kafka.request('t/0');
      request.answer();
      await sent;
      return request.producer;
    };
    expect(await healthy()).toBe(0);
    // The client asks for the topic from now on, and fails for all others.
    expect(await attempt('UNKNOWN_TOPIC_OR_PARTITION')).toBe(0);
    expect(await healthy()).toBe(1);
    expect(await attempt('UNKNOWN_TOPIC_OR_PARTITION')).toBe(2);
    expect(await attempt('UNKNOWN_TOPIC_OR_PARTITION')).toBe(3);
    expect(await healthy()).toBe(1);
    expect(await attempt()).toBe(4);
    expect(await attempt()).toBe(1);
    await settled();
    expect(kafka.gone).toEqual([0, 2, 3, 4]);
    await sink.close();
  });
});

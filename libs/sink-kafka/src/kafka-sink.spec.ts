import { expect, it } from '@jest/globals';
import type { Kafka } from 'kafkajs';
import { KafkaSink } from './kafka-sink.ts';

it('keeps the producer that took the place of one that never connected', async () => {
  const connects: { readonly pass: () => void; readonly fail: (error: Error) => void }[] = [];
  const senders: number[] = [];
  const producer = () => {
    const number = connects.length;
    return {
      connect: () => new Promise<void>((pass, fail) => void connects.push({ pass, fail })),
      send: async () => {
        senders.push(number);
        return [{ topicName: 't', partition: 0, errorCode: 0 }];
      },
      disconnect: async () => undefined,
    };
  };
  const sink = new KafkaSink(
    { producer } as unknown as Kafka,
    { id: 'main', kind: 'kafka', brokers: [], clientId: 'c', compression: 'none' },
    {},
  );
  const first = sink.send('t', 0, []);
  sink.renew();
  const second = sink.send('t', 0, []);
  connects[1]?.pass();
  await second;
  connects[0]?.fail(new Error('timed out'));
  await expect(first).rejects.toThrow('timed out');
  await sink.send('t', 0, []);
  expect(senders).toEqual([1, 1]);
  await sink.close();
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import type { Message } from '#libs/broker-ports';
import { SingleNodeBus } from '#libs/cluster';
import { countingMeter, silentLog } from '#libs/testkit';
import { Outbox } from './outbox.ts';
import { Router } from './router.ts';
import { Turn } from './turn.ts';

const RECEIVERS = 1000;
const TOPICS = 1000;

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function messageTo(topic: string): Message {
  return {
    ...{ topic, payload: new Uint8Array(), qos: 0, retain: false, publisher: 'publisher' },
    ...{ source: { nodeId: 'a', incarnation: 1 }, sequence: 1, receivedAtMs: 0, expiresAtMs: 0 },
    origin: 'client',
  };
}

describe('Router', () => {
  it('remembers who wants a topic by a reference to each', () => {
    const { meter } = countingMeter();
    const turn = new Turn(() => undefined);
    const bus = new SingleNodeBus({ nodeId: 'a', version: '1', startedAtMs: 1 });
    const outbox = new Outbox(bus, { turn, meter, log: silentLog });
    const router = new Router({
      ...{ bus, outbox, turn, meter, log: silentLog, nowMs: () => 0 },
      shareStrategy: 'least-inflight',
    });
    let delivered = 0;
    for (let index = 0; index < RECEIVERS; index += 1) {
      const deliver = (): void => void (delivered += 1);
      router.add({
        ...{ filter: '#', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ...{ subscriptionIdentifier: 0 },
        entry: {
          clientId: String(index),
          backlog: 0,
          durable: false,
          arrivedAtMs: -Infinity,
          deliver,
        },
      });
    }
    const before = heapBytes();
    for (let index = 0; index < TOPICS; index += 1) {
      router.route(messageTo(`devices/${String(index)}/temperature`), () => undefined);
    }
    expect((heapBytes() - before) / TOPICS).toBeLessThan(RECEIVERS * 16);
    expect(delivered).toBe(RECEIVERS * TOPICS);
    expect(router.countReceivers('devices/0/temperature')).toBe(RECEIVERS);
  });
});

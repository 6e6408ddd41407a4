import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type Message, type RouteChange } from '#libs/broker-ports';
import { SingleNodeBus, shareRoute } from '#libs/cluster';
import { countingMeter, silentLog } from '#libs/testkit';
import { Losses } from './losses.ts';
import { Traffic } from './traffic.ts';
import { Outbox } from './outbox.ts';
import { Router } from './router.ts';
import type { Subscription } from './subscription.ts';
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

/** Announces when and how it is told to. */
class HeldBus extends SingleNodeBus {
  readonly announcements: (readonly RouteChange[])[] = [];
  answer: () => Promise<void> = () => Promise.resolve();

  override announceRoutes(changes: readonly RouteChange[]): Promise<void> {
    this.announcements.push(changes);
    return this.answer();
  }
}

function setUp() {
  const { meter } = countingMeter();
  const turn = new Turn(() => undefined);
  const bus = new HeldBus({ nodeId: 'a', version: '1', startedAtMs: 1 });
  const outbox = new Outbox(bus, { turn, meter, log: silentLog });
  const router = new Router({
    ...{ bus, outbox, turn, meter, log: silentLog, nowMs: () => 0 },
    losses: new Losses({ meter, traffic: new Traffic() }),
    shareStrategy: 'least-inflight',
  });
  const announce = (): Promise<void> => {
    const announced = router.announced();
    router.flush();
    return announced;
  };
  return { router, bus, announce };
}

function subscriptionOf(filter: string, clientId: string, deliver: () => void): Subscription {
  return {
    ...{ filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ...{ subscriptionIdentifier: 0 },
    entry: { clientId, backlog: 0, durable: false, arrivedAtMs: -Infinity, deliver },
  };
}

describe('a route that could not be written down', () => {
  it.each([
    ['a/+', 'a/+'],
    ['$share/g/a', shareRoute('$share/g/a', 1)],
  ])('is announced again once, however often that has failed (%s)', async (filter, route) => {
    const { router, bus, announce } = setUp();
    const subscription = subscriptionOf(filter, 'client', () => undefined);
    bus.answer = () => Promise.reject(new StoreUnavailableError('away'));
    for (let count = 0; count < 50; count += 1) {
      router.add(subscription);
      await expect(announce()).rejects.toThrow('away');
      router.remove(subscription);
      await expect(announce()).rejects.toThrow('away');
    }
    router.add(subscription);
    await expect(announce()).rejects.toThrow('away');
    bus.answer = () => Promise.resolve();
    await announce();
    expect(bus.announcements.at(-1)).toEqual([{ kind: 'add', filter: route }]);
    await announce();
    expect(bus.announcements).toHaveLength(102);
  });

  it('undoes nothing that came after it, when it fails late', async () => {
    const { router, bus, announce } = setUp();
    const subscription = subscriptionOf('a', 'client', () => undefined);
    router.add(subscription);
    await announce();
    let fail = (): void => undefined;
    bus.answer = () =>
      new Promise((_resolve, reject) => {
        fail = () => reject(new StoreUnavailableError('late'));
      });
    router.remove(subscription);
    const removed = announce();
    bus.answer = () => Promise.resolve();
    router.add(subscription);
    await announce();
    fail();
    await expect(removed).rejects.toThrow('late');
    await announce();
    expect(bus.announcements.at(-1)).toEqual([{ kind: 'add', filter: 'a' }]);
    expect(bus.announcements).toHaveLength(4);
  });
});

describe('Router', () => {
  it('remembers who wants a topic by a reference to each', () => {
    const { router } = setUp();
    let delivered = 0;
    for (let index = 0; index < RECEIVERS; index += 1) {
      router.add(subscriptionOf('#', String(index), () => void (delivered += 1)));
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

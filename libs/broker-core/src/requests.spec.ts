import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AdminRequest } from '#libs/broker-ports';
import { MemoryFleet, quiet, type FleetNode, type MemoryClient } from '#libs/testkit';

const NOT_AUTHORIZED = 0x87;

let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;
let device: MemoryClient;

beforeEach(async () => {
  fleet = new MemoryFleet();
  a = await fleet.join('a');
  b = await fleet.join('b');
  device = await b.connected('device');
  await device.subscribe('commands');
});

const bytes = (text: string): Uint8Array => Buffer.from(text);

const requestOf = (own: Partial<AdminRequest> = {}): AdminRequest => ({
  message: { topic: 'commands', payload: bytes('state?'), qos: 1, retain: false },
  responseTopic: undefined,
  token: 'secret',
  correlationData: bytes('c'),
  ...own,
});

/** What the device was asked, and where it is to answer. */
async function asked(): Promise<{ readonly topic: string; readonly correlationData: Uint8Array }> {
  const { properties } = await device.next('publish');
  const { responseTopic = '', correlationData = bytes('') } = properties ?? {};
  return { topic: responseTopic, correlationData };
}

describe('a request', () => {
  it('is answered by a device at another node', async () => {
    const { outcome } = a.node.admin.request(requestOf());
    const { topic, correlationData } = await asked();
    expect([topic, Buffer.from(correlationData).toString()]).toEqual(['$response/a/secret', 'c']);
    device.publish(topic, 'on', { qos: 1, properties: { correlationData } });

    expect(await outcome).toMatchObject({
      kind: 'answered',
      response: { topic, publisher: 'device', payload: bytes('on') },
    });
    await quiet();
    expect(a.node.admin.status().subscriptions).toBe(0);
    expect(b.node.mayWant(topic)).toBe(false);
  });

  it('passes over answers to others, and takes one without correlation data', async () => {
    const { outcome } = a.node.admin.request(requestOf({ responseTopic: 'answers' }));
    const { topic } = await asked();
    expect(topic).toBe('answers');
    device.publish(topic, 'other', { qos: 1, properties: { correlationData: bytes('x') } });
    device.publish(topic, 'mine', { qos: 1 });

    expect(await outcome).toMatchObject({ response: { payload: bytes('mine') } });
  });

  it('is not published when nobody is subscribed', async () => {
    const message = { ...requestOf().message, topic: 'nobody' };

    expect(await a.node.admin.request(requestOf({ message })).outcome).toEqual({
      kind: 'no-subscribers',
    });
  });

  it('ends without an answer when its author waits no longer', async () => {
    const pending = a.node.admin.request(requestOf());
    await asked();
    pending.cancel();

    expect(await pending.outcome).toEqual({ kind: 'no-response' });
    expect(a.node.admin.status().subscriptions).toBe(0);
  });

  it('is in the name of a client only while that is connected', async () => {
    const { outcome } = b.node.admin.request(requestOf({ asClientId: 'nobody' }));

    expect(await outcome).toEqual({ kind: 'not-connected' });
  });

  it('is one of a thousand at most', async () => {
    const pending = Array.from({ length: 1001 }, (_, index) =>
      a.node.admin.request(requestOf({ token: String(index) })),
    );

    expect(await pending.at(-1)?.outcome).toEqual({ kind: 'overloaded' });
    for (const each of pending) each.cancel();
    await Promise.all(pending.map(({ outcome }) => outcome));
  });
});

describe('the topics of answers', () => {
  it.each(['$response/#', '$response/a/+', '$share/g/$response/#'])(
    'are nobody else’s: %s',
    async (filter) => {
      device.write({
        kind: 'subscribe',
        packetId: 9,
        subscriptions: [
          { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
      });

      expect((await device.next('suback')).reasonCodes).toEqual([NOT_AUTHORIZED]);
    },
  );

  it('retain nothing', async () => {
    device.publish('$response/a/x', 'kept', { qos: 1, retain: true });
    await device.next('puback');

    expect(b.node.admin.status().retainedMessages).toBe(0);
  });
});

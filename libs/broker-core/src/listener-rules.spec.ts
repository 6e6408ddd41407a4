import { describe, expect, it } from '@jest/globals';
import { REASON, encodePacket } from '#libs/mqtt-codec';
import type { ListenerRules } from '#libs/mqtt-engine';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, quiet, subscriptionRequest, type MemoryNodeOptions } from '#libs/testkit';

const clock = (): number => 0;

function nodeWith(options: Partial<MemoryNodeOptions> = {}): MemoryNode {
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    ...options,
  });
}

function underRules(rules: Partial<ListenerRules>): MemoryNode {
  return nodeWith({ rules });
}

describe('the rules of a listener', () => {
  it('refuse wildcards, one filter at a time [MQTT3-3.8.3-2]', async () => {
    const node = underRules({ wildcardSubscriptions: false });
    const client = node.client();
    expect((await client.connect()).properties?.wildcardSubscriptionAvailable).toBe(false);
    expect(await client.subscribe('a/+')).toBe(REASON.wildcardSubscriptionsNotSupported);
    expect(await client.subscribe('a/b')).toBe(REASON.grantedQoS1);
    const older = node.client(4);
    await older.connect({ clientId: 'older' });
    expect(await older.subscribe('#')).toBe(0x80);
  });

  it('refuse shared subscriptions, one filter at a time', async () => {
    const client = underRules({ sharedSubscriptions: false }).client();
    expect((await client.connect()).properties?.sharedSubscriptionAvailable).toBe(false);
    expect(await client.subscribe('$share/g/a')).toBe(REASON.sharedSubscriptionsNotSupported);
    expect(await client.subscribe('a')).toBe(REASON.grantedQoS1);
  });

  it('shorten sessions, of older clients as well', async () => {
    const node = underRules({ sessionExpirySecondsMax: 60 });
    const properties = { sessionExpiryInterval: 100 };
    const connack = await node.client().connect({ clientId: 'five', properties });
    expect(connack.properties?.sessionExpiryInterval).toBe(60);
    await node.client(4).connect({ clientId: 'four', cleanStart: false });
    const { admin } = node.node;
    const expiries = ['five', 'four'].map((id) => admin.client(id)?.sessionExpirySeconds);
    expect(expiries).toEqual([60, 60]);
  });

  it('grant no more than the highest QoS, whatever is asked for [MQTT-3.2.2-10]', async () => {
    const client = underRules({ qosMax: 1 }).client();
    await client.connect();
    const granted = [];
    for (const qos of [0, 1, 2] as const) granted.push(await client.subscribe('t', { qos }));
    expect(granted).toEqual([0, 1, 1]);
  });

  it('end a connection that publishes what its CONNACK ruled out [MQTT-3.2.2-11]', async () => {
    const node = underRules({ qosMax: 0, retain: false });
    const client = node.client();
    await client.connect();
    client.publish('t', 'x', { retain: true });
    expect(await client.next('disconnect')).toMatchObject({
      reasonCode: REASON.retainNotSupported,
    });
    const older = node.client(4);
    await older.connect();
    older.publish('t', 'x', { qos: 1 });
    await older.closed();
    expect(older.take()).toEqual([]);
  });

  it('refuse a will that they rule out; MQTT 3.1.1 has no word for it [MQTT3-3.2.2-6]', async () => {
    const node = underRules({ qosMax: 0 });
    const will = { topic: 'w', payload: Buffer.from('x'), qos: 1, retain: false } as const;
    const client = node.client();
    expect(await client.connect({ will })).toMatchObject({ reasonCode: REASON.qosNotSupported });
    await client.closed();
    const older = node.client(4);
    older.write(older.connectPacket({ will }));
    await older.closed();
    expect(older.take()).toEqual([]);
  });
});

describe('what a client is told', () => {
  const unacceptable = { cleanStart: false, clientId: 'x'.repeat(2000) };

  it('is the reason in words, unless it declined [MQTT-3.1.2-29]', async () => {
    const refused = (requestProblemInformation: boolean) =>
      nodeWith()
        .client()
        .connect({ ...unacceptable, properties: { requestProblemInformation } });
    expect((await refused(true)).properties).toEqual({
      reasonString: 'client id above 1024 bytes',
    });
    expect((await refused(false)).properties).toBeUndefined();
    const ended = async (requestProblemInformation: boolean) => {
      const client = nodeWith().client();
      await client.connect({ properties: { requestProblemInformation } });
      client.write(client.connectPacket());
      return (await client.next('disconnect')).properties;
    };
    expect(await ended(true)).toEqual({ reasonString: 'a second CONNECT [MQTT-3.1.0-2]' });
    expect(await ended(false)).toBeUndefined();
  });

  it('is why a message or a filter was not taken, as far as that is its own doing [MQTT-3.1.2-29]', async () => {
    const answers = async (requestProblemInformation: boolean) => {
      const client = nodeWith({ limits: { topicLevelsMax: 2, retainedMessagesMax: 0 } }).client();
      await client.connect({ properties: { requestProblemInformation } });
      client.publish('a/b/c', 'x', { qos: 1 });
      client.publish('a', 'x', { qos: 2, retain: true });
      client.write({
        kind: 'subscribe',
        packetId: 3,
        subscriptions: [subscriptionRequest('a/b/c')],
      });
      await quiet();
      return client.take().map((packet) => 'properties' in packet && packet.properties);
    };
    const told = (reasonString: string) => ({ reasonString });
    expect(await answers(true)).toEqual([
      told('more than 2 topic levels'),
      told('no room for a retained message'),
      told('more than 2 topic levels'),
    ]);
    expect(await answers(false)).toEqual([false, false, false]);
  });

  it('is what is wrong with its CONNECT, in MQTT 5 only [MQTT-3.1.4-1] [MQTT3-3.1.4-1]', async () => {
    const malformed = (version: 3 | 4 | 5) => {
      const client = nodeWith().client(version);
      const bytes = Buffer.from(encodePacket(client.connectPacket({ username: 'u' }), version));
      // The length of the user name goes beyond the packet.
      bytes[bytes.length - 2] = 9;
      client.writeBytes(bytes);
      return client;
    };
    const client = malformed(5);
    expect(await client.next('connack')).toMatchObject({ reasonCode: REASON.malformedPacket });
    await client.closed();
    for (const version of [3, 4] as const) {
      const older = malformed(version);
      await older.closed();
      expect(older.take()).toEqual([]);
    }
  });

  it('is never larger than what it takes [MQTT-3.1.2-24] [MQTT-3.2.2-19]', async () => {
    const client = nodeWith().client();
    const properties = { maximumPacketSize: 20 };
    expect(await client.connect({ ...unacceptable, properties })).toEqual({
      kind: 'connack',
      sessionPresent: false,
      reasonCode: REASON.clientIdentifierNotValid,
    });
    const other = nodeWith().client();
    await other.connect({ properties });
    await other.subscribe('t', { qos: 2 });
    other.publish('t', 'x'.repeat(20), { qos: 2 });
    other.publish('t', 'small');
    await quiet();
    expect(other.takeTexts()).toEqual(['pubrec', 'small']);
  });

  it('is nothing if it takes not even CONNACK [MQTT-3.1.2-24]', async () => {
    const client = nodeWith().client();
    client.write(client.connectPacket({ properties: { maximumPacketSize: 4 } }));
    await client.closed();
    expect(client.take()).toEqual([]);
  });

  it('is where else to go when its node shuts down, if there is anywhere', async () => {
    const serverReference = 'b.example:1883';
    const away = nodeWith({ serverReference });
    const client = away.client();
    await client.connect();
    await away.node.stop();
    expect(await client.next('disconnect')).toMatchObject({
      reasonCode: REASON.useAnotherServer,
      properties: { serverReference },
    });
    const alone = nodeWith();
    const other = alone.client();
    await other.connect();
    await alone.node.stop();
    const disconnect = await other.next('disconnect');
    expect(disconnect.reasonCode).toBe(REASON.serverShuttingDown);
    expect(disconnect.properties).not.toHaveProperty('serverReference');
  });
});

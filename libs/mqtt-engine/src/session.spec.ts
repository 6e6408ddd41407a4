import { describe, expect, it } from '@jest/globals';
import type { ConnectPacket, Packet, PublishPacket } from '#libs/mqtt-codec';
import { RecordingOutput, WIDE_LIMITS, publishPacket, subscriptionRequest } from '#libs/testkit';
import { OPEN_RULES, Session, negotiate, type ListenerRules, type StoredState } from './index.ts';

class Connected {
  readonly output: RecordingOutput;
  readonly session: Session;

  constructor(
    connect: Partial<ConnectPacket> = {},
    stored?: StoredState,
    rules: Partial<ListenerRules> = {},
  ) {
    const packet: ConnectPacket = {
      kind: 'connect',
      version: 5,
      cleanStart: true,
      keepAlive: 0,
      clientId: 'c',
      ...connect,
    };
    const negotiation = negotiate(packet, WIDE_LIMITS, {
      rules: { ...OPEN_RULES, ...rules },
      assignClientId: () => 'assigned',
    });
    if (negotiation.kind === 'refused') throw new Error(negotiation.detail);
    this.output = new RecordingOutput(packet.version);
    this.session = new Session(this.output, WIDE_LIMITS);
    this.session.attach(negotiation.terms, stored !== undefined, stored);
  }

  handle(packet: Packet): string[] {
    this.output.take();
    this.session.handle(packet, 0);
    return this.output.take();
  }
}

const DURABLE = { properties: { sessionExpiryInterval: 100 } };

describe('Session', () => {
  it('begins with CONNACK, then what is unacknowledged [MQTT-3.2.0-1]', () => {
    const stored = {
      receivedPacketIds: [4],
      receiving: [],
      releasedPacketIds: [9],
      lastSequence: 3,
    };
    const { output } = new Connected(DURABLE, stored);
    expect(output.take()).toEqual(['connack', 'pubrel 9 0x00', 'load after 0']);
    expect(output.packets[0]).toMatchObject({ sessionPresent: true, reasonCode: 0 });
  });

  it('resumes what is stored even when the session will end with this connection', () => {
    const stored = {
      receivedPacketIds: [4],
      receiving: [],
      releasedPacketIds: [9],
      lastSequence: 3,
    };
    const { output, session } = new Connected({ cleanStart: false }, stored);
    expect(output.take()).toEqual(['connack', 'pubrel 9 0x00', 'load after 0']);
    session.handle({ kind: 'pubrel', packetId: 4, reasonCode: 0 }, 0);
    expect(output.take()).toEqual(['forget 4']);
  });

  it('answers PINGREQ [MQTT-3.12.4-1]', () => {
    expect(new Connected().handle({ kind: 'pingreq' })).toEqual(['pingresp']);
  });

  it.each<Packet>([
    { kind: 'connect', version: 5, cleanStart: true, keepAlive: 0, clientId: 'c' },
    { kind: 'connack', sessionPresent: false, reasonCode: 0 },
    { kind: 'suback', packetId: 1, reasonCodes: [0] },
    { kind: 'unsuback', packetId: 1, reasonCodes: [0] },
    { kind: 'pingresp' },
    { kind: 'auth', reasonCode: 0x18 },
    publishPacket('t', '', { properties: { subscriptionIdentifiers: [1] } }),
  ])('refuses $kind that no client may send [MQTT-3.1.0-2] [MQTT-3.3.4-6]', (packet) => {
    expect(new Connected().handle(packet)).toEqual(['close 0x82']);
  });

  it('hands on SUBSCRIBE and UNSUBSCRIBE and answers with their packet ids [MQTT-3.8.4-2]', () => {
    const { output, session } = new Connected();
    const subscriptions = [subscriptionRequest('a')];
    session.handle({ kind: 'subscribe', packetId: 3, subscriptions }, 0);
    session.handle({ kind: 'unsubscribe', packetId: 4, filters: ['a'] }, 0);
    expect(output.subscribes.map(({ kind }) => kind)).toEqual(['subscribe', 'unsubscribe']);
    session.subscribed(3, [1]);
    session.unsubscribed(4, [0]);
    session.detach();
    session.subscribed(5, [1]);
    session.unsubscribed(6, [0]);
    expect(output.packets.slice(1)).toEqual([
      { kind: 'suback', packetId: 3, reasonCodes: [1] },
      { kind: 'unsuback', packetId: 4, reasonCodes: [0] },
    ]);
  });

  it('drops the will at DISCONNECT unless asked for it [MQTT-3.14.4-3]', () => {
    const normal = new Connected().handle({ kind: 'disconnect', reasonCode: 0 });
    expect(normal).toEqual(['disconnected']);
    for (const reasonCode of [0x04, 0x80, 0x81, 0x98] as const) {
      const withWill = new Connected().handle({ kind: 'disconnect', reasonCode });
      expect(withWill).toEqual(['disconnected with will']);
    }
  });

  it('ends a connection that uses what its CONNACK said is not there [MQTT-3.2.2-11] [MQTT-3.2.2-14]', () => {
    const publish = (rules: Partial<ListenerRules>, packet: Partial<PublishPacket>) =>
      new Connected({}, undefined, rules).handle(publishPacket('t', '', packet));
    expect(publish({ qosMax: 1 }, { qos: 2, packetId: 1 })).toEqual(['close 0x9b']);
    expect(publish({ qosMax: 1 }, { qos: 1, packetId: 1 })).toEqual(['taken t']);
    expect(publish({ retain: false }, { retain: true })).toEqual(['close 0x9a']);
    expect(publish({ retain: false }, {})).toEqual(['taken t']);
  });

  it('refuses a payload that is declared as text and is none, where it is checked', () => {
    const publish = (payloadFormatCheck: boolean, qos: 0 | 1 | 2) => {
      const connected = new Connected({}, undefined, { payloadFormatCheck });
      const properties = { payloadFormatIndicator: 1 } as const;
      const payload = Buffer.from([0xc3]);
      const lines = connected.handle(
        publishPacket('t', '', { qos, packetId: qos, payload, properties }),
      );
      return [...lines, ...connected.output.packets.slice(1)];
    };
    const answer = { reasonCode: 0x99, properties: { reasonString: 'the payload is not UTF-8' } };
    expect(publish(true, 0)).toEqual(['close 0x99']);
    expect(publish(true, 1)).toEqual(['puback', { kind: 'puback', packetId: 1, ...answer }]);
    expect(publish(true, 2)).toEqual(['pubrec', { kind: 'pubrec', packetId: 2, ...answer }]);
    expect(publish(false, 1)).toEqual(['taken t']);
  });

  it('lets DISCONNECT change the expiry, but not make a session durable', () => {
    const disconnect = (sessionExpiryInterval: number): Packet => ({
      kind: 'disconnect',
      reasonCode: 0,
      properties: { sessionExpiryInterval },
    });
    expect(new Connected(DURABLE).handle(disconnect(7))).toEqual(['disconnected 7s']);
    expect(new Connected(DURABLE).handle(disconnect(0))).toEqual(['disconnected 0s']);
    expect(new Connected().handle(disconnect(0))).toEqual(['disconnected 0s']);
    expect(new Connected().handle(disconnect(7))).toEqual(['close 0x82']);
  });

  it('keeps a new expiry within the bound of the listener', () => {
    const connected = new Connected(DURABLE, undefined, { sessionExpirySecondsMax: 50 });
    expect(connected.output.packets[0]).toMatchObject({
      properties: { sessionExpiryInterval: 50 },
    });
    const properties = { sessionExpiryInterval: 60 };
    expect(connected.handle({ kind: 'disconnect', reasonCode: 0, properties })).toEqual([
      'disconnected 50s',
    ]);
  });

  it('passes acknowledgements to the half they belong to', () => {
    const connected = new Connected();
    const ack = (kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp') =>
      connected.handle({ kind, packetId: 1, reasonCode: 0 });
    expect(ack('puback')).toEqual([]);
    expect(ack('pubrec')).toEqual(['pubrel 1 0x92']);
    expect(ack('pubrel')).toEqual(['pubcomp 1 0x92']);
    expect(ack('pubcomp')).toEqual([]);
    expect(connected.handle(publishPacket('t', '', { qos: 1, packetId: 2 }))).toEqual(['taken t']);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  encodePacket,
  type ConnectPacket,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
} from '#libs/mqtt-codec';
import { packetArbitrary, publishPacket, subscriptionRequest } from '#libs/testkit';
import { DIFFERENCES } from './mqtt-packet-differences.ts';
import { compare } from './mqtt-packet-oracle.ts';
import { comparableForm, parseByMqttPacket, translate } from './mqtt-packet-reader.ts';

const CONNECT: ConnectPacket = {
  kind: 'connect',
  version: 5,
  cleanStart: true,
  keepAlive: 1,
  clientId: 'c',
  will: { topic: 'w', payload: Buffer.from('x'), qos: 2, retain: true },
  username: 'u',
  password: Buffer.from('p'),
};

describe.each([3, 4, 5] as const)('a packet of version %d', (version) => {
  it('is read by mqtt-packet as we have written it', () => {
    fc.assert(
      fc.property(packetArbitrary(version), (packet) => {
        const bytes = encodePacket(packet, version);
        fc.pre(compare(bytes, version).kind !== 'known');
        const theirs = parseByMqttPacket(bytes, version);
        expect(theirs && translate(theirs, version)).toEqual(comparableForm(packet));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a difference to mqtt-packet', () => {
  /** All of them are what MQTT allows, with every field that a difference may speak of. */
  const PLAIN: readonly (readonly [version: ProtocolVersion, packet: Packet])[] = [
    [3, { ...CONNECT, version: 3 }],
    [4, { ...CONNECT, version: 4 }],
    [5, { ...CONNECT, properties: { receiveMaximum: 1, authenticationMethod: 'm' } }],
    [4, { kind: 'connack', sessionPresent: false, reasonCode: 0x87 }],
    [5, { kind: 'connack', sessionPresent: true, reasonCode: 0, properties: { maximumQoS: 1 } }],
    [4, publishPacket('t', 'x', { qos: 1, packetId: 1, dup: true })],
    [5, publishPacket('', 'x', { properties: { topicAlias: 1, responseTopic: 'r' } })],
    [
      5,
      {
        kind: 'puback',
        packetId: 1,
        reasonCode: 0x10,
        properties: { userProperties: [['a', '']] },
      },
    ],
    [5, { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('#')] }],
    [4, { kind: 'suback', packetId: 1, reasonCodes: [0x80] }],
    [5, { kind: 'unsubscribe', packetId: 1, filters: ['+'] }],
    [5, { kind: 'unsuback', packetId: 1, reasonCodes: [0x11] }],
    [5, { kind: 'disconnect', reasonCode: 0x04, properties: { sessionExpiryInterval: 0 } }],
    [5, { kind: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'm' } }],
    [4, { kind: 'pingreq' }],
  ];

  it.each(DIFFERENCES.map(({ name }) => name))('does not hide a false refusal: %s', (message) => {
    for (const [version, packet] of PLAIN) {
      const bytes = encodePacket(packet, version);
      expect(compare(bytes, version)).toEqual({ kind: 'same' });
      const failure: DecodeFailure = { kind: 'failure', reasonCode: 0x81, message };
      const found = compare(bytes, version, () => ({ packet: failure, end: bytes.length }));
      expect(found.kind).toBe('unexplained');
    }
  });

  it('does not hide bytes that are wrongly taken, or taken for something else', () => {
    const taken: readonly (readonly [ProtocolVersion, string, Packet])[] = [
      [5, 'f000', { kind: 'auth', reasonCode: 0x18 }],
      [5, 'e0038c0001', { kind: 'disconnect', reasonCode: 0x8c }],
      [5, 'e0028f00', { kind: 'disconnect', reasonCode: 0x8c }],
      [3, '20020105', { kind: 'connack', sessionPresent: false, reasonCode: 0 }],
      [3, '8a0100', { kind: 'pingreq' }],
      [4, 'c900', { kind: 'pingreq' }],
      [5, 'c000', { kind: 'pingresp' }],
    ];
    for (const [version, hex, packet] of taken) {
      const bytes = Buffer.from(hex, 'hex');
      const found = compare(bytes, version, () => ({ packet, end: bytes.length }));
      expect(found.kind).toBe('unexplained');
    }
  });

  it.each(DIFFERENCES.map(({ name, example }) => ({ name, example })))(
    'is there: $name',
    ({ name, example: [version, hex] }) => {
      expect(compare(Buffer.from(hex, 'hex'), version)).toEqual({ kind: 'known', name });
    },
  );
});

import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import {
  ByteReader,
  ByteWriter,
  UserProperties,
  encodePublish,
  type PublishPacket,
} from './index.ts';
import { decodePublishContent, encodePublishContent } from './publish.ts';

const PACKET: PublishPacket = {
  kind: 'publish',
  dup: false,
  qos: 0,
  retain: false,
  topic: 'a/b',
  packetId: 0,
  payload: Buffer.from('hi'),
};

const FULL: PublishPacket = {
  ...PACKET,
  dup: true,
  qos: 2,
  retain: true,
  packetId: 0x1234,
  properties: {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 60,
    contentType: 't',
    responseTopic: 'r',
    correlationData: Buffer.from([0, 0xff]),
    subscriptionIdentifiers: [1, 128],
    topicAlias: 7,
    userProperties: UserProperties.of([
      ['b', '1'],
      ['a', '2'],
      ['b', '1'],
    ]),
  },
};

const FULL_HEX =
  '3d 3b 00 03 61 2f 62 12 34 31 01 01 02 00 00 00 3c 03 00 01 74 08 00 01 72 09 00 02 00 ff ' +
  '0b 01 0b 80 01 23 00 07 26 00 01 62 00 01 31 26 00 01 61 00 01 32 26 00 01 62 00 01 31 68 69';

describe('PUBLISH', () => {
  it('[MQTT-3.3.2-18] carries every property of MQTT 5 and keeps the order of user properties', () => {
    expect(decodeHex(FULL_HEX, 5)).toEqual(FULL);
    expect(encodeHex(FULL, 5)).toBe(FULL_HEX);
  });

  it.each([
    ['30 07 00 03 61 2f 62 68 69', 4, PACKET],
    ['30 08 00 03 61 2f 62 00 68 69', 5, PACKET],
    ['33 09 00 03 61 2f 62 00 07 68 69', 3, { ...PACKET, qos: 1, retain: true, packetId: 7 }],
    ['30 05 00 03 61 2f 62', 4, { ...PACKET, payload: Buffer.alloc(0) }],
    ['30 08 00 00 03 23 00 01 68 69', 5, { ...PACKET, topic: '', properties: { topicAlias: 1 } }],
  ] as const)('%s', (hex, version, packet) => {
    expect(decodeHex(hex, version)).toEqual(packet);
    expect(encodeHex(packet, version)).toBe(hex);
  });

  it.each([
    ['[MQTT-3.3.1-4] QoS 3', '36 07 00 03 61 2f 62 00 01', 4],
    ['[MQTT-3.3.1-2] DUP with QoS 0', '38 05 00 03 61 2f 62', 4],
    ['a topic that is cut off', '30 03 00 03 61', 4],
    ['a packet identifier that is cut off', '32 06 00 03 61 2f 62 00', 4],
    ['[MQTT-1.5.4-2] U+0000 in the topic', '30 05 00 03 61 00 62', 4],
    ['a will property', '30 0b 00 03 61 2f 62 05 18 00 00 00 01', 5],
    ['a property length beyond the packet', '30 06 00 03 61 2f 62 05', 5],
  ] as const)('%s: malformed', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('malformedPacket');
  });

  it.each([
    ['[MQTT-2.2.1-3] packet identifier 0', '32 07 00 03 61 2f 62 00 00', 4],
    ['[MQTT-4.7.3-1] an empty topic', '30 02 00 00', 4],
    ['[MQTT-3.3.2-1] an empty topic without an alias', '30 03 00 00 00', 5],
    ['subscription identifier 0', '30 08 00 03 61 2f 62 02 0b 00', 5],
    ['payload format indicator 2', '30 08 00 03 61 2f 62 02 01 02', 5],
    ['a topic alias twice', '30 0c 00 03 61 2f 62 06 23 00 01 23 00 01', 5],
  ] as const)('%s: protocol error', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('protocolError');
  });

  it.each([
    ['[MQTT-3.3.2-2] a # in the topic', '30 05 00 03 61 2f 23', 4],
    ['[MQTT-3.3.2-2] a + in the topic', '30 05 00 03 61 2f 2b', 4],
    ['[MQTT-3.3.2-14] a # in the response topic', '30 0a 00 03 61 2f 62 04 08 00 01 23', 5],
    ['[MQTT-4.7.3-1] an empty response topic', '30 09 00 03 61 2f 62 03 08 00 00', 5],
  ] as const)('%s: topic name invalid', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('topicNameInvalid');
  });

  it('[MQTT-3.3.2-8] topic alias 0: topic alias invalid', () => {
    expect(refusalOf('30 09 00 03 61 2f 62 03 23 00 00', 5)).toBe('topicAliasInvalid');
  });

  it('gives the payload as a view of the chunk', () => {
    const packet = decodeHex('30 07 00 03 61 2f 62 68 69', 4);
    expect(packet).toMatchObject({ payload: Buffer.from('hi') });
    expect((packet as PublishPacket).payload.byteOffset).toBeGreaterThan(0);
  });

  it('tells where the packet identifier goes', () => {
    const { bytes, packetIdOffset } = encodePublish({ ...FULL, payload: Buffer.alloc(200) }, 5);
    expect(Buffer.from(bytes).readUInt16BE(packetIdOffset)).toBe(0x1234);
    expect(encodePublish(PACKET, 5).packetIdOffset).toBe(0);
  });

  it('does not write a topic that its length cannot tell', () => {
    expect(() => encodePublish({ ...PACKET, topic: 'x'.repeat(65_536) }, 4)).toThrow(RangeError);
  });

  it('has a content that stands without the packet', () => {
    const { topic, payload, properties = {} } = FULL;
    const writer = new ByteWriter(1);

    encodePublishContent({ topic, payload, properties }, writer);
    const reader = new ByteReader(writer.written());

    expect(decodePublishContent(reader)).toEqual({ topic, payload, properties });
    expect(reader.failure).toBeUndefined();
  });
});

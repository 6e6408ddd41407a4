import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import type { SubscribePacket } from './index.ts';

const PLAIN = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

describe('SUBSCRIBE', () => {
  it('has filters with a QoS before MQTT 5', () => {
    const hex = '82 0e 00 0a 00 03 61 2f 62 01 00 03 63 2f 23 02';
    const packet: SubscribePacket = {
      kind: 'subscribe',
      packetId: 10,
      subscriptions: [
        { filter: 'a/b', qos: 1, ...PLAIN },
        { filter: 'c/#', qos: 2, ...PLAIN },
      ],
    };
    expect(decodeHex(hex, 4)).toEqual(packet);
    expect(encodeHex(packet, 4)).toBe(hex);
  });

  it('has options, an identifier and user properties in MQTT 5', () => {
    const hex = '82 15 00 0a 0a 0b 80 01 26 00 01 6b 00 01 76 00 01 61 2e 00 01 62 10';
    const packet: SubscribePacket = {
      kind: 'subscribe',
      packetId: 10,
      subscriptions: [
        { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: 'b', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
      properties: { subscriptionIdentifier: 128, userProperties: [['k', 'v']] },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it('leaves a filter that is no filter to SUBACK', () => {
    expect(decodeHex('82 05 00 0a 00 00 00', 4)).toMatchObject({ subscriptions: [{ filter: '' }] });
  });

  it.each([
    ['[MQTT-3.8.1-1] flags 0', '80 06 00 0a 00 01 61 00', 4],
    ['[MQTT-3.8.3-5] reserved options', '82 07 00 0a 00 00 01 61 40', 5],
    ['[MQTT-3-8.3-4] options of MQTT 5 in 3.1.1', '82 06 00 0a 00 01 61 04', 4],
    ['a filter without options', '82 05 00 0a 00 01 61', 4],
    ['[MQTT-1.5.4-1] a filter that is not UTF-8', '82 06 00 0a 00 01 c1 00', 4],
  ] as const)('%s: malformed', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('malformedPacket');
  });

  it.each([
    ['[MQTT-3.8.3-2] no filter', '82 02 00 0a', 4],
    ['[MQTT-3.8.3-2] no filter after the properties', '82 03 00 0a 00', 5],
    ['[MQTT-2.2.1-3] packet identifier 0', '82 06 00 00 00 01 61 00', 4],
    ['QoS 3', '82 06 00 0a 00 01 61 03', 4],
    ['retain handling 3', '82 07 00 0a 00 00 01 61 30', 5],
    ['subscription identifier 0', '82 09 00 0a 02 0b 00 00 01 61 00', 5],
    ['two subscription identifiers', '82 0b 00 0a 04 0b 01 0b 02 00 01 61 00', 5],
  ] as const)('%s: protocol error', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('protocolError');
  });

  it('may carry DUP on a retry in MQTT 3.1', () => {
    expect(decodeHex('8a 06 00 0a 00 01 61 00', 3)).toMatchObject({ packetId: 10 });
  });
});

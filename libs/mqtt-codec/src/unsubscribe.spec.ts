import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import type { UnsubscribePacket } from './index.ts';

describe('UNSUBSCRIBE', () => {
  it('has filters', () => {
    const hex = 'a2 0a 00 0a 00 01 61 00 03 63 2f 23';
    const packet: UnsubscribePacket = { kind: 'unsubscribe', packetId: 10, filters: ['a', 'c/#'] };
    expect(decodeHex(hex, 4)).toEqual(packet);
    expect(encodeHex(packet, 4)).toBe(hex);
  });

  it('has user properties in MQTT 5', () => {
    const hex = 'a2 0d 00 0a 07 26 00 01 6b 00 01 76 00 01 61';
    const packet: UnsubscribePacket = {
      kind: 'unsubscribe',
      packetId: 10,
      filters: ['a'],
      properties: { userProperties: [['k', 'v']] },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it.each([
    ['[MQTT-3.10.1-1] flags 0', 'a0 05 00 0a 00 01 61', 4],
    ['a filter that is cut off', 'a2 05 00 0a 00 02 61', 4],
    ['a property of SUBSCRIBE', 'a2 08 00 0a 02 0b 01 00 01 61', 5],
  ] as const)('%s: malformed', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('malformedPacket');
  });

  it.each([
    ['[MQTT-3.10.3-2] no filter', 'a2 02 00 0a', 4],
    ['[MQTT-3.10.3-2] no filter after the properties', 'a2 03 00 0a 00', 5],
    ['[MQTT-2.2.1-3] packet identifier 0', 'a2 05 00 00 00 01 61', 4],
  ] as const)('%s: protocol error', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('protocolError');
  });
});

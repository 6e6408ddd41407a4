import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { REASON, type UnsubackPacket } from './index.ts';

describe('UNSUBACK', () => {
  it('has a reason code per filter in MQTT 5', () => {
    const hex = 'b0 09 00 0a 04 1f 00 01 77 00 11';
    const packet: UnsubackPacket = {
      kind: 'unsuback',
      packetId: 10,
      reasonCodes: [REASON.success, REASON.noSubscriptionExisted],
      properties: { reasonString: 'w' },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it('has none before', () => {
    const packet: UnsubackPacket = { kind: 'unsuback', packetId: 10, reasonCodes: [] };
    expect(decodeHex('b0 02 00 0a', 4)).toEqual(packet);
    expect(encodeHex({ ...packet, reasonCodes: [REASON.success] }, 4)).toBe('b0 02 00 0a');
  });

  it.each([
    { name: 'no reason code', hex: 'b0 03 00 0a 00', version: 5, reason: 'protocolError' },
    {
      name: 'a reason code of another packet',
      hex: 'b0 04 00 0a 00 01',
      version: 5,
      reason: 'protocolError',
    },
    { name: 'packet identifier 0', hex: 'b0 02 00 00', version: 4, reason: 'protocolError' },
    {
      name: 'reason codes before MQTT 5',
      hex: 'b0 03 00 0a 00',
      version: 4,
      reason: 'malformedPacket',
    },
    {
      name: '[MQTT-2.1.3-1] reserved flags',
      hex: 'b2 02 00 0a',
      version: 4,
      reason: 'malformedPacket',
    },
  ] as const)('refuses $name', ({ hex, version, reason }) => {
    expect(refusalOf(hex, version)).toBe(reason);
  });
});

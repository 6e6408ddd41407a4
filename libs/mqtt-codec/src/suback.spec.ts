import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { REASON, type SubackPacket } from './index.ts';

describe('SUBACK', () => {
  it('has a reason code per filter', () => {
    const hex = '90 0b 00 0a 04 1f 00 01 77 00 01 02 a2';
    const packet: SubackPacket = {
      kind: 'suback',
      packetId: 10,
      reasonCodes: [0x00, 0x01, 0x02, 0xa2],
      properties: { reasonString: 'w' },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it('has 0x80 for every refusal before MQTT 5', () => {
    const reasonCodes = [REASON.success, REASON.grantedQoS2, REASON.notAuthorized] as const;
    expect(encodeHex({ kind: 'suback', packetId: 10, reasonCodes }, 4)).toBe(
      '90 05 00 0a 00 02 80',
    );
    expect(decodeHex('90 05 00 0a 00 02 80', 4)).toEqual({
      kind: 'suback',
      packetId: 10,
      reasonCodes: [REASON.success, REASON.grantedQoS2, REASON.unspecifiedError],
    });
  });

  it.each([
    ['no reason code', '90 02 00 0a', 4],
    ['no reason code after the properties', '90 03 00 0a 00', 5],
    ['[MQTT-3.9.3-2] a reserved return code', '90 03 00 0a 87', 4],
    ['a reason code of another packet', '90 04 00 0a 00 10', 5],
    ['packet identifier 0', '90 03 00 00 00', 4],
  ] as const)('%s: protocol error', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('protocolError');
  });

  it('[MQTT-2.1.3-1] refuses reserved flags', () => {
    expect(refusalOf('91 03 00 0a 00', 4)).toBe('malformedPacket');
  });
});

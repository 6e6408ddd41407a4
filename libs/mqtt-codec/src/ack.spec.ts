import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { REASON } from './index.ts';

describe.each([
  { kind: 'puback', first: '40', reasonCode: 0x10, reason: '10' },
  { kind: 'pubrec', first: '50', reasonCode: 0x97, reason: '97' },
  { kind: 'pubrel', first: '62', reasonCode: 0x92, reason: '92' },
  { kind: 'pubcomp', first: '70', reasonCode: 0x92, reason: '92' },
] as const)('$kind', ({ kind, first, reasonCode, reason }) => {
  it('is two bytes before MQTT 5, whatever the reason', () => {
    expect(encodeHex({ kind, packetId: 0x1234, reasonCode }, 4)).toBe(`${first} 02 12 34`);
    expect(decodeHex(`${first} 02 12 34`, 4)).toEqual({
      kind,
      packetId: 0x1234,
      reasonCode: REASON.success,
    });
  });

  it('leaves out success: remaining length 2', () => {
    const packet = { kind, packetId: 7, reasonCode: REASON.success };
    expect(encodeHex(packet, 5)).toBe(`${first} 02 00 07`);
    expect(decodeHex(`${first} 02 00 07`, 5)).toEqual(packet);
  });

  it('leaves out the property length: remaining length 3', () => {
    const packet = { kind, packetId: 7, reasonCode };
    expect(encodeHex(packet, 5)).toBe(`${first} 03 00 07 ${reason}`);
    expect(decodeHex(`${first} 03 00 07 ${reason}`, 5)).toEqual(packet);
    expect(decodeHex(`${first} 04 00 07 ${reason} 00`, 5)).toEqual(packet);
  });

  it('carries a reason string and user properties', () => {
    const hex = `${first} 0f 00 07 ${reason} 0b 1f 00 01 77 26 00 01 6b 00 01 76`;
    const packet = {
      kind,
      packetId: 7,
      reasonCode,
      properties: { reasonString: 'w', userProperties: [['k', 'v']] },
    } as const;
    expect(encodeHex(packet, 5)).toBe(hex);
    expect(decodeHex(hex, 5)).toEqual(packet);
  });

  it('[MQTT-2.2.1-3] refuses packet identifier 0', () => {
    expect(refusalOf(`${first} 02 00 00`, 4)).toBe('protocolError');
  });

  it('refuses a reason code of another packet [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]', () => {
    expect(refusalOf(`${first} 03 00 07 01`, 5)).toBe('protocolError');
  });

  it('[MQTT-2.1.3-1] refuses reserved flags', () => {
    const other = (Number.parseInt(first, 16) ^ 0x01).toString(16);
    expect(refusalOf(`${other} 02 00 07`, 4)).toBe('malformedPacket');
  });

  it.each([
    ['bytes after the packet identifier before MQTT 5', '03 00 07 00', 4],
    ['half a packet identifier', '01 00', 5],
    ['bytes after the properties', '05 00 07 00 00 00', 5],
    ['a property of another packet', '09 00 07 00 05 11 00 00 00 01', 5],
  ] as const)('refuses %s', (_, rest, version) => {
    expect(refusalOf(`${first} ${rest}`, version)).toBe('malformedPacket');
  });
});

describe('PUBREL of MQTT 3.1', () => {
  it('may carry DUP on a retry', () => {
    expect(decodeHex('6a 02 00 07', 3)).toMatchObject({ kind: 'pubrel', packetId: 7 });
  });
});

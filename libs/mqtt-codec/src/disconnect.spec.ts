import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { REASON, type DisconnectPacket } from './index.ts';

const NORMAL: DisconnectPacket = { kind: 'disconnect', reasonCode: REASON.success };

describe('DISCONNECT', () => {
  it('carries every property of MQTT 5', () => {
    const hex = 'e0 16 8d 14 11 00 00 00 0a 1c 00 01 73 1f 00 01 77 26 00 01 6b 00 01 76';
    const packet: DisconnectPacket = {
      kind: 'disconnect',
      reasonCode: REASON.keepAliveTimeout,
      properties: {
        sessionExpiryInterval: 10,
        serverReference: 's',
        reasonString: 'w',
        userProperties: [['k', 'v']],
      },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it.each([
    ['e0 00', 4, NORMAL],
    ['e0 00', 5, NORMAL],
    ['e0 01 04', 5, { ...NORMAL, reasonCode: REASON.disconnectWithWill }],
  ] as const)('%s is the shortest form in version %d', (hex, version, packet) => {
    expect(decodeHex(hex, version)).toEqual(packet);
    expect(encodeHex(packet, version)).toBe(hex);
  });

  it('may spell out what it could leave out', () => {
    expect(decodeHex('e0 01 00', 5)).toEqual(NORMAL);
    expect(decodeHex('e0 02 00 00', 5)).toEqual(NORMAL);
  });

  it.each([
    { name: '[MQTT-3.14.1-1] flags', hex: 'e1 00', version: 5, reason: 'malformedPacket' },
    { name: 'bytes before MQTT 5', hex: 'e0 01 00', version: 4, reason: 'malformedPacket' },
    {
      name: 'a property of another packet',
      hex: 'e0 05 00 03 21 00 01',
      version: 5,
      reason: 'malformedPacket',
    },
    {
      name: '[MQTT-3.14.2-1] a reason code of another packet',
      hex: 'e0 01 86',
      version: 5,
      reason: 'protocolError',
    },
    {
      name: 'a reason string twice',
      hex: 'e0 0a 00 08 1f 00 01 77 1f 00 01 77',
      version: 5,
      reason: 'protocolError',
    },
  ] as const)('refuses $name', ({ hex, version, reason }) => {
    expect(refusalOf(hex, version)).toBe(reason);
  });
});

import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { REASON, type AuthPacket } from './index.ts';

describe('AUTH', () => {
  it('carries method, data, reason string and user properties', () => {
    const hex = 'f0 15 18 13 15 00 01 6d 16 00 01 64 1f 00 01 77 26 00 01 6b 00 01 76';
    const packet: AuthPacket = {
      kind: 'auth',
      reasonCode: REASON.continueAuthentication,
      properties: {
        authenticationMethod: 'm',
        authenticationData: Buffer.from('d'),
        reasonString: 'w',
        userProperties: [['k', 'v']],
      },
    };
    expect(decodeHex(hex, 5)).toEqual(packet);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it.each([
    ['f0 00', REASON.success],
    ['f0 01 19', REASON.reAuthenticate],
  ] as const)('%s is the shortest form', (hex, reasonCode) => {
    expect(decodeHex(hex, 5)).toEqual({ kind: 'auth', reasonCode });
    expect(encodeHex({ kind: 'auth', reasonCode }, 5)).toBe(hex);
  });

  it.each([
    { name: '[MQTT-3.15.1-1] flags', hex: 'f1 00', version: 5, reason: 'malformedPacket' },
    { name: 'every AUTH before MQTT 5', hex: 'f0 00', version: 4, reason: 'malformedPacket' },
    {
      name: '[MQTT-3.15.2-1] a reason code of another packet',
      hex: 'f0 01 80',
      version: 5,
      reason: 'protocolError',
    },
    {
      name: 'data without a method',
      hex: 'f0 06 18 04 16 00 01 64',
      version: 5,
      reason: 'protocolError',
    },
  ] as const)('refuses $name', ({ hex, version, reason }) => {
    expect(refusalOf(hex, version)).toBe(reason);
  });

  it('does not exist before MQTT 5', () => {
    expect(() => encodeHex({ kind: 'auth', reasonCode: REASON.success }, 4)).toThrow(RangeError);
  });
});

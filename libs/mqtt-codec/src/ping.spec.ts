import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';

describe.each([
  ['pingreq', 'c0', 'c1'],
  ['pingresp', 'd0', 'd8'],
] as const)('%s', (kind, first, flagged) => {
  it.each([3, 4, 5] as const)('is two bytes in version %d', (version) => {
    expect(encodeHex({ kind }, version)).toBe(`${first} 00`);
    expect(decodeHex(`${first} 00`, version)).toEqual({ kind });
  });

  it('holds nothing', () => {
    expect(refusalOf(`${first} 01 00`, 5)).toBe('malformedPacket');
  });

  it('[MQTT-2.1.3-1] has no flags', () => {
    expect(refusalOf(`${flagged} 00`, 5)).toBe('malformedPacket');
  });
});

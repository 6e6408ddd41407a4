import { describe, expect, it } from '@jest/globals';
import { murmur2, laneOf } from './murmur2.ts';

describe('murmur2', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as the Java client does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('hashes bytes above 127 unsigned', () => {
    const key = Buffer.from([0xff, 0x80, 0xfe, 0x81, 0xfd]);
    expect(murmur2(key)).toBe(murmur2(new Uint8Array(key)));
    expect(murmur2(key)).not.toBe(murmur2(Buffer.from([0x7f, 0x00, 0x7e, 0x01, 0x7d])));
  });

  it('chooses one of the lanes, also for a negative hash', () => {
    expect(laneOf(Buffer.from('foobar'), 3)).toBe((-790332482 & 0x7fffffff) % 3);
    expect(laneOf(Buffer.from(''), 12)).toBeLessThan(12);
  });
});

import { describe, expect, it } from '@jest/globals';
import { decodeUtf8, encodeUtf8, isUtf8, utf8ByteLength } from './utf8.ts';

function decode(hex: string): string | undefined {
  const bytes = Buffer.from(`2a${hex}2a`, 'hex');
  return decodeUtf8(bytes, 1, bytes.length - 1);
}

const LONG = 'fleet/'.repeat(20);

describe('utf8', () => {
  it.each([
    ['', ''],
    ['A', '41'],
    ['\u0001\u007f', '017f'],
    ['\u0080\u07ff', 'c280dfbf'],
    ['\u0800\ud7ff\ue000\uffff', 'e0a080ed9fbfee8080efbfbf'],
    ['\u{10000}\u{10ffff}', 'f0908080f48fbfbf'],
    ['A\u{2A6D4}', '41f0aa9b94'],
    [LONG, Buffer.from(LONG).toString('hex')],
    [`${LONG}é`, Buffer.from(`${LONG}é`).toString('hex')],
  ])('carries %j', (text, hex) => {
    const target = Buffer.alloc(3 * text.length + 1);

    const end = encodeUtf8(text, target, 1);

    expect(target.toString('hex', 1, end)).toBe(hex);
    expect(end - 1).toBe(utf8ByteLength(text));
    expect(decode(hex)).toBe(text);
  });

  it('tells texts apart that share a place in its memory', () => {
    // Java's hash, which is the same for both.
    const [one, other] = ['Aa', 'BB'].map((text) => Buffer.from(text).toString('hex'));
    expect([one, other, one, other].map((hex) => decode(hex ?? ''))).toEqual([
      'Aa',
      'BB',
      'Aa',
      'BB',
    ]);
  });

  it('[MQTT-1.5.4-3] [MQTT3-1.5.3-3] keeps a byte order mark', () => {
    expect(decode('efbbbf41')).toBe('\ufeffA');
  });

  it.each([
    ['a surrogate', 'eda080'],
    ['a pair of surrogates', 'eda080edb080'],
    ['an overlong slash', 'c0af'],
    ['an overlong form of three bytes', 'e09fbf'],
    ['an overlong form of four bytes', 'f08fbfbf'],
    ['an overlong U+0000', 'c080'],
    ['a value beyond U+10FFFF', 'f4908080'],
    ['a lead byte that does not exist', 'f5808080'],
    ['a lone continuation byte', '4180'],
    ['a sequence that is cut off', '41e282'],
    ['a sequence that another character breaks', 'e28241'],
  ])('[MQTT-1.5.4-1] refuses %s', (_, hex) => {
    expect(decode(hex)).toBeUndefined();
  });

  it.each(['00', '4100', 'c3a900'])('[MQTT-1.5.4-2] refuses U+0000 in %s', (hex) => {
    expect(decode(hex)).toBeUndefined();
  });

  it('tells whether a payload is text, which may hold U+0000', () => {
    const isText = (hex: string) => isUtf8(Buffer.from(hex, 'hex'));
    expect(['', '4100', 'c3a900', 'efbbbf', 'f0908080'].map(isText)).not.toContain(false);
    expect(['ff', '4180', 'eda080', 'c3', '00f5808080'].map(isText)).not.toContain(true);
  });

  it('writes a lone surrogate as the replacement character, and counts it so', () => {
    const target = Buffer.alloc(8);
    expect(target.toString('hex', 0, encodeUtf8('\ud800', target, 0))).toBe('efbfbd');
    expect(utf8ByteLength('\ud800')).toBe(3);
  });
});

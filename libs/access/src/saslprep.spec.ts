import { describe, expect, it } from '@jest/globals';
import { saslprep } from './index.ts';

const textOf = (text: string): string | undefined => {
  const prepared = saslprep(text);
  return prepared.kind === 'prepared' ? prepared.text : undefined;
};

describe('saslprep', () => {
  it.each([
    ['I\u00ADX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00AA', 'a'],
    ['\u2168', 'IX'],
  ])('prepares example %# of RFC 4013', (text, prepared) => {
    expect(textOf(text)).toBe(prepared);
  });

  it.each(['\u0007', '\u0627\u0031'])('refuses example %# of RFC 4013', (text) => {
    expect(textOf(text)).toBeUndefined();
  });

  it('makes every space a space and composes what was typed in pieces', () => {
    expect(textOf('a\u00A0b\u3000c')).toBe('a b c');
    expect(textOf('Zu\u0308rich')).toBe('Zürich');
    expect(textOf('\uFF21')).toBe('A');
    expect(textOf('\uFEFFa\u200D\uFE0F')).toBe('a');
  });

  it.each([
    ['a control character', 'a\u0085'],
    ['a private character', 'a\uE000'],
    ['a lone surrogate', 'a\uD800'],
    ['a non-character', 'a\uFFFF'],
    ['an unassigned character', 'a\u0378'],
    ['the replacement character', 'a\uFFFD'],
    ['a change of direction', 'a\u202E'],
    ['an ideographic description', 'a\u2FF0'],
    ['a tag', 'a\u{E0041}'],
  ])('refuses %s', (_, text) => {
    expect(saslprep(text)).toEqual({
      kind: 'refused',
      fault: 'holds a control, private or unassigned character',
    });
  });

  it('allows one writing direction, from end to end (RFC 3454, section 6)', () => {
    expect(textOf('שלום')).toBe('שלום');
    expect(textOf('ש1ם')).toBe('ש1ם');
    expect(textOf('ש')).toBe('ש');
    expect(saslprep('שx')).toMatchObject({ fault: 'mixes letters of both writing directions' });
    expect(saslprep('ש1')).toMatchObject({ kind: 'refused' });
    expect(saslprep('1ש')).toMatchObject({ kind: 'refused' });
  });

  it('allows characters that are younger than RFC 3454', () => {
    expect(textOf('🦢')).toBe('🦢');
  });
});

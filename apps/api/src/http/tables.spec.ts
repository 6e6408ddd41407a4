import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ProblemError } from './problem-error.ts';
import { csvLine, parseCsv, parseHtpasswd } from './tables.ts';

/** How many rows a text has; 0 for one that is refused. */
function rowsOf(text: string): number {
  try {
    return parseCsv(text).length;
  } catch (error) {
    if (error instanceof ProblemError) return 0;
    throw error;
  }
}

describe('a CSV text', () => {
  it('is a list of objects by its header, with the lines where they begin', () => {
    const text = '\uFEFFname, groups\r\na,"x;y"\r\n\r\n"b ""1"",\n2",\n"c",z';
    expect(parseCsv(text)).toEqual([
      { line: 2, name: 'a', groups: 'x;y' },
      { line: 4, name: 'b "1",\n2' },
      { line: 6, name: 'c', groups: 'z' },
    ]);
  });

  it('has lines that are faulty by themselves', () => {
    expect(parseCsv('a,b\n1\n1,2\n1,2,3\n')).toEqual([
      { line: 2, fault: 'It has 1 cells, and the header 2' },
      { line: 3, a: '1', b: '2' },
      { line: 4, fault: 'It has 3 cells, and the header 2' },
    ]);
  });

  it.each([
    ['a,a\n1,2', 'no two of them alike'],
    ['a,\n1,2', 'must name each column'],
    ['a\n"1', 'The quotation in line 2 does not end'],
    ['a\n\n"1"2', 'Behind the quotation in line 3'],
  ])('is refused: %j', (text, detail) => {
    expect(() => parseCsv(text)).toThrow(detail);
  });

  it('is nothing when it has no lines', () => {
    expect(parseCsv('')).toEqual([]);
    expect(parseCsv('a,b\r\n')).toEqual([]);
  });

  it('cannot name what objects are made of', () => {
    const [row] = parseCsv('__proto__,line\nx,7\n') as Record<string, unknown>[];
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(Object.keys(row ?? {})).toEqual(['__proto__', 'line']);
    expect(row?.['line']).toBe(2);
  });

  it('is read as it was written, whatever is in it', () => {
    const cell = fc.string({ minLength: 1, unit: fc.constantFrom(...'ab",;\r\n é'.split('')) });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), (rows) => {
        const text = csvLine(['k', 'v']) + rows.map((row) => csvLine(row)).join('');
        const read = parseCsv(text) as { k: string; v: string }[];
        expect(read.map(({ k, v }) => [k, v])).toEqual(rows);
      }),
    );
  });

  it('never takes more than its length, nor throws what is no problem', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a",\r\n'.split('')) }), (text) => {
        expect(rowsOf(text)).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

it('a htpasswd file is a list of names with hashes', () => {
  expect(parseHtpasswd('# users\na:$x$1:2\r\n\n:b\nplain\n')).toEqual([
    { line: 2, name: 'a', credentials: ['$x$1:2'] },
    { line: 4, fault: 'It is not NAME:HASH' },
    { line: 5, fault: 'It is not NAME:HASH' },
  ]);
});

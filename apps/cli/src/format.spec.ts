import { describe, expect, it } from '@jest/globals';
import { bytesText, columnsOf, details, printable, table } from './format.ts';

describe('a table', () => {
  it('has columns as wide as what stands in them, and nothing at the end of lines', () => {
    const rows = [
      { client_id: 'a', queue_bytes: 2048, clean_start: true },
      { client_id: '电表 7', queue_bytes: null, clean_start: false },
    ];

    expect(table(rows, ['client_id', 'queue_bytes', 'clean_start'])).toBe(
      [
        'CLIENT ID  QUEUE BYTES  CLEAN START',
        'a          2.0 KiB      yes',
        '电表 7     -            no',
      ].join('\n'),
    );
  });

  it('cuts what is too long for a cell', () => {
    const [, line = ''] = table([{ topic: 'x'.repeat(500) }], ['topic']).split('\n');

    expect(line).toHaveLength(80);
    expect(line.endsWith('…')).toBe(true);
  });

  it('chooses the plain fields of rows, eight at most', () => {
    const row = Object.fromEntries('abcdefghijk'.split('').map((name) => [name, 1]));

    expect(columnsOf([{ z: { deep: 1 }, ...row }])).toEqual('abcdefgh'.split(''));
    expect(columnsOf([])).toEqual([]);
  });
});

it('shows characters that a terminal would obey instead of letting it obey them', () => {
  expect(printable('a\u001b[2Jb\r\n\u202ec')).toBe('a\\u001b[2Jb\\u000d\\u000a\\u202ec');
  expect(table([{ id: '\u001b]0;owned\u0007' }], ['id'])).not.toContain('\u001b');
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [5 * 1024 ** 3, '5.0 GiB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

it('writes one thing in lines, what it holds below it', () => {
  const text = details({
    id: 'main',
    last_error: null,
    groups: ['a', 'b'],
    tls: { ca_file: 'ca.crt' },
    states: [
      { node: 'n1', ok: true },
      { node: 'n2', ok: false },
    ],
  });

  expect(text).toBe(
    [
      'id          main',
      'last error  -',
      'groups      a, b',
      'tls',
      '  ca file  ca.crt',
      'states',
      '  - node  n1',
      '    ok    yes',
      '  - node  n2',
      '    ok    no',
    ].join('\n'),
  );
});

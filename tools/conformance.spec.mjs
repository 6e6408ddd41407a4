import { describe, expect, it } from '@jest/globals';
import { idsIn, proofs, readStatements, strayIds, withoutIds } from './conformance/statements.mjs';
import { testTitles } from './conformance/test-titles.mjs';

const titles = (text) =>
  testTitles('x.spec.ts', text).map(({ path, cell }) => [path.join(' › '), cell].filter(Boolean));

describe('the titles of a file', () => {
  it('are those of its tests, with the blocks around them', () => {
    const text = `
      describe('outer', () => {
        it('one', () => { expect(1).toBe(1); });
        describe.each([4, 5])('in version %d', (version) => {
          it(\`with \${version} holes\`, () => undefined);
        });
      });
      it('alone', async () => undefined);
    `;
    expect(titles(text)).toEqual([
      ['outer › one'],
      ['outer › in version %d › with … holes'],
      ['alone'],
    ]);
  });

  it('come with each text of a table, wherever it stands', () => {
    const text = `
      const ROWS = [['a', 1], ['b', 2]];
      it.each(ROWS)('takes %s', () => undefined);
      it.each<[string]>([['c']])('$name is fine', () => undefined);
      it.each<[string]>([['d']])('$name is %s', () => undefined);
    `;
    expect(titles(text)).toEqual([
      ['takes %s'],
      ['takes a', 'a'],
      ['takes b', 'b'],
      ['$name is fine'],
      ['c is fine', 'c'],
      ['$name is %s'],
      ['$name is %s (d)', 'd'],
    ]);
  });

  it('leave out what does not run', () => {
    const text = `
      it.skip('skipped', () => undefined);
      it.todo('to come');
      describe.skip('all of them', () => { it('inside', () => undefined); });
      xit('crossed out', () => undefined);
      notATest.it('neither', () => undefined);
    `;
    expect(titles(text)).toEqual([]);
  });
});

describe('statements and proofs', () => {
  const LIST = `
    version: MQTT 9
    prefix: MQTT-
    count: 3
    reasons: { client: Binds clients. }
    statements:
      1.0-1: Something holds.
      1.0-2: { text: Clients do this., reason: client }
      1.0-3: Something else holds.
  `;
  const list = readStatements(LIST);
  const test = (title, cell) => ({ file: 'a.spec.ts', path: ['block', title], cell });

  it('belong together by the ids in titles', () => {
    const tests = [test('holds [MQTT-1.0-1] [MQTT-1.0-3]'), test('again [MQTT-1.0-1]')];
    const { byId, faults } = proofs([list], tests);
    expect(faults).toEqual([]);
    expect(byId.get('MQTT-1.0-1').map(({ title }) => title)).toEqual([
      'block › holds',
      'block › again',
    ]);
  });

  it('of a table are the rows that name a statement', () => {
    const tests = [
      test('takes %s'),
      test('takes a [MQTT-1.0-1]', 'a [MQTT-1.0-1]'),
      test('takes b [MQTT-1.0-3]', 'b [MQTT-1.0-3]'),
      test('takes c', 'c'),
    ];
    const { byId, faults } = proofs([list], tests);
    expect(faults).toEqual([]);
    expect(byId.get('MQTT-1.0-3')).toEqual([{ file: 'a.spec.ts', title: 'block › takes b' }]);
  });

  it('fail for a statement with neither a test nor a reason, with both, and for one that does not exist', () => {
    const { faults } = proofs([list], [test('[MQTT-1.0-1]'), test('[MQTT-1.0-2] [MQTT-1.0-4]')]);
    expect(faults).toEqual([
      'a.spec.ts: "block" names MQTT-1.0-4, which is no statement',
      'MQTT-1.0-2 has a test, so it needs no reason',
      'MQTT-1.0-3 has neither a test nor a reason: Something else holds.',
    ]);
  });

  it('fail for a list that is not as long as it says', () => {
    expect(() => readStatements(LIST.replace('count: 3', 'count: 4'))).toThrow(
      'MQTT 9 has 4 statements, but 3 are listed',
    );
  });

  it('fail for a comment that names what no version has', () => {
    const files = [{ file: 'a.ts', text: '// [MQTT-1.0-1] and [MQTT-2.0-1]' }];
    expect(strayIds([list], files)).toEqual(['a.ts names MQTT-2.0-1, which is no statement']);
  });

  it('are told apart by version', () => {
    expect(idsIn('both [MQTT-3.1.2-24] [MQTT3-3.1.2-24], not MQTT-1.0-1')).toEqual([
      'MQTT-3.1.2-24',
      'MQTT3-3.1.2-24',
    ]);
    expect(withoutIds('[MQTT-1.0-1] holds  [MQTT3-1.0-1] well')).toBe('holds well');
  });
});

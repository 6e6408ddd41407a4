import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { readSecret, secretReference } from './secret-reference.ts';

const VARIABLE = 'SPEC_OF_SECRETS';
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-secret-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  delete process.env[VARIABLE];
});

it('reads what a file and a variable hold now', () => {
  const file = join(directory, 'token');
  writeFileSync(file, 'one\nnot this\n');
  expect(readSecret({ file })).toBe('one');
  writeFileSync(file, 'two');
  expect(readSecret({ file })).toBe('two');
  process.env[VARIABLE] = 'three';
  expect(readSecret({ env: VARIABLE })).toBe('three');
});

it('says what cannot be read', () => {
  const file = join(directory, 'empty');
  expect(() => readSecret({ env: VARIABLE })).toThrow(`the variable ${VARIABLE} is not set`);
  expect(() => readSecret({ file })).toThrow(`the file ${file} cannot be read`);
  writeFileSync(file, '\nsecond');
  expect(() => readSecret({ file })).toThrow(`the first line of ${file} is empty`);
});

it.each([{ env: 'SKEIN_TOKEN' }, { env: '1' }, { file: '' }, { file: 'a', env: 'B' }, {}, 'text'])(
  'refuses the reference %j',
  (given) => {
    expect(secretReference.safeParse(given).error?.issues[0]?.message).toBe(
      'must be { file: PATH } or { env: NAME }',
    );
  },
);

import { expect, it } from '@jest/globals';
import { FLAGS_HELP, answerFlags, packageVersion } from './index.ts';

const answer = (...argv: string[]): string | undefined => answerFlags('A node', { argv, env: {} });

it('answers flags that ask, and no others', () => {
  expect(answer('--help', '--print-config')).toBe(`A node\n\n${FLAGS_HELP}`);
  expect(answer('--version')).toBe(packageVersion());
  expect(answer('--print-config', '--data', 'somewhere')).toMatch(/^ {2}dir: somewhere$/m);
  expect(answer('--data', 'somewhere')).toBeUndefined();
});

it('refuses a flag that nobody knows', () => {
  expect(() => answer('--hlep')).toThrow('the nearest is --help');
});

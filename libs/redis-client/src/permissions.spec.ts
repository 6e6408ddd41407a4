import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { aclRules } from './permissions.ts';

it('the documented user has exactly the permissions that are used', () => {
  const page = readFileSync(new URL('../../../docs/redis.md', import.meta.url), 'utf8');

  const [, rules] = /^user skein on >PASSWORD (.*)$/m.exec(page) ?? [];

  expect(rules?.split(' ')).toEqual(aclRules('skein'));
});

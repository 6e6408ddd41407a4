import { expect, it } from '@jest/globals';
import { JSON_LEVELS_MAX, requireShallow } from './json-depth.ts';

const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;

it('takes what is as deep as may be, and nothing deeper', () => {
  expect(() => requireShallow(nested(JSON_LEVELS_MAX))).not.toThrow();
  expect(() => requireShallow(nested(JSON_LEVELS_MAX + 2), '/3')).toThrow(
    expect.objectContaining({
      code: 'validation-failed',
      extras: { errors: [expect.objectContaining({ pointer: '/3', code: 'too-deep' })] },
    }),
  );
});

it('counts levels, not brackets, and none within strings', () => {
  const brackets = '['.repeat(10 * JSON_LEVELS_MAX);
  expect(() => requireShallow(`[${'[],'.repeat(10 * JSON_LEVELS_MAX)}[]]`)).not.toThrow();
  expect(() => requireShallow(`["${brackets}", "\\"${brackets}\\\\"]`)).not.toThrow();
  expect(() => requireShallow(`["\\\\", ${brackets}]`)).toThrow(/deep/);
});

it('reads what is no JSON to its end', () => {
  for (const text of ['', '"', '"\\', ']]]]', '{"']) {
    expect(() => requireShallow(text)).not.toThrow();
  }
});

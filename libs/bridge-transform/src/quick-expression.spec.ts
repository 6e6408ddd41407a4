import { describe, expect, it } from '@jest/globals';
import { parse } from './jsonata-door.ts';
import { quickExpression } from './quick-expression.ts';

const isQuick = (source: string): boolean => quickExpression(parse(source).ast()) !== undefined;

describe('quick expressions', () => {
  it.each([
    'payload.temperature > 30',
    '(qos = 1 or topic = "x") and $not(payload.`a b` in ["x", null])',
    '-1 < payload.a.b',
    'true',
  ])('%s is one', (source) => {
    expect(isQuick(source)).toBe(true);
  });

  it.each([
    'payload.a[0] = 1',
    'payload[a = 1]',
    'payload.a[] = 1',
    'payload.a{b: c}',
    'payload.a@$x.b',
    'payload.a#$i',
    'payload.*',
    'payload.(a)',
    '(qos; retain)',
    '(qos)[0]',
    '$not(qos, retain)',
    '$not(qos)[0]',
    '$exists(payload.a)',
    'qos in payload.list',
    'qos in [payload.a]',
    'qos in [1, 2][0]',
    'qos + 1 = 2',
    '{"a": qos}',
  ])('%s is none', (source) => {
    expect(isQuick(source)).toBe(false);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messageOf } from '#libs/testkit';
import { Expression } from './expression.ts';
import { ExpressionError, TransformFault } from './faults.ts';
import { DEFAULT_TRANSFORM_LIMITS } from './limits.ts';
import { MessageDocument } from './message-document.ts';

/** Steps alone bound the evaluations: the clock stands still. */
const options = {
  field: 'value',
  limits: { ...DEFAULT_TRANSFORM_LIMITS, stepsMax: 3_000 },
  clock: () => 0,
};

const RESERVED = ['__proto__', '_jsonata_lambda', '_jsonata_function', 'tupleStream', '@'];
const name = fc.oneof(
  fc.constantFrom('a', 'b', 'items', 'constructor', 'prototype', 'toString', 'toJSON', 'sequence'),
  fc.constantFrom('__evaluate_entry', 'length', 'then', 'next', 'environment', 'thunk', 'body'),
  { arbitrary: fc.constantFrom(...RESERVED), weight: 1 },
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom('0', '-5', '1e999', '1e308', '9007199254740993', 'true', 'null', '""', '"a"'),
    fc.constantFrom('"aaaaaaaaaaaaaaaaaaaaaaaa!"', '"2024-01-01-01-01-01-01x"', '1000000000'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(name, tie('value')), { maxLength: 4 })
      .map((pairs) => `{${pairs.map(([key, item]) => `"${key}":${item}`).join(',')}}`),
  ),
}));
const payload = fc.oneof(
  value.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
);

const TEMPLATES = [
  'payload.a > 30 and payload.b in ["a"]',
  '{"a": payload.a, "all": payload.items.{"b": b}}',
  'payload.items{a: b}',
  '$map(payload.items, function($v, $i){ $v.a & $i })',
  '$sort(payload.items, function($a, $b){ $a.a > $b.a })',
  'payload.items^(a).b',
  '$string(payload) & $string($$)',
  '$merge(payload.items)',
  '$spread(payload)',
  '$each(payload, function($v, $k){ {$k: $v} })',
  '$sift(payload, function($v){ $exists($v) })',
  '**[a = 0].*',
  '$contains(payload.a, payload.b)',
  '$contains(payload.a, /^(a+)+$/)',
  '$replace(payload.a, /a(b)?/, payload.b)',
  '$match(payload.a, /a/, payload.b).groups',
  'payload.a ~> payload.b',
  'payload.a(payload.b)',
  'payload.items ~> $filter(payload.a)',
  '$reduce(payload.items, payload.a)',
  '$pad(payload.a, payload.b, payload.a)',
  '[payload.a..payload.b]',
  '$formatNumber(payload.a, "#,##0.00")',
  '$formatBase(payload.a, payload.b)',
  '$fromMillis(payload.a)',
  '$toMillis(payload.a)',
  '$lookup(payload, payload.a)',
  '$zip(payload.items, payload.a)',
  '$number(payload.a) + payload.b',
  '$round(payload.a, payload.b)',
  'payload.items@$x.a#$i.{"x": $x, "i": $i, "p": %}',
  '$distinct(payload.items) = payload.a',
];

const word = fc.oneof(
  fc.constantFrom(
    'payload',
    'payload.a',
    'payload.items',
    'topic',
    'levels',
    'qos',
    '$',
    '$$',
    '$x',
  ),
  fc.constantFrom('1', '0', '-1', '1e9', '"a"', '"$1"', 'true', 'null', '/a+/', '/(a|b)*c/i'),
  fc.constantFrom('.', '..', '*', '**', '%', '+', '-', '/', '&', '=', '!=', '<', '>', 'and', 'or'),
  fc.constantFrom(
    'in',
    '~>',
    '?',
    ':',
    ':=',
    ';',
    ',',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '^(',
    '@$x',
    '#$x',
  ),
  fc.constantFrom(
    'function($x){',
    'function($x, $y){',
    '$map(',
    '$reduce(',
    '$string(',
    '$append(',
  ),
  fc.constantFrom(
    '$pad(',
    '$join(',
    '$replace(',
    '$match(',
    '$split(',
    '$sort(',
    '$zip(',
    '$each(',
  ),
  fc.constantFrom('$formatNumber(', '$fromMillis(', '$distinct(', '$merge(', '$spread(', '$bytes('),
);
const { term } = fc.letrec<{ term: string }>((tie) => {
  const two = fc.tuple(tie('term'), tie('term'));
  return {
    term: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      fc.constantFrom(
        'payload',
        'payload.a',
        'payload.items',
        'topic',
        '$',
        '1',
        '"a"',
        '[1..9]',
        '$x',
      ),
      two.map(([a, b]) => `${a} & ${b}`),
      two.map(([a, b]) => `[${a}, ${b}]`),
      two.map(([a, b]) => `[[${a}], [${b}]]`),
      two.map(([a, b]) => `{"a": ${a}, "b": ${b}}`),
      two.map(([a, b]) => `(${a}).(${b})`),
      two.map(([a, b]) => `(${a})[${b}]`),
      two.map(([a, b]) => `[${a}..${b}]`),
      two.map(([a, b]) => `$append(${a}, ${b})`),
      two.map(([a, b]) => `$reduce(${a}, function($x, $y){ ${b} })`),
      two.map(([a, b]) => `$map(${a}, function($x){ ${b} })`),
      two.map(([a, b]) => `($x := ${a}; ${b})`),
      two.map(([a, b]) => `($x := function($x){ ${a} }; $x(${b}))`),
      two.map(([a, b]) => `(${a} = ${b} ? ${a} : ${b})`),
      two.map(([a, b]) => `$join($string(${a}), $string(${b}))`),
      two.map(([a, b]) => `$replace($string(${a}), /a|1/, $string(${b}))`),
      tie('term').map((a) => `(${a})^($)`),
      tie('term').map((a) => `$sort(${a})`),
      tie('term').map((a) => `$distinct(${a})`),
      tie('term').map((a) => `(${a}).**`),
      tie('term').map((a) => `$string(${a})`),
    ),
  };
});
const source = fc.oneof(
  fc.constantFrom(...TEMPLATES),
  term.map((text) => `($x := 1; ${text})`),
  fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
  fc.string(),
);

const guarded = [Object, Array, Function, String, Number, RegExp, Error, Promise].map(
  ({ prototype }) => prototype as object,
);
const shapes = (): string =>
  JSON.stringify(guarded.map((prototype) => Reflect.ownKeys(prototype).map(String)));

function compiled(text: string): Expression | undefined {
  try {
    return new Expression(text, options);
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

describe('expressions', () => {
  it('end in steps, throw nothing and leave prototypes alone, whatever comes', () => {
    const before = shapes();
    fc.assert(
      fc.property(source, payload, (text, bytes) => {
        const expression = compiled(text);
        if (expression === undefined) return;
        const document = new MessageDocument(messageOf({ payload: bytes }));
        const made = expression.bytes(document);
        expect(made instanceof TransformFault || Buffer.isBuffer(made)).toBe(true);
        const passed = expression.test(document);
        expect(passed instanceof TransformFault || typeof passed === 'boolean').toBe(true);
      }),
      { numRuns: 1_000 },
    );
    expect(shapes()).toBe(before);
  });
});

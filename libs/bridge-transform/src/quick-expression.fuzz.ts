import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messageOf } from '#libs/testkit';
import { parse } from './jsonata-door.ts';
import { DEFAULT_TRANSFORM_LIMITS } from './limits.ts';
import { takeToHand } from './expression-document.ts';
import { MESSAGES, MessageDocument } from './message-document.ts';
import { quickExpression, UNDECIDED } from './quick-expression.ts';

const name = fc.constantFrom('a', 'b', 'c', 'length', 'constructor');
const scalar = fc.constantFrom(0, 1, 2, -1, '', '1', 'b', true, false, null);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    { arbitrary: scalar, weight: 4 },
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3 }),
  ),
}));
const literal = scalar.map((item) => JSON.stringify(item));
const path = fc
  .tuple(
    fc.constantFrom('payload', 'qos', 'userProperties', 'levels'),
    fc.array(name, { maxLength: 3 }),
  )
  .map(([first, names]) => [first, ...names].join('.'));
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.oneof(literal, path),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('=', '!=', '<', '<=', '>', '>=', 'and', 'or'),
        tie('expression'),
      )
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc
      .tuple(tie('expression'), fc.array(literal, { maxLength: 3 }))
      .map(([left, list]) => `(${left}) in [${list.join(', ')}]`),
    tie('expression').map((inner) => `$not(${inner})`),
  ),
}));

/** What the evaluator of the language gives, or UNDECIDED for an error. */
function evaluated(source: string): unknown {
  try {
    return parse(source).evaluate(MESSAGES.atHand, {});
  } catch {
    return UNDECIDED;
  }
}

describe('quick expressions', () => {
  it('give what the evaluator gives, or leave it to that', () => {
    let decided = 0;
    fc.assert(
      fc.property(expression, value, (source, payload) => {
        const document = new MessageDocument(
          messageOf({ payload: Buffer.from(JSON.stringify(payload)) }),
        );
        document.limit(DEFAULT_TRANSFORM_LIMITS);
        takeToHand(document);
        const quick = quickExpression(parse(source).ast());
        expect(quick).toBeDefined();
        const result = quick?.(document);
        if (result === UNDECIDED) return;
        decided += 1;
        expect(result).toBe(evaluated(source));
      }),
      { numRuns: 2_000 },
    );
    expect(decided).toBeGreaterThan(500);
  });
});

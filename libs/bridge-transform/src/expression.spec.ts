import { describe, expect, it } from '@jest/globals';
import type { Message } from '#libs/broker-ports';
import { messageOf } from '#libs/testkit';
import { ExpressionError, TransformFault } from './faults.ts';
import { Expression } from './expression.ts';
import { DEFAULT_TRANSFORM_LIMITS } from './limits.ts';
import { MessageDocument } from './message-document.ts';

const json = (payload: unknown): MessageDocument =>
  documentOf({ payload: Buffer.from(JSON.stringify(payload)) });
const documentOf = (message: Partial<Message>): MessageDocument =>
  new MessageDocument(messageOf({ topic: 'site/berlin/dev-7', publisher: 'dev-7', ...message }));
const where = (source: string, document: MessageDocument): boolean | TransformFault =>
  new Expression(source, { field: 'where' }).test(document);
const value = (source: string, document: MessageDocument): string | TransformFault => {
  const result = new Expression(source, { field: 'value' }).bytes(document);
  return result instanceof TransformFault ? result : result.toString();
};
const problem = (source: string): string => {
  try {
    new Expression(source, { field: 'where' });
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
  return 'compiles';
};

describe('compiling', () => {
  it.each([
    ['payload.a == 1', /^where, character 12: .*; compare with a single =$/],
    ['qos = 1 && retain', /write and instead of &&$/],
    ['qos = 1 || retain', /write or instead of \|\|$/],
    ['!retain', /write \$not\( \) instead of !$/],
    ['topic = "a', /character 10: .*close the text with the quote/],
    ['(qos', /close what is open/],
    ['', /ends too early$/],
    [`${'('.repeat(4_000)}1${')'.repeat(4_000)}`, /nests too deeply$/],
    ['1'.repeat(9000), /at most 8192 characters$/],
    ['temperature > 30', /character 11: messages have no temperature; write payload\.temperature/],
    ['$count(sensors) > 2', /messages have no sensors/],
    ['{"t": temp}', /messages have no temp;/],
    ['$$.temp', /messages have no temp;/],
    ['$topic = "a"', /fields have no \$: write topic$/],
    ['$unknown(1)', /there is no function or variable \$unknown here$/],
    ['count(payload.x) > 1', /functions begin with \$: write \$count\($/],
    ['$eval(payload.x)', /no function or variable \$eval/],
    ['$ ~> |payload|{"a": 1}|', /build the object with { } or \$merge$/],
    ['$map([1], $substring(?, 1))', /write function\(\$x\){ }$/],
    ['$contains(topic, /(?=a)b/)', /may not look ahead or behind/],
    ['$contains(topic, /(a)\\1/)', /refer back/],
    ['$contains(topic, /(/)', /./],
    ['($__evaluate_entry := 0; true)', /names may not begin with __$/],
    ['function($__evaluate_exit){ 1 }', /names may not begin with __$/],
    ['payload.a@$__evaluate_entry.b', /names may not begin with __$/],
    ['payload.a#$__evaluate_entry.b', /names may not begin with __$/],
  ])('%j says what to write instead', (source, expected) => {
    expect(problem(source)).toMatch(expected);
  });

  it.each([
    'payload.items[price > 3].{"name": name, "site": $$.levels[1]}',
    '$map(payload.items, function($item, $index){ $index & ":" & $item.name })',
    '($limit := 30; payload.values[$ > $limit])',
    'payload.a@$x.b#$i.{"x": $x, "i": $i, "parent": %}',
    'payload.items{name: $sum(price)}',
    'payload.items^(>price).name',
    'topic ~> $uppercase',
    '$.qos = 1 and userProperties.site = "a"',
  ])('%j is taken', (source) => {
    expect(problem(source)).toBe('compiles');
  });
});

describe('a filter', () => {
  const sample = json({ temperature: 31, status: 'ok', on: true, tags: ['a', 'b'], none: null });

  it.each([
    ['payload.temperature > 30', true],
    ['payload.temperature > 30 and payload.status in ["ok", "warn"]', true],
    ['payload.temperature < 30 or $not(payload.on)', false],
    ['payload.on', true],
    ['"b" in payload.tags', true],
    ['levels[1] = "berlin" and levels[-1] = clientId', true],
    ['$contains(topic, /^site\\/[a-z]+\\/dev-\\d+$/)', true],
    ['payload.missing > 3', false],
    ['payload.missing', false],
    ['payload.missing != 3', false],
    ['payload.none = null', true],
    ['username = "bob"', false],
  ])('%s gives %s', (source, expected) => {
    expect(where(source, sample)).toBe(expected);
  });

  it('faults when the answer is no truth value', () => {
    expect(where('payload.temperature', sample)).toMatchObject({
      stage: 'where',
      code: 'RESULT_TYPE',
      message: 'the expression gives a number, not true or false; compare it, or write $boolean( )',
    });
  });

  it('faults when the values cannot be compared, and does not repeat them', () => {
    expect(where('payload.temperature > "secret"', sample)).toMatchObject({
      stage: 'where',
      code: 'EXPRESSION_FAILED',
      message: 'a text and a number cannot be compared, at >',
      position: 21,
    });
  });

  it('knows the name of the user where there is one', () => {
    const document = new MessageDocument(messageOf(), () => 'bob');
    expect(where('username = "bob"', document)).toBe(true);
  });
});

describe('a transform', () => {
  it.each([
    [
      '{"t": payload.t, "id": clientId, "site": levels[1]}',
      '{"t":21.5,"id":"dev-7","site":"berlin"}',
    ],
    ['payload', '{"t":21.5,"list":[{"v":1},{"v":2}],"none":[]}'],
    ['payload.list.v', '[1,2]'],
    ['payload.list[v > 1].v', '2'],
    ['[1..3].($ * 2)', '[2,4,6]'],
    ['$sum(payload.list.v)', '3'],
    ['$reduce(payload.list.v, function($a, $b){ $a + $b })', '3'],
    ['$map(payload.list.v, $string)', '["1","2"]'],
    ['$reduce(payload.list.v, $append)', '[1,2]'],
    ['topic', 'site/berlin/dev-7'],
    ['null', 'null'],
    ['$fromMillis(0, "[Y0001]-[M01]-[D01]")', '1970-01-01'],
    ['$formatNumber(1234.5, "#,##0.00")', '1,234.50'],
    ['$replace(topic, /([a-z]+)\\/([a-z]+)/, "$2-$1")', 'berlin-site/dev-7'],
    ['$match(topic, /[a-z]+(-)?/).match', '["site","berlin","dev-"]'],
    ['$split(topic, /\\//)', '["site","berlin","dev-7"]'],
    ['$bytes("aGVsbG8=")', 'hello'],
  ])('%s', (source, expected) => {
    const document = json({ t: 21.5, list: [{ v: 1 }, { v: 2 }], none: [] });
    expect(value(source, document)).toBe(expected);
  });

  it('gives bytes that are not text as they are', () => {
    const document = documentOf({ payload: new Uint8Array([0xff, 0x00, 0x80]) });
    const result = new Expression('$bytes(payloadBase64)', { field: 'value' }).bytes(document);
    expect(result).toEqual(Buffer.from([0xff, 0x00, 0x80]));
  });

  it('writes numbers and truth values out', () => {
    expect(value('payload.n', json({ n: 7 }))).toBe('7');
    expect(value('payload.n = 7', json({ n: 7 }))).toBe('true');
    expect(value('"p" & payload.n', json({ n: 7 }))).toBe('p7');
  });

  it.each([
    ['payload.missing', 'RESULT_MISSING'],
    ['function($x){ $x }', 'RESULT_TYPE'],
    ['[$sum]', 'RESULT_TYPE'],
    ['{"a": 1 / 0}', 'RESULT_TYPE'],
    ['{"a": $bytes("aa")}', 'RESULT_TYPE'],
    ['$number("x")', 'EXPRESSION_FAILED'],
    ['payload.f(1)', 'EXPRESSION_FAILED'],
    ['$formatNumber(0, "0.0e0")', 'EXPRESSION_FAILED'],
    ['$formatNumber(1 / 0, "0")', 'EXPRESSION_FAILED'],
    ['$fromMillis(0, "[Y,9999999]")', 'EXPRESSION_FAILED'],
    ['$toMillis("1", "[f][f][f]")', 'EXPRESSION_FAILED'],
    ['$match(payload.s, /x*/)', 'EXPRESSION_FAILED'],
    ['$fromMillis(1e300)', 'EXPRESSION_FAILED'],
    ['{"tuple" & "Stream": true}', 'EXPRESSION_FAILED'],
  ])('%s is a fault: %s', (source, code) => {
    expect(value(source, json({ f: { a: 1 }, s: 'aaa' }))).toMatchObject({ stage: 'value', code });
  });

  it('passes on what $error says, for its author wrote it', () => {
    expect(value('$error("no site in " & topic)', json({}))).toMatchObject({
      code: 'EXPRESSION_FAILED',
      message: 'no site in site/berlin/dev-7',
    });
  });

  it('leaves the document as it was for the next expression', () => {
    const document = json({ items: [] });
    expect(value('payload.items{a: b}', document)).toBe('{}');
    expect(value('payload', document)).toBe('{"items":[]}');
  });

  it('keeps no variables from one message to the next', () => {
    const expression = new Expression('$exists($seen) ? "again" : ($seen := topic)', {
      field: 'value',
    });
    expect(expression.bytes(json({}))).toEqual(Buffer.from('site/berlin/dev-7'));
    expect(expression.bytes(json({}))).toEqual(Buffer.from('site/berlin/dev-7'));
  });
});

describe('limits', () => {
  const numbers = Array.from({ length: 50_000 }, (_, index) => index % 1_000);
  const text = 'a'.repeat(50_000);
  const document = json({ numbers, text, huge: 1e9, deep: [[[[[1]]]]] });

  it.each([
    ['($f := function($n){ $f($n) }; $f(1))', 'LIMIT_STEPS'],
    ['($f := function($n){ 1 + $f($n) }; $f(1))', 'LIMIT_DEPTH'],
    ['[1..payload.huge]', 'LIMIT_SIZE'],
    ['$pad("x", payload.huge)', 'LIMIT_SIZE'],
    ['$pad("x", -payload.huge, "ab")', 'LIMIT_SIZE'],
    ['$join($split(payload.text, ""), payload.text)', 'LIMIT_SIZE'],
    ['$replace(payload.text, "a", payload.text)', 'LIMIT_SIZE'],
    ['$replace(payload.text, /a/, "$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0")', 'LIMIT_SIZE'],
    ['$reduce([1..60], function($a, $b){ $a & $a }, "x")', 'LIMIT_'],
    ['$reduce([1..60], function($a, $b){ [[$a], [$a]] }, 1)', 'LIMIT_'],
    ['$reduce([1..60], function($a, $b){ {"a": $a, "b": $a} }, 1)', 'LIMIT_'],
    ['$reduce(payload.numbers, $append)', 'LIMIT_STEPS'],
    ['$distinct(payload.numbers)', 'LIMIT_STEPS'],
    ['payload.numbers^($)', 'LIMIT_STEPS'],
    ['payload.numbers[$sum($$.payload.numbers) > $]', 'LIMIT_STEPS'],
    ['$match(payload.text, /a/)', 'LIMIT_STEPS'],
    [
      '$contains(payload.text & payload.text, /^(a+)+$/) and $contains(payload.text & payload.text & payload.text & payload.text & payload.text & payload.text & payload.text & payload.text, /(a|a)*b/)',
      'LIMIT_STEPS',
    ],
  ])('%s', (source, code) => {
    // The clock stands still: steps and sizes are enough.
    const expression = new Expression(source, { field: 'value', clock: () => 0 });
    expect(expression.bytes(document)).toMatchObject({
      stage: 'value',
      code: expect.stringMatching(code),
    });
  });

  it('of time, by a clock that is read now and then', () => {
    let nowMs = 0;
    const clock = () => (nowMs += 60);
    const expression = new Expression('$sum([1..500].($ * 2))', { field: 'value', clock });
    expect(expression.bytes(document)).toMatchObject({ code: 'LIMIT_TIME' });
    expect(nowMs).toBeGreaterThan(100);
  });

  it('of time, in which a pause hardly counts', () => {
    const source = '$sum([1..500].($ * 2))';
    let looks = 0;
    const clock = () => (looks += 1) + (looks > 2 ? 3_600_000 : 0);
    const expression = new Expression(source, { field: 'value', clock });
    expect(expression.bytes(document)).toEqual(Buffer.from('250500'));
    expect(looks).toBeGreaterThan(2);
  });

  it('of time, by what the processor was used', () => {
    const limits = { ...DEFAULT_TRANSFORM_LIMITS, timeMsMax: 0.001 };
    const expression = new Expression('$sum([1..5000].($ * 2))', { field: 'value', limits });
    expect(expression.bytes(document)).toMatchObject({ code: 'LIMIT_TIME' });
  });

  it('never cost a look at the clock for a short evaluation', () => {
    const clock = () => {
      throw new RangeError('read');
    };
    const expression = new Expression('$string(qos)', { field: 'value', clock });
    expect(expression.bytes(document)).toEqual(Buffer.from('1'));
  });

  it('are the caller’s to choose', () => {
    const limits = { ...DEFAULT_TRANSFORM_LIMITS, stepsMax: 10, depthMax: 3, valueBytesMax: 64 };
    const tight = (source: string, payload: string) =>
      new Expression(source, { field: 'value', limits }).bytes(
        documentOf({ payload: Buffer.from(payload) }),
      );
    expect(tight('qos + qos + qos + qos + qos', '')).toMatchObject({ code: 'LIMIT_STEPS' });
    expect(tight('payload', '[[[[1]]]]')).toMatchObject({ code: 'PAYLOAD_REFUSED' });
    expect(tight('payload', `"${text.slice(0, 70)}"`)).toMatchObject({ code: 'PAYLOAD_REFUSED' });
    expect(tight('payloadText', text.slice(0, 70))).toMatchObject({ code: 'LIMIT_SIZE' });
    expect(tight('[[[[1]]]]', '')).toMatchObject({ code: 'LIMIT_DEPTH' });
  });
});

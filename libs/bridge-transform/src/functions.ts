import { nodesOf } from './expression-node.ts';
import { Stop } from './faults.ts';
import { Bytes } from './measure.ts';
import type { Meter } from './meter.ts';
import {
  parse,
  type FunctionDefinition,
  type Implementation,
  type ParsedExpression,
} from './jsonata-door.ts';

/** Says what a call may come to, before it is made. */
type Announcement = (args: readonly unknown[], meter: Meter) => void;

const isText = (value: unknown): value is string => typeof value === 'string';
const size = (value: unknown): number =>
  typeof value === 'string' || Array.isArray(value) ? value.length : 0;
const linearOnly: Announcement = () => undefined;

/** Some work of JSONata's functions grows with the square of the number of items. */
const square: Announcement = ([items], meter) => meter.spend(size(items) ** 2 / 128);

const pad: Announcement = ([, width, filling], meter) => {
  if (typeof width === 'number') meter.admit(Math.abs(width) * Math.max(1, size(filling)));
};

const join: Announcement = ([texts, separator], meter) => {
  if (!Array.isArray(texts)) return;
  let bytes = texts.length * size(separator);
  for (const text of texts) bytes += size(text);
  meter.admit(bytes);
};

const replace: Announcement = ([text, pattern, replacement], meter) => {
  if (typeof text !== 'string' || typeof replacement !== 'string') return;
  if (typeof pattern === 'string') {
    const found = pattern === '' ? 0 : text.split(pattern).length - 1;
    return meter.admit(text.length + found * replacement.length);
  }
  // Each match may be empty, and each $ of the replacement may stand for all of a match.
  const groups = replacement.split('$').length - 1;
  meter.admit((text.length + 1) * (1 + replacement.length - groups) + text.length * groups);
};

const failed = (message: string): Stop => new Stop('EXPRESSION_FAILED', message);

// With exponents the original never returns for zero and below; options can redefine what an exponent looks like.
const formatNumber: Announcement = ([, picture, options]) => {
  if (!isText(picture) || !/^[#0.,%-]{1,64}$/.test(picture) || options !== undefined) {
    throw failed('$formatNumber takes a picture of # 0 . , % - here, and no options');
  }
};

// As far as dates of JavaScript go.
const TIME_MAX_MS = 8.64e15;
const DATE_PICTURE =
  /^(?:[^[\]]|\[[YMDdFHhPmsfZz](?:0{0,3}1|#1|N|n|Nn)?(?:,[1-9]-[1-9])?\]){0,64}$/;

const fromMillis: Announcement = ([millis, picture]) => {
  if (typeof millis === 'number' && Math.abs(millis) > TIME_MAX_MS) throw failed('no such time');
  if (picture !== undefined && !(isText(picture) && DATE_PICTURE.test(picture))) {
    throw failed('$fromMillis takes simple pictures here, such as [Y0001]-[M01]-[D01]');
  }
};

// Pictures become regular expressions that look back, which payloads could make endless.
const toMillis: Announcement = ([text, picture]) => {
  if (picture !== undefined) throw failed('$toMillis takes ISO 8601 here, and no picture');
  if (size(text) > 64) throw failed('the text is too long for a time');
};

/** The functions of the language that expressions may call. Not among them: `$eval`, since payloads are hostile; `$clone`, since nothing changes in place; and those whose pictures can loop for ever. */
const ANNOUNCEMENTS: Readonly<Record<string, Announcement>> = {
  ...Object.fromEntries(
    [
      ...['sum', 'count', 'max', 'min', 'average', 'string', 'substring', 'substringBefore'],
      ...['substringAfter', 'lowercase', 'uppercase', 'length', 'trim', 'match', 'contains'],
      ...['split', 'formatBase', 'number', 'floor', 'ceil', 'round', 'abs', 'sqrt', 'power'],
      ...['random', 'boolean', 'not', 'map', 'zip', 'filter', 'single', 'reduce', 'sift', 'keys'],
      ...['lookup', 'append', 'exists', 'merge', 'reverse', 'each', 'error', 'assert', 'type'],
      ...['shuffle', 'base64encode', 'base64decode', 'encodeUrlComponent', 'encodeUrl'],
      ...['decodeUrlComponent', 'decodeUrl'],
    ].map((name) => [name, linearOnly]),
  ),
  sort: square,
  distinct: square,
  spread: square,
  pad,
  join,
  replace,
  formatNumber,
  fromMillis,
  toMillis,
};

/** Functions that belong to an evaluation, and need no guard. */
const OWN = ['now', 'millis', 'bytes'];

/** Whether the language has a function of that name, without its `$`. */
export function isFunctionName(name: string): boolean {
  return Object.hasOwn(ANNOUNCEMENTS, name) || OWN.includes(name);
}

/** The implementations of the language itself, found once. */
const ORIGINALS = Object.keys(ANNOUNCEMENTS).map((name) => {
  // The value of a function's name is its definition: there is no other way to it.
  const definition = parse(`$${name}`).evaluate(undefined, {}) as FunctionDefinition;
  return [name, definition] as const;
});

/** Puts guarded functions in the place of the language's own, and adds `$bytes`, which makes bytes of base64. */
export function guardFunctions(expression: ParsedExpression, meter: Meter): void {
  for (const [name, { implementation, signature }] of ORIGINALS) {
    const announce = ANNOUNCEMENTS[name] ?? linearOnly;
    const guarded: Implementation = function (...args) {
      meter.spend(1);
      for (const arg of args) {
        if (typeof arg === 'number' && !Number.isFinite(arg))
          throw failed('a number is out of range');
        meter.touch(arg);
      }
      announce(args, meter);
      return implementation.apply(this, args);
    };
    // Functions that take functions ask how many arguments they want.
    Object.defineProperty(guarded, 'length', { value: implementation.length });
    expression.registerFunction(name, guarded, signature.definition);
  }
  expression.registerFunction('bytes', bytes, '<s-:o>');
  replaceRanges(expression, meter);
}

const RANGE = '__range';

/** Makes calls of ranges: as operators they take all their memory before anybody is asked. */
function replaceRanges(expression: ParsedExpression, meter: Meter): void {
  for (const node of nodesOf(expression.ast())) {
    if (node.type !== 'binary' || node.value !== '..') continue;
    const procedure = { type: 'variable', value: RANGE, position: node.position };
    Object.assign(node, { type: 'function', procedure, arguments: [node['lhs'], node['rhs']] });
  }
  expression.registerFunction(RANGE, (first, last) => {
    if (first === undefined || last === undefined) return undefined;
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
      throw failed('the sides of .. are not integers');
    }
    const length = Number(last) - Number(first) + 1;
    if (length < 1) return undefined;
    meter.admit(length * 8);
    const items = Array.from({ length }, (_, index) => Number(first) + index);
    // A sequence, which merges into the array around it.
    return Object.assign(items, { sequence: true });
  });
}

function bytes(base64: unknown): Bytes | undefined {
  return typeof base64 === 'string' ? new Bytes(Buffer.from(base64, 'base64')) : undefined;
}

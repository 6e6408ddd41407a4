import type { JsonataError } from './jsonata-door.ts';

/** What to do about the mistakes that people make most. */
const REMEDIES: Readonly<Record<string, string>> = {
  S0101: 'close the text with the quote it began with',
  S0105: 'close the name with a backquote',
  S0106: 'close the comment with */',
  S0301: 'write a pattern between the slashes',
  S0302: 'close the regular expression with /',
  S0203: 'close what is open, or remove it',
  S0207: 'the expression ends too early',
};

/** Operators of other languages, by the token that JSONata trips over. */
const OPERATORS: Readonly<Record<string, string>> = {
  '=': 'compare with a single =',
  '&': 'write and instead of &&',
  '|': 'write or instead of ||',
  '!': 'write $not( ) instead of !',
};

/** Says what is wrong with an expression, and what to write instead where that is known. */
export function syntaxText(error: unknown): string {
  if (error instanceof RangeError) return 'nests too deeply';
  const { code, message, token } = error as JsonataError;
  const text = typeof message === 'string' ? message : 'is not an expression of JSONata';
  const remedy = OPERATORS[String(token)] ?? REMEDIES[String(code)];
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

/** What can go wrong with the values of a message. JSONata's own texts repeat the values, which may be secret. */
const FAILURES: Readonly<Record<string, string>> = {
  D1001: 'a number is out of range',
  D1002: 'what is negated is no number',
  D1004: 'the regular expression matches an empty text',
  D1009: 'two keys of an object are the same',
  D2014: 'the range is too long',
  D3001: 'a number is out of range',
  D3030: 'the value cannot be made a number',
  D3060: 'the square root of a negative number',
  D3061: 'a number is out of range',
  D3110: 'the text is no ISO 8601 time',
  D3138: '$single found more than one',
  D3139: '$single found none',
  D3140: 'the text is no URL',
  T0410: 'an argument is of the wrong type',
  T0411: 'the context is of the wrong type',
  T0412: 'the items of an array are of the wrong type',
  T1003: 'the key of an object is not text',
  T1005: 'what is called is no function',
  T1006: 'what is called is no function',
  T2001: 'the left side is no number',
  T2002: 'the right side is no number',
  T2003: 'the left side of .. is no integer',
  T2004: 'the right side of .. is no integer',
  T2006: 'the right side of ~> is no function',
  T2007: 'values of different types cannot be ordered',
  T2008: 'only numbers and texts can be ordered',
  T2009: 'a text and a number cannot be compared',
  T2010: 'only numbers and texts can be compared',
};

const OWN_TEXT_LENGTH_MAX = 200;

/** Says why the values of a message do not fit, with the operator or function that was reached. */
export function failureText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'the evaluation failed';
  const { code, message, token } = error as JsonataError;
  // $error and $assert: the text is the author's own.
  if ((code === 'D3137' || code === 'D3141') && typeof message === 'string') {
    return message.slice(0, OWN_TEXT_LENGTH_MAX);
  }
  const text = FAILURES[String(code)] ?? `the evaluation failed (${String(code)})`;
  return typeof token === 'string' ? `${text}, at ${token}` : text;
}

import { RE2JS } from 're2js';
import { Stop } from './faults.ts';

interface Match extends Array<string | undefined> {
  index: number;
}

const compiled = new WeakMap<RegExp, RE2JS>();
let payFor: (steps: number) => void = () => undefined;

/** Names who pays for searches from now on. Evaluations are synchronous, so there is one at a time. */
export function payForSearches(pay: (steps: number) => void): void {
  payFor = pay;
}

/**
 * Translates a regular expression for an engine whose time is linear in the text, whatever the pattern.
 *
 * @throws Error when it looks ahead or behind or refers back, which no linear engine can.
 */
export function linear(pattern: RegExp): RE2JS {
  let known = compiled.get(pattern);
  if (known === undefined) {
    known = RE2JS.compile(RE2JS.translateRegExp(pattern));
    compiled.set(pattern, known);
  }
  return known;
}

/** As much of a global RegExp as the evaluator of JSONata uses. */
export class LinearRegExp {
  lastIndex = 0;
  readonly #pattern: RegExp;

  constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  exec(text: unknown): Match | null {
    if (typeof text !== 'string') throw new Stop('EXPRESSION_FAILED', 'only text can be matched');
    const reach = text.length - this.lastIndex;
    payFor(1 + ((reach * (1 + (this.#pattern.source.length >> 4))) >> 3));
    const matcher = linear(this.#pattern).matcher(text);
    if (reach < 0 || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    this.lastIndex = matcher.end();
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => {
      return matcher.group(group) ?? undefined;
    });
    return Object.assign(groups, { index: matcher.start() });
  }
}

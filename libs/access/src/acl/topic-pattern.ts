import type { Principal } from '../principal.ts';

const PLACEHOLDER = /\$\{(?<field>[^}]*)\}/gu;
const VALUES: ReadonlyMap<string, (principal: Principal) => string | undefined> = new Map([
  ['clientid', (principal: Principal) => principal.clientId],
  // As other templates of the configuration spell it.
  ['clientId', (principal: Principal) => principal.clientId],
  ['username', (principal: Principal) => principal.user],
  ['cert.cn', (principal: Principal) => principal.certificate?.commonName],
]);
/** What no value may hold: it has to be a part of one level, and to mean itself. */
const UNSAFE = /[+#/\0]/u;

/** A topic filter of a rule, with placeholders for what is known of a client. */
export class TopicPattern {
  readonly #text: string;
  /** Of a filter without placeholders: one for all principals. */
  readonly #levels: readonly string[] | undefined;

  private constructor(text: string) {
    this.#text = text;
    this.#levels = text.includes('${') ? undefined : text.split('/');
  }

  /** @returns undefined when it holds a placeholder that nobody knows. */
  static parse(text: string): TopicPattern | undefined {
    for (const { groups } of text.matchAll(PLACEHOLDER)) {
      if (!VALUES.has(groups?.['field'] ?? '')) return undefined;
    }
    // What is left of `${` is no placeholder, and nobody has meant it as text.
    return text.replace(PLACEHOLDER, '').includes('${') ? undefined : new TopicPattern(text);
  }

  /** The levels of the filter for a principal; undefined when what is known of it does not fit, so that nothing is matched. */
  levelsFor(principal: Principal): readonly string[] | undefined {
    if (this.#levels !== undefined) return this.#levels;
    let isFit = true;
    const filled = this.#text.replace(PLACEHOLDER, (_, field: string, offset: number) => {
      const value = VALUES.get(field)?.(principal) ?? '';
      // At the beginning, $ would make a topic of the broker's own of it.
      if (value === '' || UNSAFE.test(value) || (offset === 0 && value.startsWith('$'))) {
        isFit = false;
      }
      return value;
    });
    return isFit ? filled.split('/') : undefined;
  }
}

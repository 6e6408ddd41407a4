import { TopicTrie } from '#libs/topic-index';
import { NameTemplate, type ClientIdentity } from './name-template.ts';

/** Which packets a rewrite rule is for: PUBLISH and wills, SUBSCRIBE and UNSUBSCRIBE, or all of them. */
export type RewriteAction = 'publish' | 'subscribe' | 'all';

/** Replaces topic names, or filters, by others. */
export interface RewriteRule {
  readonly action: RewriteAction;
  /** Which names it is for. Each wildcard captures what it stands for. */
  readonly filter: string;
  /** The new name: a template with `$1` to `$9` for the wildcards of the filter in order, and the client's placeholders. */
  readonly destination: string;
}

interface Rule {
  readonly index: number;
  readonly levels: readonly string[];
  readonly destination: NameTemplate;
}

/**
 * The rewrite rules of a node: the first that a name falls under makes the new one.
 *
 * @remarks Patterns are topic filters and not regular expressions: nothing backtracks, so the cost of a name is that of
 * its matching rules, whatever a client sends, and does not grow with the number of the others.
 */
export class TopicRewriter {
  readonly #rules = { publish: new TopicTrie<Rule>(), subscribe: new TopicTrie<Rule>() };
  /** Kept between calls to spare an allocation; empty outside rewrite(). */
  readonly #found: Rule[] = [];

  /** @throws Error when a destination holds a placeholder that its filter does not give. */
  constructor(rules: readonly RewriteRule[]) {
    for (const [index, { action, filter, destination }] of rules.entries()) {
      const levels = filter.split('/');
      const captures = levels.filter(isWildcardLevel).length;
      const rule = { index, levels, destination: new NameTemplate(destination, captures) };
      if (action !== 'subscribe') this.#rules.publish.add(filter, rule);
      if (action !== 'publish') this.#rules.subscribe.add(filter, rule);
    }
  }

  /**
   * The new name of a valid topic (`publish`) or of a valid filter without prefix (`subscribe`). A filter falls under a rule when
   * every topic that it matches does.
   *
   * @returns the name itself when no rule is for it; undefined when the client's id, name or address does not fit into the new one.
   */
  rewrite(kind: 'publish' | 'subscribe', name: string, client: ClientIdentity): string | undefined {
    const found = this.#found;
    this.#rules[kind].match(name, found);
    if (found.length === 0) return name;
    const levels = name.split('/');
    let first:
      { readonly rule: Rule; readonly captures: readonly (string | undefined)[] } | undefined;
    for (const rule of found) {
      if (first !== undefined && first.rule.index < rule.index) continue;
      const captures = capturesOf(rule.levels, levels);
      if (captures !== undefined) first = { rule, captures };
    }
    found.length = 0;
    return first === undefined ? name : first.rule.destination.fill(client, first.captures);
  }
}

/** What the wildcards of a pattern stand for in a name that it matches; undefined when the name, a filter, reaches beyond it. */
function capturesOf(
  pattern: readonly string[],
  name: readonly string[],
): readonly (string | undefined)[] | undefined {
  const captures: (string | undefined)[] = [];
  for (const [depth, wanted] of pattern.entries()) {
    const level = name[depth];
    if (wanted === '#') {
      captures.push(level === undefined ? undefined : name.slice(depth).join('/'));
      return captures;
    }
    if (level === '#') return undefined;
    if (wanted === '+') captures.push(level);
  }
  return captures;
}

function isWildcardLevel(level: string): boolean {
  return level === '+' || level === '#';
}

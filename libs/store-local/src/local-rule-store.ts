import type { BridgeRule, RuleStore, RuleWriteResult, StoredRule } from '#libs/broker-ports';
import { jsonFormat, Table, type Journal } from './journal.ts';
import type { LocalStoreOptions } from './local-store-options.ts';
import { TABLES } from './tables.ts';

const CONFLICT: RuleWriteResult = { kind: 'conflict' };
const ABSENT: RuleWriteResult = { kind: 'absent' };

interface Entry {
  /** Its name in the table: the revision it was created with. */
  readonly number: number;
  readonly stored: StoredRule;
}

/**
 * The bridge rules of a single node: all in memory, and in a journal when they are to survive the process.
 *
 * @remarks Revisions are counted for all rules together, so that a rule made again never has a revision of its forerunner.
 */
export class LocalRuleStore implements RuleStore {
  readonly #journal: Journal | undefined;
  readonly #rules: Table<StoredRule>;
  /** One value: the latest revision of any rule, those deleted included. */
  readonly #revisions: Table<number>;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers: ((rules: readonly StoredRule[]) => void)[] = [];
  #revision = 0;

  constructor({ journal }: Pick<LocalStoreOptions, 'journal'> = {}) {
    this.#journal = journal;
    this.#rules = new Table(journal, jsonFormat<StoredRule>(TABLES.rules));
    this.#revisions = new Table(journal, jsonFormat<number>(TABLES.ruleRevisions));
    for (const { path, value } of this.#rules.entries()) {
      this.#entries.set(value.rule.id, { number: path[0] ?? 0, stored: value });
    }
    for (const { value } of this.#revisions.entries()) this.#revision = value;
  }

  async list(): Promise<readonly StoredRule[]> {
    return this.#list();
  }

  async put(rule: BridgeRule, revision: number | undefined): Promise<RuleWriteResult> {
    const before = this.#entries.get(rule.id);
    if (before === undefined && revision !== undefined) return ABSENT;
    if (before?.stored.revision !== revision) return CONFLICT;
    this.#revision += 1;
    const stored: StoredRule = { rule, source: 'api', revision: this.#revision };
    const number = before?.number ?? this.#revision;
    this.#entries.set(rule.id, { number, stored });
    this.#rules.put([number], stored);
    this.#revisions.put([0], this.#revision);
    await this.#committed();
    return { kind: 'stored', stored };
  }

  async remove(id: string, revision: number | undefined): Promise<RuleWriteResult> {
    const before = this.#entries.get(id);
    if (before === undefined) return ABSENT;
    if (revision !== undefined && before.stored.revision !== revision) return CONFLICT;
    this.#entries.delete(id);
    this.#rules.remove([before.number]);
    await this.#committed();
    return { kind: 'stored', stored: before.stored };
  }

  watch(changed: (rules: readonly StoredRule[]) => void): void {
    this.#watchers.push(changed);
    changed(this.#list());
  }

  async close(): Promise<void> {
    this.#watchers.length = 0;
    await this.#journal?.committed();
  }

  async #committed(): Promise<void> {
    try {
      await this.#journal?.committed();
    } finally {
      // Also when it could not be written: the rule is in force, and the next write takes it along.
      for (const changed of this.#watchers) changed(this.#list());
    }
  }

  #list(): StoredRule[] {
    const rules = Array.from(this.#entries.values(), ({ stored }) => stored);
    return rules.sort((one, other) => (one.rule.id < other.rule.id ? -1 : 1));
  }
}

import type { Bridge, BridgeRule, RuleStore, RuleWriteResult } from '#libs/broker-ports';
import type { CommandOf, WireRuleChange, WireRuleState, WireStoredRule } from '#libs/api-contracts';
import { bridgeRuleOf } from './wire.ts';

/** What rule commands work on. */
export interface RuleCommandsOptions {
  readonly store: RuleStore;
  /** The rules of the configuration: shown, never changed. */
  readonly configured: readonly BridgeRule[];
  readonly bridge: Pick<Bridge, 'status' | 'ruleFault'>;
}

/** Bridge rules as the API sees them: those of the configuration and those it made itself. */
export class RuleCommands {
  readonly #options: RuleCommandsOptions;

  constructor(options: RuleCommandsOptions) {
    this.#options = options;
  }

  /** All rules. One of the configuration hides a stored one of the same id, as it does in the bridge. */
  async list(): Promise<readonly WireStoredRule[]> {
    const { store, configured } = this.#options;
    const stored = await store.list();
    return [
      ...configured.map((rule) => ({ rule, source: 'config' as const, revision: 0 })),
      ...stored.filter(({ rule }) => !this.#isConfigured(rule.id)),
    ];
  }

  /** How each rule fares on this node. */
  states(): readonly WireRuleState[] {
    return this.#options.bridge.status();
  }

  async put({ rule: wire, revision }: CommandOf<'put-rule'>): Promise<WireRuleChange> {
    const rule = bridgeRuleOf(wire);
    if (this.#isConfigured(rule.id)) return { kind: 'read-only' };
    const detail = this.#options.bridge.ruleFault(rule);
    if (detail !== undefined) return { kind: 'invalid', detail };
    return changeOf(await this.#options.store.put(rule, revision));
  }

  async remove({ id, revision }: CommandOf<'remove-rule'>): Promise<WireRuleChange> {
    if (this.#isConfigured(id)) return { kind: 'read-only' };
    return changeOf(await this.#options.store.remove(id, revision));
  }

  #isConfigured(id: string): boolean {
    return this.#options.configured.some((rule) => rule.id === id);
  }
}

/** Both sides name the outcomes alike; this fails to compile when they part. */
function changeOf(result: RuleWriteResult): WireRuleChange {
  return result;
}

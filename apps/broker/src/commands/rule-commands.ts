import type { Bridge, BridgeRule, RuleStore, RuleWriteResult } from '#libs/broker-ports';
import type { CommandOf, WireRuleChange, WireRuleState, WireStoredRule } from '#libs/api-contracts';
import { bridgeRuleOf } from './wire.ts';

const NO_BRIDGE = 'The nodes have no Kafka: set `kafka.brokers` (SKEIN_KAFKA_BROKERS) first';

/** What rule commands work on. */
export interface RuleCommandsOptions {
  readonly store: RuleStore;
  /** The rules of the configuration: shown, never changed. */
  readonly configured: readonly BridgeRule[];
  /** Undefined without Kafka: no rule can be in force then. */
  readonly bridge: Pick<Bridge, 'status' | 'ruleFault'> | undefined;
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
  async states(): Promise<readonly WireRuleState[]> {
    const { bridge } = this.#options;
    if (bridge !== undefined) return bridge.status();
    const rules = await this.list();
    return rules.map(({ rule }) => ({ id: rule.id, state: 'stopped', lastError: NO_BRIDGE }));
  }

  async put({ rule: wire, revision }: CommandOf<'put-rule'>): Promise<WireRuleChange> {
    const rule = bridgeRuleOf(wire);
    if (this.#isConfigured(rule.id)) return { kind: 'read-only' };
    const { bridge } = this.#options;
    const detail = bridge === undefined ? NO_BRIDGE : bridge.ruleFault(rule);
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

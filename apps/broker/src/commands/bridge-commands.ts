import type { Bridge, BridgeRule, Connector, RuleStore, RuleWriteResult } from '#libs/broker-ports';
import type {
  CommandOf,
  NodeAnswers,
  WireBridge,
  WireRuleChange,
  WireRuleState,
  WireRuleTrial,
  WireStoredRule,
} from '#libs/api-contracts';
import { ruleSampleOf, wireTrialOf, type SampleOrigin } from './rule-trials.ts';
import { bridgeRuleOf } from './wire.ts';

/** What commands on bridges and their rules work on. */
export interface BridgeCommandsOptions {
  readonly connectors: readonly Connector[];
  readonly store: RuleStore;
  /** The rules of the configuration: shown, never changed. */
  readonly configured: readonly BridgeRule[];
  readonly bridge: Pick<Bridge, 'status' | 'connectors' | 'ruleFault' | 'test' | 'tryRule'>;
}

/** Bridges and rules as the API sees them: those of the configuration, and the rules it made itself. */
export class BridgeCommands {
  readonly #options: BridgeCommandsOptions;

  constructor(options: BridgeCommandsOptions) {
    this.#options = options;
  }

  /** The bridges of this node, and how they fare. */
  bridges(): readonly WireBridge[] {
    const { bridge, connectors } = this.#options;
    return bridge.connectors().flatMap(({ id, state, lastError }) => {
      const connector = connectors.find((each) => each.id === id);
      return connector === undefined ? [] : [{ connector, state, lastError }];
    });
  }

  /** Whether this node can work with the other side of a bridge. */
  async test({ id, ...request }: CommandOf<'test-bridge'>): Promise<NodeAnswers['test-bridge']> {
    return { steps: await this.#options.bridge.test(id, request) };
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

  /** What a rule, saved or not, would make of a sample. */
  async tryRule(
    { rule, sample }: CommandOf<'try-rule'>,
    origin: SampleOrigin,
  ): Promise<WireRuleTrial> {
    const tried = typeof rule === 'string' ? await this.#find(rule) : bridgeRuleOf(rule);
    if (tried === undefined) return { kind: 'absent' };
    return wireTrialOf(this.#options.bridge.tryRule(tried, ruleSampleOf(sample, origin)));
  }

  async #find(id: string): Promise<BridgeRule | undefined> {
    const { store, configured } = this.#options;
    const fixed = configured.find((rule) => rule.id === id);
    return fixed ?? (await store.list()).find(({ rule }) => rule.id === id)?.rule;
  }

  #isConfigured(id: string): boolean {
    return this.#options.configured.some((rule) => rule.id === id);
  }
}

/** Both sides name the outcomes alike; this fails to compile when they part. */
function changeOf(result: RuleWriteResult): WireRuleChange {
  return result;
}

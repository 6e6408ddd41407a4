import type {
  Bridge,
  BridgeRule,
  ConnectorStatus,
  DefinitionWriteResult,
  RuleStore,
  ConnectorStore,
  StoredDefinition,
} from '#libs/broker-ports';
import type {
  CommandOf,
  NodeAnswers,
  WireBridge,
  WireBridgeChange,
  WireFieldFault,
  WireRuleChange,
  WireRuleState,
  WireRuleTrial,
  WireStoredRule,
} from '#libs/api-contracts';
import { ruleSampleOf, wireTrialOf, type SampleOrigin } from './rule-trials.ts';
import { checkRemoteConnector, type RemotePolicy } from '#libs/config';
import type { BridgeDefinitions } from '../bridge-definitions.ts';
import type { BridgeAtWork } from './bridge-work-commands.ts';
import { bridgeRuleOf } from './wire.ts';

/** What commands on bridges and their rules work on. */
export interface BridgeCommandsOptions {
  readonly definitions: BridgeDefinitions;
  readonly connectors: Pick<ConnectorStore, 'put' | 'remove'>;
  readonly rules: Pick<RuleStore, 'put' | 'remove'>;
  /** What bridges made here may name. */
  readonly policy: RemotePolicy;
  readonly bridge: BridgeAtWork &
    Pick<Bridge, 'status' | 'connectors' | 'ruleFault' | 'test' | 'tryRule'>;
}

/** Not applied yet: the node has not heard of the bridge. */
const UNUSED = { state: 'unused', lastError: undefined } as const;

/** Bridges and rules as the API sees them: those of the configuration, and those it made itself. */
export class BridgeCommands {
  readonly #options: BridgeCommandsOptions;

  constructor(options: BridgeCommandsOptions) {
    this.#options = options;
  }

  /** All bridges, and how they fare on this node. */
  async bridges(): Promise<readonly WireBridge[]> {
    const { bridge, definitions } = this.#options;
    const states = new Map<string, ConnectorStatus>(
      bridge.connectors().map((status) => [status.id, status]),
    );
    return (await definitions.connectors()).map(({ item, source, revision }) => {
      const { state, lastError } = states.get(item.id) ?? UNUSED;
      return { connector: item, source, revision, state, lastError };
    });
  }

  /** Makes or replaces a bridge. */
  async putBridge({ connector, revision }: CommandOf<'put-bridge'>): Promise<WireBridgeChange> {
    const { policy, connectors, definitions } = this.#options;
    const checked = checkRemoteConnector(connector, policy);
    if (checked.kind === 'faulty') return { kind: 'invalid', faults: checked.faults };
    const { id, kind } = checked.connector;
    const present = (await definitions.connectors()).find(({ item }) => item.id === id);
    if (present?.source === 'config') return { kind: 'read-only' };
    const rules = present === undefined || present.item.kind === kind ? [] : await this.#users(id);
    if (rules.length > 0) return { kind: 'in-use', rules };
    return bridgeChangeOf(await connectors.put(checked.connector, revision));
  }

  /** Removes a bridge that no rule names. */
  async removeBridge({ id, revision }: CommandOf<'remove-bridge'>): Promise<WireBridgeChange> {
    const { connectors, definitions } = this.#options;
    const present = (await definitions.connectors()).find(({ item }) => item.id === id);
    if (present?.source === 'config') return { kind: 'read-only' };
    const rules = await this.#users(id);
    if (rules.length > 0) return { kind: 'in-use', rules };
    return bridgeChangeOf(await connectors.remove(id, revision));
  }

  /** Whether this node can work with the other side of a bridge, be it stored or not. */
  async test(command: CommandOf<'test-bridge'>): Promise<NodeAnswers['test-bridge']> {
    const { bridge, definitions, policy } = this.#options;
    const { target, withinMs } = command;
    if ('connector' in command) {
      const checked = checkRemoteConnector(command.connector, policy);
      if (checked.kind === 'faulty') return { faults: checked.faults };
      return { steps: await bridge.test(checked.connector, { target, withinMs }) };
    }
    const stored = await definitions.connectors();
    const { connectors, refused } = definitions.ground(stored);
    const refusal = refused.get(command.id);
    if (refusal !== undefined) return { faults: [faultOf(refusal)] };
    const connector = connectors.find(({ id }) => id === command.id);
    if (connector === undefined) return {};
    return { steps: await bridge.test(connector, { target, withinMs }) };
  }

  /** All rules, in their order. */
  async list(): Promise<NodeAnswers['rules']> {
    const { rules, orderRevision } = await this.#options.definitions.orderedRules();
    return { rules: rules.map(wireRuleOf), orderRevision };
  }

  /** How each rule fares on this node. */
  states(): readonly WireRuleState[] {
    return this.#options.bridge.status();
  }

  async put({ rule: wire, revision }: CommandOf<'put-rule'>): Promise<WireRuleChange> {
    const { bridge, definitions, rules } = this.#options;
    const rule = bridgeRuleOf(wire);
    if (await this.#isConfigured(rule.id)) return { kind: 'read-only' };
    // The bridge may have been made a moment ago, and this node not have heard of it.
    const detail = bridge.ruleFault(rule, definitions.ground(await definitions.connectors()));
    if (detail !== undefined) return { kind: 'invalid', detail };
    return ruleChangeOf(await rules.put(rule, revision));
  }

  async remove({ id, revision }: CommandOf<'remove-rule'>): Promise<WireRuleChange> {
    if (await this.#isConfigured(id)) return { kind: 'read-only' };
    return ruleChangeOf(await this.#options.rules.remove(id, revision));
  }

  /** What a rule, saved or not, would make of a sample. */
  async tryRule(
    { rule, sample }: CommandOf<'try-rule'>,
    origin: SampleOrigin,
  ): Promise<WireRuleTrial> {
    const { bridge, definitions } = this.#options;
    const tried = typeof rule === 'string' ? await this.#find(rule) : bridgeRuleOf(rule);
    if (tried === undefined) return { kind: 'absent' };
    const ground = definitions.ground(await definitions.connectors());
    return wireTrialOf(bridge.tryRule(tried, ruleSampleOf(sample, origin), ground));
  }

  async #find(id: string): Promise<BridgeRule | undefined> {
    return (await this.#options.definitions.rules()).find(({ item }) => item.id === id)?.item;
  }

  /** The ids of the rules that name a bridge. */
  async #users(bridge: string): Promise<readonly string[]> {
    const rules = await this.#options.definitions.rules();
    return rules.filter(({ item }) => item.bridge === bridge).map(({ item }) => item.id);
  }

  async #isConfigured(rule: string): Promise<boolean> {
    const rules = await this.#options.definitions.rules();
    return rules.some(({ item, source }) => item.id === rule && source === 'config');
  }
}

function faultOf(problem: string): WireFieldFault {
  return { path: [], problem };
}

function wireRuleOf({ item, ...rest }: StoredDefinition<BridgeRule>): WireStoredRule {
  return { rule: item, ...rest };
}

function ruleChangeOf(result: DefinitionWriteResult<BridgeRule>): WireRuleChange {
  return result.kind === 'stored' ? { ...result, stored: wireRuleOf(result.stored) } : result;
}

function bridgeChangeOf(
  result: Awaited<ReturnType<ConnectorStore['put' | 'remove']>>,
): WireBridgeChange {
  if (result.kind !== 'stored') return result;
  const { item, ...rest } = result.stored;
  return { kind: 'stored', stored: { connector: item, ...rest } };
}

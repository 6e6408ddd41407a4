import { isDeepStrictEqual } from 'node:util';
import {
  RULE_ORDER_DOCUMENT_ID,
  type Bridge,
  type BridgeGround,
  type BridgeRule,
  type Connector,
  type ConnectorStore,
  type DefinitionStore,
  type RuleOrderDocument,
  type RuleStore,
  type StoredDefinition,
} from '#libs/broker-ports';
import { checkRemoteConnector, type RemotePolicy } from '#libs/config';

/** Where bridges and their rules are defined. */
export interface BridgeDefinitionsOptions {
  readonly config: {
    readonly bridge: RemotePolicy;
    readonly bridges: readonly Connector[];
    readonly bridgeRules: readonly BridgeRule[];
  };
  readonly connectors: Pick<ConnectorStore, 'list' | 'watch'>;
  readonly rules: Pick<RuleStore, 'list' | 'watch'>;
  readonly order: Pick<DefinitionStore<RuleOrderDocument>, 'get' | 'put' | 'watch'>;
}

/** What came of putting rules into another order. */
export type RuleOrderChange =
  | { readonly kind: 'stored'; readonly revision: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'invalid'; readonly detail: string };

/**
 * The connectors and rules of a node: those of the configuration, and those made through the API. One of the configuration
 * hides a stored one of the same id.
 */
export class BridgeDefinitions {
  readonly #options: BridgeDefinitionsOptions;

  /** The connectors as they were told last. */
  #known: readonly Connector[];

  constructor(options: BridgeDefinitionsOptions) {
    this.#options = options;
    this.#known = options.config.bridges;
  }

  /** All connectors as this node knows them, whether or not the store answers. */
  get known(): readonly Connector[] {
    return this.#known;
  }

  /** All connectors, as they are stored at this moment. */
  async connectors(): Promise<readonly StoredDefinition<Connector>[]> {
    const { config, connectors } = this.#options;
    return merged(config.bridges, await connectors.list());
  }

  /** All rules in their order, as they are stored at this moment. */
  async rules(): Promise<readonly StoredDefinition<BridgeRule>[]> {
    return (await this.orderedRules()).rules;
  }

  /** As rules(), with the revision of the order; 0 when none was set. */
  async orderedRules(): Promise<{
    readonly rules: readonly StoredDefinition<BridgeRule>[];
    readonly orderRevision: number;
  }> {
    const { config, rules, order } = this.#options;
    const [stored, found] = await Promise.all([rules.list(), order.get(RULE_ORDER_DOCUMENT_ID)]);
    const all = merged(config.bridgeRules, stored);
    return { rules: ordered(all, found?.item.rules), orderRevision: found?.revision ?? 0 };
  }

  /** Puts all rules into another order, if the present one has this revision. */
  async order(ids: readonly string[], revision: number): Promise<RuleOrderChange> {
    const known = (await this.rules()).map(({ item }) => item.id);
    const stranger = ids.find((id, index) => !known.includes(id) || ids.indexOf(id) !== index);
    const missing = known.find((id) => !ids.includes(id));
    if (stranger !== undefined) {
      const detail = known.includes(stranger) ? 'is named twice' : 'is none there is';
      return { kind: 'invalid', detail: `The rule ${JSON.stringify(stranger)} ${detail}` };
    }
    if (missing !== undefined) {
      return { kind: 'invalid', detail: `The rule ${missing} is missing` };
    }
    const item = { id: RULE_ORDER_DOCUMENT_ID, rules: ids } as const;
    const result = await this.#options.order.put(item, revision === 0 ? undefined : revision);
    if (result.kind !== 'stored') return { kind: 'conflict' };
    return { kind: 'stored', revision: result.stored.revision };
  }

  /**
   * What rules may name on this node.
   *
   * @remarks A connector that was made through the API is looked at by each node anew, for nodes may permit different things,
   * and an older or newer one may have taken it.
   */
  ground(connectors: readonly StoredDefinition<Connector>[]): BridgeGround {
    const usable: Connector[] = [];
    const refused = new Map<string, string>();
    for (const { item, source } of connectors) {
      const checked =
        source === 'api' ? checkRemoteConnector(item, this.#options.config.bridge) : undefined;
      if (checked?.kind === 'faulty') {
        const [fault] = checked.faults;
        refused.set(item.id, `${fault?.path.join('.') ?? ''} ${fault?.problem ?? ''}`);
      } else usable.push(checked?.connector ?? item);
    }
    return { connectors: usable, refused };
  }

  /** Keeps a bridge at work with what is defined: at first with the configuration, soon with all. */
  drive(bridge: Pick<Bridge, 'apply'>): void {
    const { config, ...stores } = this.#options;
    let connectors: readonly StoredDefinition<Connector>[] | undefined;
    let rules: readonly StoredDefinition<BridgeRule>[] | undefined;
    let removed: ReadonlyMap<string, number> | undefined;
    let order: readonly string[] | undefined;
    bridge.apply(config.bridgeRules, this.ground(merged(config.bridges, [])));
    const changed = (): void => {
      // Rules come to nothing without their connectors.
      if (connectors === undefined || rules === undefined) return;
      const all = ordered(merged(config.bridgeRules, rules), order).map(({ item }) => item);
      bridge.apply(all, this.ground(merged(config.bridges, connectors)), removed);
    };
    stores.connectors.watch((stored) => {
      connectors = stored;
      this.#known = merged(config.bridges, stored).map(({ item }) => item);
      changed();
    });
    stores.order.watch((stored) => {
      const next = stored[0]?.item.rules;
      if (isDeepStrictEqual(order, next)) return;
      order = next;
      changed();
    });
    stores.rules.watch((stored, gone) => {
      rules = stored;
      removed = gone;
      changed();
    });
  }
}

/** Those that nobody has ordered come behind: of the configuration as they stand there, then by their ids. */
function ordered(
  rules: readonly StoredDefinition<BridgeRule>[],
  order: readonly string[] = [],
): readonly StoredDefinition<BridgeRule>[] {
  const places = new Map(order.map((id, place) => [id, place]));
  const placeOf = ({ item }: StoredDefinition<BridgeRule>) => places.get(item.id) ?? order.length;
  return rules.toSorted((one, other) => placeOf(one) - placeOf(other));
}

function merged<Item extends { readonly id: string }>(
  configured: readonly Item[],
  stored: readonly StoredDefinition<Item>[],
): readonly StoredDefinition<Item>[] {
  const ids = new Set(configured.map(({ id }) => id));
  return [
    ...configured.map((item) => ({ item, source: 'config' as const, revision: 0 })),
    ...stored
      .filter(({ item }) => !ids.has(item.id))
      .toSorted((one, other) => (one.item.id < other.item.id ? -1 : 1)),
  ];
}

import type {
  Bridge,
  BridgeGround,
  BridgeRule,
  Connector,
  ConnectorStore,
  RuleStore,
  StoredDefinition,
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
}

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

  /** All rules, as they are stored at this moment. */
  async rules(): Promise<readonly StoredDefinition<BridgeRule>[]> {
    const { config, rules } = this.#options;
    return merged(config.bridgeRules, await rules.list());
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
    bridge.apply(config.bridgeRules, this.ground(merged(config.bridges, [])));
    const changed = (): void => {
      // Rules come to nothing without their connectors.
      if (connectors === undefined || rules === undefined) return;
      const all = merged(config.bridgeRules, rules).map(({ item }) => item);
      bridge.apply(all, this.ground(merged(config.bridges, connectors)), removed);
    };
    stores.connectors.watch((stored) => {
      connectors = stored;
      this.#known = merged(config.bridges, stored).map(({ item }) => item);
      changed();
    });
    stores.rules.watch((stored, gone) => {
      rules = stored;
      removed = gone;
      changed();
    });
  }
}

function merged<Item extends { readonly id: string }>(
  configured: readonly Item[],
  stored: readonly StoredDefinition<Item>[],
): readonly StoredDefinition<Item>[] {
  const ids = new Set(configured.map(({ id }) => id));
  return [
    ...configured.map((item) => ({ item, source: 'config' as const, revision: 0 })),
    ...stored.filter(({ item }) => !ids.has(item.id)),
  ];
}

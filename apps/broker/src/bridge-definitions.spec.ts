import { describe, expect, it } from '@jest/globals';
import type {
  BridgeGround,
  BridgeRule,
  Connector,
  DefinitionStore,
  DefinitionsChanged,
  StoredDefinition,
} from '#libs/broker-ports';
import { loadConfig } from '#libs/config';
import { BridgeDefinitions } from './bridge-definitions.ts';

/** Tells its watcher what the test wants it to. */
class ToldStore<Item extends { readonly id: string }> implements Pick<
  DefinitionStore<Item>,
  'list' | 'watch'
> {
  #items: readonly StoredDefinition<Item>[] = [];
  #changed: DefinitionsChanged<Item> | undefined;
  readonly removed = new Map<string, number>();

  tell(...items: Item[]): void {
    this.#items = items.map((item) => ({ item, source: 'api', revision: 1 }));
    this.#changed?.(this.#items, this.removed);
  }

  async list(): Promise<readonly StoredDefinition<Item>[]> {
    return this.#items;
  }

  watch(changed: DefinitionsChanged<Item>): void {
    this.#changed = changed;
  }
}

const kafka = (id: string): Connector => ({
  ...{ id, kind: 'kafka', brokers: ['k:1'], clientId: 'skein', compression: 'lz4' },
});

const rule = (id: string, bridge = 'fixed'): BridgeRule => ({
  ...{ id, bridge, direction: 'kafka-to-mqtt', enabled: true, topic: 't', mqttTopic: 'm' },
  ...{ qos: 1, retain: false },
});

describe('BridgeDefinitions', () => {
  function setUp() {
    const connectors = new ToldStore<Connector>();
    const rules = new ToldStore<BridgeRule>();
    const applied: {
      rules: readonly string[];
      ground: BridgeGround | undefined;
      removed: ReadonlyMap<string, number> | undefined;
    }[] = [];
    const { bridge } = loadConfig({ env: {} });
    const config = { bridge, bridges: [kafka('fixed')], bridgeRules: [rule('seed')] };
    const definitions = new BridgeDefinitions({ config, connectors, rules });
    definitions.drive({
      apply: (all, ground, removed) =>
        applied.push({ rules: all.map(({ id }) => id), ground, removed }),
    });
    return { connectors, rules, applied, definitions };
  }

  it('sets the configuration to work at once, and all when both stores are known', () => {
    const { connectors, rules, applied } = setUp();
    expect(applied.map((each) => each.rules)).toEqual([['seed']]);
    rules.tell(rule('made', 'shop'));
    expect(applied).toHaveLength(1);
    connectors.tell(kafka('shop'));
    expect(applied.at(-1)?.rules).toEqual(['seed', 'made']);
    expect(applied.at(-1)?.ground?.connectors.map(({ id }) => id)).toEqual(['fixed', 'shop']);
    connectors.tell();
    expect(applied.at(-1)?.ground?.connectors.map(({ id }) => id)).toEqual(['fixed']);
  });

  it('tells what was deleted as soon as all rules are known', () => {
    const { connectors, rules, applied } = setUp();
    rules.removed.set('gone', 7);
    rules.tell();
    connectors.tell();
    expect(applied.map(({ removed }) => removed)).toEqual([undefined, new Map([['gone', 7]])]);
  });

  it('has what the configuration names hide what is stored under the same id', async () => {
    const { connectors, rules, definitions } = setUp();
    connectors.tell({ ...kafka('fixed'), compression: 'none' } as Connector);
    rules.tell(rule('seed', 'other'));
    expect(await definitions.connectors()).toEqual([
      { item: kafka('fixed'), source: 'config', revision: 0 },
    ]);
    expect((await definitions.rules()).map(({ item }) => item.bridge)).toEqual(['fixed']);
  });

  it('does not use what this node does not permit, and says why', () => {
    const { connectors, rules, applied } = setUp();
    rules.tell();
    connectors.tell({ ...kafka('bad'), tls: { caFile: '/etc/passwd' } } as Connector);
    const ground = applied.at(-1)?.ground;
    expect(ground?.connectors.map(({ id }) => id)).toEqual(['fixed']);
    expect(ground?.refused.get('bad')).toContain('tls.caFile names a file');
  });
});

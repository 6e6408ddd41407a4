import { describe, expect, it } from '@jest/globals';
import type {
  BridgeGround,
  BridgeRule,
  Connector,
  DefinitionStore,
  DefinitionsChanged,
  RuleOrderDocument,
  StoredDefinition,
} from '#libs/broker-ports';
import { loadConfig } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
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
    const order = new LocalDefinitionStore<RuleOrderDocument>('settings');
    const applied: {
      rules: readonly string[];
      ground: BridgeGround | undefined;
      removed: ReadonlyMap<string, number> | undefined;
    }[] = [];
    const { bridge } = loadConfig({ env: {} });
    const config = { bridge, bridges: [kafka('fixed')], bridgeRules: [rule('seed')] };
    const definitions = new BridgeDefinitions({ config, connectors, rules, order });
    definitions.drive({
      apply: (all, ground, removed) =>
        applied.push({ rules: all.map(({ id }) => id), ground, removed }),
    });
    return { connectors, rules, order, applied, definitions };
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

  it('has rules asked in the order that was set, and those made later behind', async () => {
    const { connectors, rules, applied, definitions } = setUp();
    connectors.tell(kafka('shop'));
    rules.tell(rule('b', 'shop'), rule('a', 'shop'));
    expect(applied.at(-1)?.rules).toEqual(['seed', 'a', 'b']);
    expect(await definitions.order(['b', 'seed', 'a'], 0)).toEqual({ kind: 'stored', revision: 1 });
    expect(applied.at(-1)?.rules).toEqual(['b', 'seed', 'a']);
    rules.tell(rule('b', 'shop'), rule('0', 'shop'), rule('a', 'shop'));
    expect(applied.at(-1)?.rules).toEqual(['b', 'seed', 'a', '0']);
    const { rules: all, orderRevision } = await definitions.orderedRules();
    expect(all.map(({ item }) => item.id)).toEqual(['b', 'seed', 'a', '0']);
    expect(orderRevision).toBe(1);
    expect(await definitions.order(['0', 'a', 'b', 'seed'], 0)).toEqual({ kind: 'conflict' });
  });

  it.each([
    [['seed', 'none'], '"none" is none there is'],
    [['seed', 'seed'], '"seed" is named twice'],
    [[], 'The rule seed is missing'],
  ])('takes no order but of all rules: not %j', async (ids, detail) => {
    const { rules, definitions } = setUp();
    rules.tell();
    const change = await definitions.order(ids, 0);
    expect(change).toEqual({ kind: 'invalid', detail: expect.stringContaining(detail) });
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

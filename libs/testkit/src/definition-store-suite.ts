import { describe, expect, it } from '@jest/globals';
import {
  DEFINITION_REMOVALS_MAX,
  type BridgeRule,
  type Connector,
  type ConnectorStore,
  type DefinitionStore,
  type RuleStore,
  type StoredDefinition,
} from '#libs/broker-ports';
import { useStore, type StoreFactory, type StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

/** What the tests store: items of one kind. */
interface Sample<Item extends { readonly id: string }> {
  /** One with an id, in one of many versions. */
  readonly of: (id: string, version?: string) => Item;
  /** One of another shape. */
  readonly other: Item;
}

/** An item of no kind in particular. */
export interface SampleDefinition {
  readonly id: string;
  readonly text: string;
  readonly list?: readonly unknown[];
}

interface Ground<Item extends { readonly id: string }> {
  readonly current: () => StoreUnderTest<DefinitionStore<Item>>;
  readonly sample: Sample<Item>;
}

/** The port promises a call of the watcher within two seconds; a busy machine may need more. */
const WATCH_DEADLINE_MS = 15_000;

/** Clocks on one machine differ by less. */
const CLOCKS_APART_MS = 1_000;

/** What every RuleStore must do: registers the tests, to be called in a spec file. */
export function ruleStoreSuite(name: string, factory: StoreFactory<RuleStore>): void {
  describe(`${name} as a RuleStore`, () => {
    allCases({ current: useStore(factory), sample: { of: ruleOf, other: COMMANDS } });
  });
}

/** The same of connectors. */
export function connectorStoreSuite(name: string, factory: StoreFactory<ConnectorStore>): void {
  describe(`${name} as a ConnectorStore`, () => {
    allCases({ current: useStore(factory), sample: { of: kafkaOf, other: WEBHOOK } });
  });
}

/** The same of what is changed at run time of who may do what: any items of one kind. */
export function definitionStoreSuite(
  name: string,
  factory: StoreFactory<DefinitionStore<SampleDefinition>>,
): void {
  describe(`${name} as a DefinitionStore`, () => {
    const of = (id: string, text = 'a') => ({ id, text });
    const other = { id: 'an é 😀 {1}', text: '', list: [1, { deep: null }] };
    allCases({ current: useStore(factory), sample: { of, other } });
  });
}

function allCases<Item extends { readonly id: string }>(ground: Ground<Item>): void {
  putCases(ground);
  readCases(ground);
  removeCases(ground);
  watchCases(ground);
  followCases(ground);
  reopenCases(ground);
}

/** A rule from MQTT to Kafka with a filter of its own. */
function ruleOf(id: string, filter = 'devices/+/telemetry'): BridgeRule {
  return {
    id,
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    enabled: true,
    filter,
    topic: '${topic[1]} é 😀',
    allowTopics: ['a-*'],
    key: '${clientId}',
    partition: 'key',
    headers: { 'x-{}': '${qos}', second: '' },
    ack: 'kafka',
  };
}

const COMMANDS: BridgeRule = {
  id: 'commands: {1}',
  bridge: 'main',
  direction: 'kafka-to-mqtt',
  enabled: false,
  topic: 'commands',
  mqttTopic: 'devices/${key}/commands',
  qos: 1,
  retain: true,
};

/** A Kafka with a login, whose secret is a reference. */
function kafkaOf(id: string, clientId = 'skein'): Connector {
  return {
    ...{ id, kind: 'kafka', brokers: ['a:1', 'b:2'], clientId, compression: 'lz4' },
    tls: {},
    sasl: { mechanism: 'plain', username: 'é 😀', password: { file: '/run/secrets/kafka' } },
  };
}

const WEBHOOK: Connector = {
  ...{
    id: 'hook',
    kind: 'webhook',
    url: { env: 'URL' },
    headers: { 'x-{}': 'a', b: { env: 'B' } },
  },
  ...{ timeoutMs: 1, concurrency: 2, format: 'ndjson' },
};

type ItemOf = { readonly id: string };

/** Stores an item; @throws Error when it is refused. */
async function stored<Item extends ItemOf>(
  store: DefinitionStore<Item>,
  item: Item,
  revision?: number,
): Promise<StoredDefinition<Item>> {
  const result = await store.put(item, revision);
  if (result.kind !== 'stored') throw new Error(`put: ${result.kind}`);
  return result.stored;
}

async function listed<Item extends ItemOf>(
  store: DefinitionStore<Item>,
): Promise<readonly StoredDefinition<Item>[]> {
  return byId(await store.list());
}

function byId<Item extends ItemOf>(
  items: readonly StoredDefinition<Item>[],
): readonly StoredDefinition<Item>[] {
  return items.toSorted((one, other) => (one.item.id < other.item.id ? -1 : 1));
}

function putCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('put', () => {
    it('creates items of each shape', async () => {
      const { store } = current();
      expect(await store.list()).toEqual([]);
      const one = await stored(store, sample.of('one'));
      const other = await stored(store, sample.other);
      expect(one).toEqual({ item: sample.of('one'), source: 'api', revision: expect.any(Number) });
      expect(await listed(store)).toEqual([other, one]);
    });

    it('creates none that exists', async () => {
      const { store } = current();
      const one = await stored(store, sample.of('one'));
      expect(await store.put(sample.of('one', 'other'), undefined)).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([one]);
    });

    it('replaces exactly the revision given, and grows it', async () => {
      const { store } = current();
      const first = await stored(store, sample.of('one'));
      const second = await stored(store, sample.of('one', 'second'), first.revision);
      expect(second.revision).toBeGreaterThan(first.revision);
      expect(second.item).toEqual(sample.of('one', 'second'));
      const late = await store.put(sample.of('one', 'late'), first.revision);
      expect(late).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([second]);
    });

    it('replaces none that is not there', async () => {
      const { store } = current();
      expect(await store.put(sample.of('one'), 1)).toEqual({ kind: 'absent' });
      expect(await store.list()).toEqual([]);
    });

    it('lets exactly one of two that replace at once win', async () => {
      const { store, peer } = current();
      const other = peer === undefined ? store : await peer();
      const { revision } = await stored(store, sample.of('one'));
      const results = await Promise.all([
        store.put(sample.of('one', 'x'), revision),
        other.put(sample.of('one', 'y'), revision),
      ]);
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(['conflict', 'stored']);
    });
  });
}

function readCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('get and page', () => {
    it('gives one, or nothing', async () => {
      const { store } = current();
      const one = await stored(store, sample.of('one'));
      expect(await store.get('one')).toEqual(one);
      expect(await store.get('two')).toBeUndefined();
    });

    it('gives all in pages, each once', async () => {
      const { store } = current();
      const all: StoredDefinition<Item>[] = [];
      for (const id of ['d', 'b', 'é', 'e', 'c', 'a']) all.push(await stored(store, sample.of(id)));
      await store.remove('e', undefined);
      const found: StoredDefinition<Item>[] = [];
      for (;;) {
        const page = await store.page({ after: found.at(-1)?.item.id, limit: 2 });
        found.push(...page);
        if (page.length < 2) break;
      }
      const rest = all.filter(({ item }) => item.id !== 'e');
      expect(byId(found)).toEqual(byId(rest));
      expect(await store.page({ limit: 1 })).toEqual(found.slice(0, 1));
    });

    it('goes on after an item that is gone', async () => {
      const { store } = current();
      for (const id of ['a', 'b', 'c']) await stored(store, sample.of(id));
      await store.remove('b', undefined);
      const page = await store.page({ after: 'b', limit: 2 });
      expect(page.map(({ item }) => item.id)).toEqual(['c']);
    });
  });
}

function removeCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('remove', () => {
    it.each([true, false])('deletes one (revision given: %j)', async (given) => {
      const { store } = current();
      const one = await stored(store, sample.of('one'));
      const two = await stored(store, sample.of('two'));
      const result = await store.remove('one', given ? one.revision : undefined);
      expect(result).toMatchObject({ kind: 'stored', stored: { item: sample.of('one') } });
      expect(await store.list()).toEqual([two]);
    });

    it('deletes no other revision', async () => {
      const { store } = current();
      const one = await stored(store, sample.of('one'));
      const result = await store.remove('one', one.revision + 1);
      expect(result).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([one]);
    });

    it('deletes none that is not there', async () => {
      const { store } = current();
      expect(await store.remove('one', undefined)).toEqual({ kind: 'absent' });
      expect(await store.remove('one', 1)).toEqual({ kind: 'absent' });
    });

    it('lets one be made again', async () => {
      const { store } = current();
      await stored(store, sample.of('one'));
      await store.remove('one', undefined);
      const again = await stored(store, sample.of('one', 'again'));
      expect(await store.list()).toEqual([again]);
    });
  });
}

function watchCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('watch', () => {
    it('tells the items at the start and after each change by any node', async () => {
      const { store, peer } = current();
      const writer = peer === undefined ? store : await peer();
      const first = await stored(writer, sample.of('one'));
      const told: (readonly StoredDefinition<Item>[])[] = [];
      store.watch((rules) => told.push(rules));
      const untilTold = (rules: readonly StoredDefinition<Item>[]) =>
        until(() => expect(told.at(-1)).toEqual(rules), WATCH_DEADLINE_MS);
      await untilTold([first]);
      const second = await stored(writer, sample.of('one', 'second'), first.revision);
      await untilTold([second]);
      await writer.remove('one', undefined);
      await untilTold([]);
    });

    it('tells what was removed and when, but not of what was made again', async () => {
      const { store, peer, reopen } = current();
      const writer = peer === undefined ? store : await peer();
      await stored(writer, sample.of('one'));
      await stored(writer, sample.of('two'));
      const beforeMs = Date.now() - CLOCKS_APART_MS;
      await writer.remove('one', undefined);
      await writer.remove('two', undefined);
      await stored(writer, sample.of('two'));
      const later = reopen === undefined ? store : await reopen();
      const told: ReadonlyMap<string, number>[] = [];
      later.watch((_, removed) => told.push(removed));
      await until(() => expect(told.at(-1)?.size).toBe(1), WATCH_DEADLINE_MS);
      expect(told.at(-1)?.get('one')).toBeGreaterThanOrEqual(beforeMs);
      expect(told.at(-1)?.get('one')).toBeLessThanOrEqual(Date.now() + CLOCKS_APART_MS);
    });

    it('remembers a bounded number of removals, the latest', async () => {
      const { store } = current();
      const ids = Array.from({ length: DEFINITION_REMOVALS_MAX + 5 }, (_, index) => `r${index}`);
      for (const id of ids) {
        await stored(store, sample.of(id));
        await store.remove(id, undefined);
      }
      const told: ReadonlyMap<string, number>[] = [];
      store.watch((_, removed) => told.push(removed));
      await until(() => expect(told.at(-1)?.size).toBe(DEFINITION_REMOVALS_MAX), WATCH_DEADLINE_MS);
      expect(told.at(-1)?.has(ids.at(-1) ?? '')).toBe(true);
    });

    it('tells that there are none', async () => {
      const told: (readonly StoredDefinition<Item>[])[] = [];
      current().store.watch((rules) => told.push(rules));
      await until(() => expect(told).toEqual([[]]), WATCH_DEADLINE_MS);
    });
  });
}

function followCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('follow', () => {
    it('tells at the start that anything may have changed, and then what has, by any node', async () => {
      const { store, peer } = current();
      const writer = peer === undefined ? store : await peer();
      const { revision } = await stored(writer, sample.of('one'));
      const told: (readonly string[] | undefined)[] = [];
      store.follow((ids) => told.push(ids));
      // toEqual() takes `[]` for `[undefined]`.
      await until(() => expect(told).toStrictEqual([undefined]), WATCH_DEADLINE_MS);
      await stored(writer, sample.other);
      await stored(writer, sample.of('one', 'second'), revision);
      const ids = () => new Set(told.slice(1).flat());
      const both = new Set([sample.other.id, 'one']);
      const seen = () => ({ told, ids: ids() });
      const wanted = { told: expect.anything(), ids: both };
      await until(() => expect(seen()).toEqual(wanted), WATCH_DEADLINE_MS);
      told.length = 1;
      await writer.remove('one', undefined);
      await until(() => expect(told).toStrictEqual([undefined, ['one']]), WATCH_DEADLINE_MS);
    });
  });
}

function reopenCases<Item extends ItemOf>({ current, sample }: Ground<Item>): void {
  describe('a new instance over the same data', () => {
    it('finds all items', async () => {
      const { store, reopen } = current();
      const first = await stored(store, sample.of('one'));
      await stored(store, sample.of('two'));
      const second = await stored(store, sample.of('one', 'second'), first.revision);
      const other = await stored(store, sample.other);
      await store.remove('two', undefined);
      const later = reopen === undefined ? store : await reopen();
      expect(await listed(later)).toEqual([other, second]);
      expect(await later.put(sample.of('one'), first.revision)).toEqual({ kind: 'conflict' });
    });
  });
}

import { describe, expect, it } from '@jest/globals';
import type { BridgeRule, RuleStore, StoredRule } from '#libs/broker-ports';
import { useStore, type StoreFactory, type StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

type Current = () => StoreUnderTest<RuleStore>;

/** The port promises a call of the watcher within this time. */
const WATCH_DEADLINE_MS = 2000;

/** What every RuleStore must do: registers the tests, to be called in a spec file. */
export function ruleStoreSuite(name: string, factory: StoreFactory<RuleStore>): void {
  describe(`${name} as a RuleStore`, () => {
    const current = useStore(factory);
    putCases(current);
    removeCases(current);
    watchCases(current);
  });
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

/** Stores a rule; @throws Error when it is refused. */
async function stored(store: RuleStore, rule: BridgeRule, revision?: number): Promise<StoredRule> {
  const result = await store.put(rule, revision);
  if (result.kind !== 'stored') throw new Error(`put: ${result.kind}`);
  return result.stored;
}

async function listed(store: RuleStore): Promise<readonly StoredRule[]> {
  return (await store.list()).toSorted((one, other) => (one.rule.id < other.rule.id ? -1 : 1));
}

function putCases(current: Current): void {
  describe('put', () => {
    it('creates rules of both directions', async () => {
      const { store } = current();
      expect(await store.list()).toEqual([]);
      const one = await stored(store, ruleOf('one'));
      const commands = await stored(store, COMMANDS);
      expect(one).toEqual({ rule: ruleOf('one'), source: 'api', revision: expect.any(Number) });
      expect(await listed(store)).toEqual([commands, one]);
    });

    it('creates no rule that exists', async () => {
      const { store } = current();
      const one = await stored(store, ruleOf('one'));
      expect(await store.put(ruleOf('one', 'other'), undefined)).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([one]);
    });

    it('replaces exactly the revision given, and grows it', async () => {
      const { store } = current();
      const first = await stored(store, ruleOf('one'));
      const second = await stored(store, ruleOf('one', 'second'), first.revision);
      expect(second.revision).toBeGreaterThan(first.revision);
      expect(second.rule).toEqual(ruleOf('one', 'second'));
      const late = await store.put(ruleOf('one', 'late'), first.revision);
      expect(late).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([second]);
    });

    it('replaces no rule that is not there', async () => {
      const { store } = current();
      expect(await store.put(ruleOf('one'), 1)).toEqual({ kind: 'absent' });
      expect(await store.list()).toEqual([]);
    });

    it('lets exactly one of two that replace at once win', async () => {
      const { store, peer } = current();
      const other = peer === undefined ? store : await peer();
      const { revision } = await stored(store, ruleOf('one'));
      const results = await Promise.all([
        store.put(ruleOf('one', 'x'), revision),
        other.put(ruleOf('one', 'y'), revision),
      ]);
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(['conflict', 'stored']);
    });
  });
}

function removeCases(current: Current): void {
  describe('remove', () => {
    it.each([true, false])('deletes a rule (revision given: %j)', async (given) => {
      const { store } = current();
      const one = await stored(store, ruleOf('one'));
      const two = await stored(store, ruleOf('two'));
      const result = await store.remove('one', given ? one.revision : undefined);
      expect(result).toMatchObject({ kind: 'stored', stored: { rule: ruleOf('one') } });
      expect(await store.list()).toEqual([two]);
    });

    it('deletes no other revision', async () => {
      const { store } = current();
      const one = await stored(store, ruleOf('one'));
      const result = await store.remove('one', one.revision + 1);
      expect(result).toEqual({ kind: 'conflict' });
      expect(await store.list()).toEqual([one]);
    });

    it('deletes no rule that is not there', async () => {
      const { store } = current();
      expect(await store.remove('one', undefined)).toEqual({ kind: 'absent' });
      expect(await store.remove('one', 1)).toEqual({ kind: 'absent' });
    });

    it('lets a rule be made again', async () => {
      const { store } = current();
      await stored(store, ruleOf('one'));
      await store.remove('one', undefined);
      const again = await stored(store, ruleOf('one', 'again'));
      expect(await store.list()).toEqual([again]);
    });
  });
}

function watchCases(current: Current): void {
  describe('watch', () => {
    it('tells the rules at the start and after each change by any node', async () => {
      const { store, peer } = current();
      const writer = peer === undefined ? store : await peer();
      const first = await stored(writer, ruleOf('one'));
      const told: (readonly StoredRule[])[] = [];
      store.watch((rules) => told.push(rules));
      const untilTold = (rules: readonly StoredRule[]) =>
        until(() => expect(told.at(-1)).toEqual(rules), WATCH_DEADLINE_MS);
      await untilTold([first]);
      const second = await stored(writer, ruleOf('one', 'second'), first.revision);
      await untilTold([second]);
      await writer.remove('one', undefined);
      await untilTold([]);
    });

    it('tells that there are no rules', async () => {
      const told: (readonly StoredRule[])[] = [];
      current().store.watch((rules) => told.push(rules));
      await until(() => expect(told).toEqual([[]]), WATCH_DEADLINE_MS);
    });
  });

  describe('a new instance over the same data', () => {
    it('finds all rules', async () => {
      const { store, reopen } = current();
      const first = await stored(store, ruleOf('one'));
      await stored(store, ruleOf('two'));
      const second = await stored(store, ruleOf('one', 'second'), first.revision);
      const commands = await stored(store, COMMANDS);
      await store.remove('two', undefined);
      const later = reopen === undefined ? store : await reopen();
      expect(await listed(later)).toEqual([commands, second]);
      expect(await later.put(ruleOf('one'), first.revision)).toEqual({ kind: 'conflict' });
    });
  });
}

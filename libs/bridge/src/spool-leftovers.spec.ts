import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LaneSink, SpoolingBridge, spoolingRule as rule } from '#libs/testkit';

const HOUR_MS = 3_600_000;
const NONE = new Map<string, number>();

describe('what the spool has of rules that are not known', () => {
  let bench: SpoolingBridge;

  beforeEach(async () => {
    jest.useFakeTimers();
    bench = await SpoolingBridge.open(new LaneSink());
    bench.sink.away = true;
  });

  afterEach(async () => {
    await bench.close();
    jest.useRealTimers();
  });

  const values = (): string[] => bench.sink.stored.map(({ value }) => String(value));
  const fieldsOf = (event: string): unknown[] => bench.log.of(event).map(({ fields }) => fields);

  /** Puts records of rule `r1` into the spool, and ends the process. */
  async function leave(...texts: readonly string[]): Promise<void> {
    bench.apply(rule());
    for (const text of texts) bench.offer(text);
    await bench.pass(100);
    await bench.restart();
  }

  it('stays, told once, when a list of rules comes without theirs, and goes on when theirs is there', async () => {
    await leave('1', '2');
    bench.bridge.apply([], undefined, NONE);
    await bench.pass(HOUR_MS / 2);
    expect(fieldsOf('bridge-spool-unclaimed')).toEqual([
      { rule: 'r1', records: 2, bytes: expect.any(Number) },
    ]);
    expect(bench.unclaimed).toBe(2);
    bench.sink.away = false;
    bench.bridge.apply([rule()], undefined, NONE);
    await bench.pass(1_000);
    expect(values()).toEqual(['1', '2']);
    expect(bench.unclaimed).toBe(0);
    expect(bench.events).not.toContain('bridge-spool-removed');
  });

  it('stays when a list is lost while the rule works', async () => {
    bench.apply(rule());
    bench.offer('1');
    await bench.pass(100);
    bench.bridge.apply([], undefined, NONE);
    await bench.pass(HOUR_MS / 2);
    bench.sink.away = false;
    bench.bridge.apply([rule()], undefined, NONE);
    await bench.pass(1_000);
    expect(values()).toEqual(['1']);
    expect(bench.counts).toEqual({ 'delivered/ok': 1 });
  });

  it('stays when a store that was set back tells of an earlier deletion', async () => {
    const removed = new Map([['r1', Date.now() - 1]]);
    bench.apply(rule());
    bench.offer('1');
    await bench.pass(100);
    bench.bridge.apply([], undefined, removed);
    await bench.pass(10_000);
    expect(bench.spool.open('r1').records).toBe(1);
  });

  it('goes with its age', async () => {
    await leave('1', '2');
    await bench.pass(HOUR_MS / 2);
    await leave('3');
    bench.bridge.apply([], undefined, NONE);
    await bench.pass(HOUR_MS / 2 + 60_000);
    expect(fieldsOf('bridge-spool-removed')).toEqual([
      { rule: 'r1', records: 2, bytes: expect.any(Number) },
    ]);
    expect(bench.spool.open('r1').records).toBe(1);
    await bench.pass(HOUR_MS / 2);
    expect(bench.spool.rules()).toEqual([]);
    expect(bench.unclaimed).toBe(0);
  });

  it('goes when its rule was deleted while the node was away, up to then', async () => {
    await leave('1', '2');
    const removed = new Map([['r1', Date.now()]]);
    await leave('3');
    bench.bridge.apply([], undefined, removed);
    await bench.pass(1_000);
    expect(bench.spool.open('r1').records).toBe(1);
    expect(fieldsOf('bridge-spool-removed')).toMatchObject([{ records: 2 }]);
  });

  it('goes when its rule is deleted, and not when that is turned off', async () => {
    bench.apply(rule(), rule({ id: 'r2', filter: 'b' }));
    bench.offer('1');
    bench.offer('2', { topic: 'b' });
    await bench.pass(100);
    const removed = new Map([['r2', Date.now()]]);
    bench.bridge.apply([rule({ enabled: false })], undefined, removed);
    await bench.pass(10_000);
    expect(bench.spool.rules()).toEqual(['r1']);
    expect(fieldsOf('bridge-spool-removed')).toEqual([
      { rule: 'r2', records: 1, bytes: expect.any(Number) },
    ]);
    expect(bench.counts).toEqual({ 'dropped/rule_removed': 1 });
  });

  it('is sent, when its rule is deleted, before its log goes', async () => {
    bench.apply(rule());
    bench.offerMany(1, 2_000);
    await bench.pass(100);
    bench.sink.away = false;
    bench.bridge.apply([], undefined, new Map([['r1', Date.now()]]));
    await bench.pass(6_000);
    expect(bench.sink.stored).toHaveLength(2_000);
    expect(bench.spool.rules()).toEqual([]);
    expect(bench.events).not.toContain('bridge-spool-removed');
  });

  it('is told when it is damaged', async () => {
    await leave('1');
    await leave('2');
    bench.store.damage('r1', 1);
    bench.bridge.apply([], undefined, new Map([['r1', Date.now() + 1]]));
    await bench.pass(1_000);
    expect(fieldsOf('bridge-spool-damaged')).toMatchObject([{ rule: 'r1', records: 1, upTo: 1 }]);
    expect(bench.spool.rules()).toEqual([]);
  });
});

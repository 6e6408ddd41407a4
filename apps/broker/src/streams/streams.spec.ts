import { describe, expect, it } from '@jest/globals';
import type { MessageTap, NodeInfo } from '#libs/broker-ports';
import { messageOf } from '#libs/testkit';
import { EventLog } from './event-log.ts';
import { MessageWatches } from './message-watches.ts';
import { Ring } from './ring.ts';

const ALL = (): boolean => true;

describe('Ring', () => {
  const ringOf = (entriesMax: number, bytesMax = 1_000_000) =>
    new Ring<number>({ entriesMax, bytesMax }, () => 10);

  it('keeps the latest entries, and says how many a reader has missed', () => {
    const ring = ringOf(100);
    for (let value = 1; value <= 1_000; value += 1) ring.append(value);

    expect(ring.read(950, 10, ALL)).toEqual({
      entries: Array.from({ length: 10 }, (_, index) => 951 + index),
      ...{ last: 960, lost: 0 },
    });
    expect(ring.read(0, 1, ALL)).toEqual({ entries: [901], last: 901, lost: 900 });
    expect(ring.read(1_000, 10, ALL)).toEqual({ entries: [], last: 1_000, lost: 0 });
  });

  it('passes over what is not wanted, and goes on behind it', () => {
    const ring = ringOf(100);
    for (let value = 1; value <= 50; value += 1) ring.append(value);

    const part = ring.read(0, 5, (value) => value % 10 === 0);
    expect(part).toEqual({ entries: [10, 20, 30, 40, 50], last: 50, lost: 0 });
  });

  it('keeps to its bytes, and one entry at least', () => {
    const ring = ringOf(100, 35);
    for (let value = 1; value <= 9; value += 1) ring.append(value);
    expect(ring.read(0, 10, ALL)).toEqual({ entries: [7, 8, 9], last: 9, lost: 6 });
  });

  it('wakes who waits when something comes, and when it closes', async () => {
    const ring = ringOf(10);
    const waits = ring.after(0, 60_000);
    ring.append(1);
    await waits;
    await ring.after(0, 60_000);
    const more = ring.after(1, 60_000);
    ring.close();
    await more;
    expect(ring.last).toBe(1);
  });
});

describe('EventLog', () => {
  const open = (life = 1) => new EventLog({ nowMs: () => 5, life });
  const emit = (log: EventLog, clientId: string) =>
    log.emit({ type: 'client.connected', clientId, detail: {} });
  const read = (log: EventLog, after?: { life: number; number: number }, more = {}) =>
    log.read({ kind: 'events', waitMs: 0, ...(after && { after }), ...more });

  it('begins now, and goes on where a reader was', async () => {
    const log = open();
    emit(log, 'before');
    const { events, position } = await read(log);
    expect(events).toEqual([]);
    emit(log, 'a');
    emit(log, 'b');

    const next = await read(log, position);
    expect(next.events.map(({ clientId, number }) => [clientId, number])).toEqual([
      ['a', 2],
      ['b', 3],
    ]);
    expect(await read(log, next.position)).toMatchObject({ events: [], lost: 0 });
    const only = await read(log, position, { clientId: 'b', types: ['client.connected'] });
    expect(only.events).toHaveLength(1);
    expect((await read(log, position, { types: ['ban.added'] })).position.number).toBe(3);
  });

  it('tells all of another life to whom it was followed in the one before', async () => {
    const log = open(2);
    emit(log, 'a');
    expect((await read(log, { life: 1, number: 77 })).events).toHaveLength(1);
  });

  it('tells of nodes at the first of them alone', async () => {
    const node = (nodeId: string, state: NodeInfo['state'] = 'alive'): NodeInfo => ({
      ...{ nodeId, incarnation: 1, version: '1', startedAtMs: 0, state },
    });
    const logs = { a: open(), b: open() };
    for (const nodes of [
      [node('a'), node('b')],
      [node('a'), node('b', 'draining'), node('c')],
      [node('a'), node('c')],
    ]) {
      for (const [id, log] of Object.entries(logs)) log.look(nodes, id);
    }
    const told = await read(logs.a, { life: 1, number: 0 });
    expect(told.events.map(({ type, detail }) => [type, detail['node_id']])).toEqual([
      ['node.draining', 'b'],
      ['node.joined', 'c'],
      ['node.left', 'b'],
    ]);
    expect((await read(logs.b, { life: 1, number: 0 })).events).toEqual([]);
  });
});

describe('MessageWatches', () => {
  function setUp() {
    const taps = new Map<string, MessageTap>();
    let nowMs = 1_000;
    const admin = {
      tap: (filter: string, tap: MessageTap) => {
        taps.set(filter, tap);
        return () => void taps.delete(filter);
      },
    };
    const watches = new MessageWatches(admin, () => nowMs);
    const read = (watch: string, own: object = {}) =>
      watches.read({
        ...{ kind: 'watch-messages', watch, filter: 'a/#', payload: false },
        ...{ perSecond: 3, waitMs: 0, ...own },
      });
    const publish = (topic: string) => taps.get('a/#')?.(messageOf({ topic, retain: true }));
    return { taps, watches, read, publish, pass: (ms: number) => (nowMs += ms) };
  }

  it('show what comes from the first reading on, as fast as it is wanted', async () => {
    const { read, publish, pass } = setUp();
    expect(await read('w')).toEqual({ kind: 'messages', messages: [], last: 0, lost: 0 });
    for (let count = 0; count < 5; count += 1) publish(`a/${String(count)}`);
    const first = await read('w');
    expect(first).toMatchObject({
      last: 3,
      lost: 2,
      messages: [{ topic: 'a/0', retain: true }, {}, {}],
    });
    expect(JSON.stringify(first)).not.toContain('"payload"');
    pass(1_000);
    publish('a/next');
    const second = await read('w', { after: 3 });
    expect(second).toMatchObject({ last: 4, lost: 0, messages: [{ topic: 'a/next' }] });
  });

  it('end when they are told to, or nobody reads them', async () => {
    const { taps, watches, read, pass } = setUp();
    await read('w');
    watches.end('w');
    watches.end('w');
    expect(taps.size).toBe(0);
    await read('w');
    pass(15_000);
    watches.sweep();
    expect(taps.size).toBe(1);
    pass(1);
    watches.sweep();
    expect(taps.size).toBe(0);
  });

  it('are a hundred at most', async () => {
    const { read } = setUp();
    for (let count = 0; count < 100; count += 1) await read(String(count));
    expect(await read('more')).toEqual({ kind: 'full' });
    expect(await read('7')).toMatchObject({ kind: 'messages' });
  });
});

import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Spool, SpoolError, SpoolLog } from '#libs/broker-ports';
import { MemorySpoolStore, openMemorySpool, until } from '#libs/testkit';
import { UnansweredError, type SpoolStore } from './spool-store.ts';

const DEADLINE_MS = 2000;

describe('GroupedSpool', () => {
  let store: MemorySpoolStore;
  let spool: Spool;
  let log: SpoolLog;
  /** What `done` was told: the sequence, and a code if it has failed. */
  let told: string[];

  beforeEach(async () => {
    store = new MemorySpoolStore();
    spool = await openMemorySpool(100_000, store);
    log = spool.open('rule');
    told = [];
  });

  function append(bytes = 100, to = log): number | undefined {
    // What a test leaves under way is not told to the next one.
    const mine = told;
    return to.append(new Uint8Array(bytes), 0, (sequence: number, error?: SpoolError) => {
      mine.push(error === undefined ? String(sequence) : `${String(sequence)} ${error.code}`);
    });
  }

  const untilTold = (count: number) =>
    until(() => expect(told.length).toBeGreaterThanOrEqual(count), DEADLINE_MS);

  async function readable(): Promise<number[]> {
    return (await log.read(0, Infinity)).map(({ sequence }) => sequence);
  }

  it('writes what a turn appends, to all logs, as one group', async () => {
    for (let count = 0; count < 50; count += 1)
      append(100, spool.open(`rule ${String(count % 5)}`));
    await untilTold(50);
    expect(store.writes).toBe(1);
  });

  it('writes what comes while a group is under way as the next one', async () => {
    const goOn = store.hold();
    append();
    await until(() => store.writes === 1, DEADLINE_MS);
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise(setImmediate);
      append();
    }
    expect(told).toEqual([]);
    goOn();
    await untilTold(6);
    expect(told).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(store.writes).toBe(2);
  });

  it('is flushed by one more group, for all who ask while one is under way', async () => {
    const goOn = store.hold();
    append();
    await until(() => store.writes === 1, DEADLINE_MS);
    const marks = { from: 0, bits: Uint8Array.of(6) };
    log.mark(marks);
    const flushed = Promise.all([log.flush(), spool.open('other').flush(), log.flush()]);
    append();
    goOn();
    await flushed;
    expect(store.writes).toBe(2);
    expect(told).toEqual(['1', '2']);
    expect((await store.logs())[0]).toMatchObject({ next: 3, marks });
    await log.flush();
    expect(store.writes).toBe(2);
  });

  it('reads nothing that is not durable', async () => {
    const goOn = store.hold();
    append();
    await until(() => store.writes === 1, DEADLINE_MS);
    expect(await readable()).toEqual([]);
    goOn();
    await untilTold(1);
    expect(await readable()).toEqual([1]);
  });

  it.each(['FULL', 'FAILED'] as const)(
    'fails what it cannot write (%s), counts it no more, and goes on when it can again',
    async (code) => {
      append();
      await untilTold(1);
      const before = spool.bytes;
      store.fault = code;
      append();
      append();
      await untilTold(3);
      expect(spool.bytes).toBe(before);
      store.fault = undefined;
      append();
      await untilTold(4);
      expect(told).toEqual(['1', `2 ${code}`, `3 ${code}`, '4']);
      expect(await readable()).toEqual([1, 4]);
      log.release(1);
      expect((await log.read(0, 1)).map(({ sequence }) => sequence)).toEqual([4]);
    },
  );

  it('goes on to forget what is released while it takes nothing more', async () => {
    for (let count = 0; count < 40; count += 1) append(2000);
    await untilTold(40);
    // As a disk that has room to remove, and none to add.
    const write = store.write.bind(store);
    store.write = async (changes) => {
      store.fault = changes.some(({ blocks }) => blocks.length > 0) ? 'FULL' : undefined;
      return write(changes);
    };
    log.release(40);
    append();
    await untilTold(41);
    expect(told.at(-1)).toBe('41 FULL');
    expect((await store.logs())[0]).toMatchObject({ first: 41, next: 42 });
    expect(log.bytes).toBe(0);
  });

  it('goes on to forget when there is no room for marks, and remembers them when there is', async () => {
    for (let count = 0; count < 3; count += 1) append();
    await untilTold(3);
    const marks = { from: 0, bits: Uint8Array.of(8) };
    const write = store.write.bind(store);
    store.write = async (changes) => {
      store.fault = changes.some((change) => change.marks !== undefined) ? 'FULL' : undefined;
      return write(changes);
    };
    log.release(1);
    log.mark(marks);
    await until(
      async () => expect((await store.logs())[0]).toMatchObject({ first: 2 }),
      DEADLINE_MS,
    );
    store.write = write;
    store.fault = undefined;
    append();
    await untilTold(4);
    expect((await store.logs())[0]).toMatchObject({ first: 2, next: 5, marks });
  });

  it('tries again to forget when it finds no room', async () => {
    for (let count = 0; count < 45; count += 1) append(2000);
    await untilTold(45);
    store.fault = 'FAILED';
    log.release(45);
    await until(() => store.writes === 2, DEADLINE_MS);
    store.fault = undefined;
    expect(append(20_000)).toBeUndefined();
    await until(() => spool.bytes === 0, DEADLINE_MS);
    expect(append(20_000)).toBe(46);
  });

  it('knows its room however logs come, fail, are released and go', async () => {
    const rules = ['a', 'b', 'c', 'd'].map((rule) => spool.open(rule));
    for (const each of rules) for (let count = 0; count < 4; count += 1) append(5_000, each);
    await untilTold(16);
    store.fault = 'FAILED';
    append(5_000);
    await untilTold(17);
    expect(told.at(-1)).toBe('1 FAILED');
    store.fault = undefined;
    expect(append(20_000)).toBeUndefined();
    rules[0]?.release(4);
    await until(() => expect(spool.bytes).toBeLessThan(61_000), DEADLINE_MS);
    await spool.remove('b');
    expect(append(50_000)).toBe(2);
    expect(append(20_000)).toBeUndefined();
    await rules[2]?.dropOldest(20_000);
    expect(append(20_000)).toBe(3);
    await untilTold(19);
    expect(append(20_000)).toBeUndefined();
    await spool.close();
    spool = await openMemorySpool(100_000, store);
    log = spool.open('rule');
    expect(append(20_000)).toBeUndefined();
    expect(append(5_000)).toBe(4);
  });

  it('counts a group without an answer until it is released', async () => {
    const write = jest.spyOn(store, 'write');
    append(100);
    await untilTold(1);
    write.mockRejectedValueOnce(new UnansweredError('FAILED', 'no answer'));
    append(50_000);
    await untilTold(2);
    expect(told).toEqual(['1', '2 FAILED']);
    expect(append(60_000)).toBeUndefined();
    append(100);
    await untilTold(3);
    expect(spool.bytes).toBeGreaterThan(50_000);
    log.release(3);
    await until(() => expect(spool.bytes).toBe(0), DEADLINE_MS);
  });

  it('keeps what failed out of the next start', async () => {
    store.fault = 'FULL';
    append();
    await untilTold(1);
    store.fault = undefined;
    append();
    await untilTold(2);
    await spool.close();
    log = (await openMemorySpool(100_000, store)).open('rule');
    expect([log.first, log.next]).toEqual([1, 3]);
    expect(await readable()).toEqual([2]);
  });

  it('hands a fault of the store on as its own', async () => {
    store.write = () => Promise.reject(new Error('surprise'));
    append();
    await untilTold(1);
    expect(told).toEqual(['1 FAILED']);
  });

  it('splits what is too much for one group', async () => {
    spool = await openMemorySpool(Infinity, store);
    log = spool.open('rule');
    for (let count = 0; count < 10; count += 1) append(1_000_000);
    await untilTold(10);
    expect(store.writes).toBeGreaterThan(2);
    expect(await readable()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it.each([
    ['cut short', (bytes: Uint8Array) => bytes.subarray(0, -1)],
    ['too long', (bytes: Uint8Array) => Uint8Array.of(...bytes, 0)],
    ['empty', () => new Uint8Array(0)],
    ['of nothing', () => new Uint8Array(4)],
  ])('does not give a block that is %s for records', async (_, spoil) => {
    append();
    await untilTold(1);
    const read = store.read.bind(store);
    const spoilt: SpoolStore['read'] = async (...args) =>
      (await read(...args)).map((block) => ({ ...block, bytes: spoil(block.bytes) }));
    store.read = spoilt;
    await expect(readable()).rejects.toMatchObject({ code: 'FAILED', upTo: 1 });
  });

  it('gives what lies before and behind a damaged block', async () => {
    for (let count = 1; count <= 4; count += 1) {
      append();
      await untilTold(count);
    }
    store.damage('rule', 2);
    expect(await readable()).toEqual([1]);
    await expect(log.read(2, Infinity)).rejects.toMatchObject({ upTo: 2 });
    expect((await log.read(3, Infinity)).map(({ sequence }) => sequence)).toEqual([3, 4]);
  });
});

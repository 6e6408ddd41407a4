import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LmdbJournal } from './lmdb-journal.ts';
import { openLocalStores } from './local-stores.ts';

const text = (value: string) => Buffer.from(value);

describe('LmdbJournal', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skein-journal-'));
  });

  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it('gives the values of a table in the order of their paths', async () => {
    const journal = await LmdbJournal.open(join(dir, 'made', 'here'));
    journal.put(3, [2, 1], text('c'));
    journal.put(3, [1, 1_700_000_000_000], text('b'));
    journal.put(3, [1, 9], text('x'));
    journal.put(3, [1, 9], text('a'));
    journal.put(3, [5], text('gone'));
    journal.remove(3, [5]);
    journal.put(4, [1], text('other'));
    journal.put(3, [10], new Uint8Array(0));
    await journal.committed();
    await journal.close();
    const again = await LmdbJournal.open(join(dir, 'made', 'here'));
    const entries = Array.from(again.entries(3), ({ path, bytes }) => [path, String(bytes)]);
    await again.close();
    expect(entries).toEqual([
      [[1, 9], 'a'],
      [[1, 1_700_000_000_000], 'b'],
      [[2, 1], 'c'],
      [[10], ''],
    ]);
  });

  it('takes what changes while a transaction is under way into the next one', async () => {
    const journal = await LmdbJournal.open(dir);
    const order: number[] = [];
    const commits = Array.from({ length: 5 }, async (_, index) => {
      await new Promise(setImmediate);
      journal.put(1, [index], text(String(index)));
      await journal.committed();
      order.push(index);
    });
    await Promise.all(commits);
    await journal.committed();
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect([...journal.entries(1)]).toHaveLength(5);
    await journal.close();
  });

  it('writes on close what nobody waited for', async () => {
    const journal = await LmdbJournal.open(dir);
    journal.put(1, [1], text('late'));
    await journal.close();
    const again = await LmdbJournal.open(dir);
    expect([...again.entries(1)]).toHaveLength(1);
    await again.close();
  });

  it('says what is wrong with the directory or the file', async () => {
    await writeFile(join(dir, 'file'), 'x');
    await expect(LmdbJournal.open(join(dir, 'file'))).rejects.toThrow(/EEXIST|ENOTDIR/u);
    const journal = await LmdbJournal.open(dir);
    journal.put(7, [1], text('no message'));
    journal.put(0, [], text('2'));
    await journal.close();
    await expect(LmdbJournal.open(dir)).rejects.toThrow('has format 2');
  });

  it('refuses a damaged file and lets go of it', async () => {
    const journal = await LmdbJournal.open(dir);
    journal.put(7, [1], text('no message'));
    await journal.close();
    await expect(openLocalStores({ dir, clock: Date.now })).rejects.toThrow(
      'the data file is damaged: table 7, entry 1',
    );
    const again = await LmdbJournal.open(dir);
    again.remove(7, [1]);
    await again.close();
    const stores = await openLocalStores({ dir, clock: Date.now });
    expect(stores.retained.size()).toEqual({ messages: 0, bytes: 0 });
    await stores.close();
  });
});

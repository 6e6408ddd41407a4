import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Spool, SpoolEntry, SpoolError, SpoolLog } from '#libs/broker-ports';

/** The data of a spool made for one test, which no other test sees. */
export interface SpoolUnderTest {
  /** Opens a spool over the data; the one before it is closed. */
  open(bytesMax: number): Promise<Spool>;
  /** Removes the data. */
  close(): Promise<void>;
}

interface Outcome {
  readonly sequence: number;
  readonly error: SpoolError | undefined;
}

const RULE = 'telemetry';

/** What every Spool must do: registers the tests, to be called in a spec file. */
export function spoolContract(name: string, factory: () => Promise<SpoolUnderTest>): void {
  describe(`${name} as a Spool`, () => {
    let data: SpoolUnderTest;
    let spool: Spool;

    beforeEach(async () => {
      data = await factory();
      spool = await data.open(Infinity);
    });

    afterEach(async () => {
      await spool.close();
      await data.close();
    });

    const reopen = async (bytesMax = Infinity): Promise<SpoolLog> => {
      await spool.close();
      spool = await data.open(bytesMax);
      return spool.open(RULE);
    };

    appendCases(() => spool.open(RULE), reopen);
    releaseCases(() => spool.open(RULE), reopen);
    markCases(() => spool.open(RULE), reopen);
    boundCases(() => spool, reopen);
    ruleCases(() => spool, reopen);
  });
}

type Reopen = (bytesMax?: number) => Promise<SpoolLog>;

/** Appends records in one turn; resolves when `done` was called of all of them. */
function append(log: SpoolLog, records: readonly (string | Uint8Array)[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  return new Promise((resolve) => {
    const done = (sequence: number, error?: SpoolError): void => {
      outcomes.push({ sequence, error });
      if (outcomes.length === records.length) resolve(outcomes);
    };
    for (const record of records) log.append(Buffer.from(record), log.next, done);
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function sequencesOf(found: readonly { readonly sequence: number }[]): number[] {
  return found.map(({ sequence }) => sequence);
}

/** Reads all that waits, a little at a time. */
async function readAll(log: SpoolLog): Promise<SpoolEntry[]> {
  const entries: SpoolEntry[] = [];
  for (let from = log.first; ; from = (entries.at(-1)?.sequence ?? 0) + 1) {
    const found = await log.read(from, 10_000);
    if (found.length === 0) return entries;
    entries.push(...found);
  }
}

async function refusal(log: SpoolLog, bytes: Uint8Array): Promise<number | undefined> {
  return log.append(bytes, 0, () => undefined);
}

function appendCases(opened: () => SpoolLog, reopen: Reopen): void {
  describe('append', () => {
    it('gives sequences at once, and tells when the record is durable', async () => {
      const log = opened();
      const told: number[] = [];
      const ended = new Promise<void>((resolve) => {
        const done = (sequence: number): void => {
          told.push(sequence);
          if (told.length === 3) resolve();
        };
        const given = ['a', 'b', 'c'].map((text) => log.append(Buffer.from(text), 7, done));
        expect(given).toEqual([1, 2, 3]);
      });
      expect(told).toEqual([]);
      expect([log.first, log.next, log.records]).toEqual([1, 4, 3]);
      await ended;
      expect(told).toEqual([1, 2, 3]);
    });

    it('keeps bytes and times as they were', async () => {
      const log = opened();
      const large = new Uint8Array(200_000).map((_, index) => index % 251);
      const records = [new Uint8Array(0), Uint8Array.of(0, 255, 0), large, Buffer.from('é😀')];
      await append(log, records);
      for (const found of [await readAll(log), await readAll(await reopen())]) {
        expect(found.map(({ bytes }) => base64(bytes))).toEqual(records.map(base64));
        expect(found.map(({ atMs }) => atMs)).toEqual([1, 2, 3, 4]);
      }
    });

    it('keeps the order over groups that come while others are written', async () => {
      const log = opened();
      const waves = Array.from({ length: 20 }, async (_, wave) => {
        for (let turn = 0; turn < wave; turn += 1) await new Promise(setImmediate);
        const size = wave % 3 === 0 ? 1000 : 3;
        return append(
          log,
          range(1, size).map((index) => `${String(wave)}.${String(index)}`),
        );
      });
      const outcomes = (await Promise.all(waves)).flat();
      expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
      const last = outcomes.length;
      expect(sequencesOf(outcomes).toSorted((one, other) => one - other)).toEqual(range(1, last));
      expect(sequencesOf(await readAll(log))).toEqual(range(1, last));
      expect(sequencesOf(await readAll(await reopen()))).toEqual(range(1, last));
    });

    it('is written by close, and takes nothing after it', async () => {
      const log = opened();
      const outcomes = append(log, ['late']);
      const later = await reopen();
      expect(await outcomes).toEqual([{ sequence: 1, error: undefined }]);
      expect(await refusal(log, Buffer.from('too late'))).toBeUndefined();
      expect(sequencesOf(await readAll(later))).toEqual([1]);
    });
  });

  describe('read', () => {
    it('gives so many bytes, but one record at least', async () => {
      const log = opened();
      await append(
        log,
        range(1, 500).map(() => new Uint8Array(1000)),
      );
      expect(sequencesOf(await log.read(1, 1))).toEqual([1]);
      expect(sequencesOf(await log.read(200, 3500))).toEqual([200, 201, 202]);
      expect(sequencesOf(await log.read(499, 1e9))).toEqual([499, 500]);
      expect(await log.read(501, 1e9)).toEqual([]);
    });
  });
}

function releaseCases(opened: () => SpoolLog, reopen: Reopen): void {
  describe('release', () => {
    it('forgets records, also within a block, and for good', async () => {
      const log = opened();
      await append(
        log,
        range(1, 1000).map((index) => `record ${String(index)}`),
      );
      log.release(777);
      log.release(500);
      expect([log.first, log.records]).toEqual([778, 223]);
      expect(sequencesOf(await log.read(1, 29))).toEqual([778, 779]);
      const later = await reopen();
      expect([later.first, later.next]).toEqual([778, 1001]);
      expect(sequencesOf(await readAll(later))).toEqual(range(778, 1000));
    });

    it('leaves nothing when all is released, and no sequence is given twice', async () => {
      const log = opened();
      await append(log, ['a', 'b']);
      log.release(99);
      expect([log.first, log.next, log.records]).toEqual([3, 3, 0]);
      const later = await reopen();
      expect([later.first, later.next, later.records, later.bytes]).toEqual([3, 3, 0, 0]);
      expect(await append(later, ['c'])).toEqual([{ sequence: 3, error: undefined }]);
      later.release(3);
      await later.dropOldest(0);
      expect(later.bytes).toBe(0);
      expect(await readAll(later)).toEqual([]);
    });

    it('goes on while records come', async () => {
      const log = opened();
      for (let round = 1; round <= 30; round += 1) {
        await append(
          log,
          range(1, 100).map(() => new Uint8Array(2000)),
        );
        log.release(round * 100 - 50);
      }
      const later = await reopen();
      expect(sequencesOf(await readAll(later))).toEqual(range(2951, 3000));
      expect(later.bytes).toBeLessThan(400_000);
    });
  });
}

function markCases(opened: () => SpoolLog, reopen: Reopen): void {
  describe('mark', () => {
    const marks = (from: number, ...bits: number[]) => ({ from, bits: Uint8Array.from(bits) });
    const found = ({ marks: known }: SpoolLog) => known && marks(known.from, ...known.bits);

    it('is remembered, the last one, over a restart and beside records that come', async () => {
      const log = opened();
      await append(log, ['a', 'b', 'c']);
      expect(found(log)).toBeUndefined();
      log.mark(marks(0, 0b100));
      log.mark(marks(0, 0b1100));
      await append(log, ['d']);
      expect(found(log)).toEqual(marks(0, 0b1100));
      const later = await reopen();
      expect(found(later)).toEqual(marks(0, 0b1100));
      expect(sequencesOf(await readAll(later))).toEqual(range(1, 4));
      later.release(1);
      await append(later, ['e']);
      expect(found(await reopen())).toEqual(marks(0, 0b1100));
    });

    it('keeps large ones, with sequences of more than 32 bits', async () => {
      const log = opened();
      const bits = Array.from({ length: 8_192 }, (_, index) => index % 251);
      await append(log, ['a']);
      log.mark(marks(2 ** 40 + 8, ...bits));
      expect(found(await reopen())).toEqual(marks(2 ** 40 + 8, ...bits));
    });
  });
}

function boundCases(opened: () => Spool, reopen: Reopen): void {
  const record = new Uint8Array(10_000);

  describe('the bound', () => {
    it('is that of all logs, and counts what a restart finds', async () => {
      await append(opened().open('other'), [record, record]);
      const log = await reopen(35_000);
      expect(opened().bytes).toBeGreaterThan(20_000);
      const taken = append(log, [record]);
      expect(await refusal(log, record)).toBeUndefined();
      expect(await refusal(opened().open('third'), record)).toBeUndefined();
      expect(await taken).toEqual([{ sequence: 1, error: undefined }]);
      expect(await refusal(log, record)).toBeUndefined();
      expect(opened().bytes).toBeLessThanOrEqual(35_000);
    });

    it('has room again after a release', async () => {
      const log = await reopen(25_000);
      await append(log, [record, record]);
      expect(await refusal(log, record)).toBeUndefined();
      log.release(2);
      await log.dropOldest(0);
      expect(await append(log, [record])).toEqual([{ sequence: 3, error: undefined }]);
    });
  });

  describe('dropOldest', () => {
    it('makes room at once, of the oldest, and says what it cost', async () => {
      const log = await reopen(1_000_000);
      await append(
        log,
        range(1, 98).map(() => record),
      );
      log.release(1);
      expect(await refusal(log, new Uint8Array(100_000))).toBeUndefined();
      const dropped = log.dropOldest(100_000);
      const taken = append(log, [new Uint8Array(100_000)]);
      expect(await taken).toEqual([{ sequence: 99, error: undefined }]);
      const { records, bytes } = await dropped;
      expect(bytes).toBeGreaterThanOrEqual(100_000);
      expect(log.first).toBe(records + 2);
      expect(records).toBeGreaterThanOrEqual(9);
      expect(records).toBeLessThan(20);
      expect(sequencesOf(await readAll(log))).toEqual(range(log.first, 99));
    });

    it('counts none below the sequence that it is told to count from', async () => {
      const log = await reopen(1_000_000);
      await append(log, [record, record, record]);
      expect(await log.dropOldest(1e9, () => 3)).toMatchObject({ records: 1 });
      expect(log.first).toBe(4);
    });

    it('drops no more than there is', async () => {
      const log = await reopen(100_000);
      await append(log, [record, record]);
      expect(await log.dropOldest(1e9)).toMatchObject({ records: 2 });
      expect([log.first, log.bytes]).toEqual([3, 0]);
      expect(await log.dropOldest(1e9)).toEqual({ records: 0, bytes: 0 });
    });
  });
}

function ruleCases(opened: () => Spool, reopen: Reopen): void {
  describe('logs', () => {
    const NAMES = ['a', 'ab', 'a b', 'é{x}:😀', 'r'.repeat(200), '1'];

    it('know nothing of each other, whatever their names', async () => {
      await Promise.all(NAMES.map((name) => append(opened().open(name), [name, `${name}!`])));
      opened().open('ab').release(2);
      await reopen();
      expect(opened().rules().toSorted()).toEqual([...NAMES, RULE].toSorted());
      for (const name of NAMES) {
        const texts = (await readAll(opened().open(name))).map(({ bytes }) => textOf(bytes));
        expect(texts).toEqual(name === 'ab' ? [] : [name, `${name}!`]);
      }
    });

    it('are the same for each who opens them', () => {
      expect(opened().open('a')).toBe(opened().open('a'));
    });

    it('are gone when they are removed, and begin anew', async () => {
      const log = opened().open(RULE);
      await append(
        log,
        range(1, 300).map(() => new Uint8Array(20_000)),
      );
      await append(opened().open('other'), ['stays']);
      log.mark({ from: 0, bits: Uint8Array.of(255) });
      const late = append(log, ['late']);
      await opened().remove(RULE);
      expect(await late).toMatchObject([{ sequence: 301, error: { code: 'FAILED' } }]);
      expect(await refusal(log, Buffer.from('later'))).toBeUndefined();
      await opened().remove('unknown');
      const later = await reopen();
      expect([later.next, later.bytes, later.marks]).toEqual([1, 0, undefined]);
      expect(await append(later, ['new'])).toEqual([{ sequence: 1, error: undefined }]);
      expect(await readAll(later)).toHaveLength(1);
      expect(await readAll(opened().open('other'))).toHaveLength(1);
    });
  });
}

import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open } from 'lmdb';
import type { SpoolEntry } from '#libs/broker-ports';
import { until } from '#libs/testkit';
import { openLocalSpool } from './local-spool.ts';

const DEADLINE_MS = 20_000;
const TEST_DEADLINE_MS = 3 * DEADLINE_MS;
const FLAGS = ['--conditions=source', '--input-type=module', '--eval'];

/** The record of a sequence: its number, and bytes that follow from it. */
const RECORD = `
const record = (sequence) => Buffer.alloc(200 + (sequence % 100), sequence + ' ');
`;

/** Appends and releases without end. It prints `sequence released` of each record that is durable: what was released before its append. */
const WRITER = `
import { openLocalSpool } from '#libs/spool-local';
${RECORD}
const spool = await openLocalSpool({ dir: process.argv[1], bytesMax: 1e9 });
const log = spool.open('rule');
let released = 0;
for (let round = 0; ; round += 1) {
  const before = released;
  await new Promise((resolve) => {
    for (let count = 0; count < 50; count += 1) {
      log.append(record(log.next), round, (sequence, error) => {
        console.log(sequence + ' ' + before);
        if (count === 49) resolve();
      });
    }
  });
  if (round % 3 === 2) log.release((released += 70));
}
`;

/** Fills a disk, releases, fills it again, makes room and starts anew. It prints what it met. */
const FILLER = `
import { execFileSync } from 'node:child_process';
import { openLocalSpool } from '#libs/spool-local';
${RECORD}
const [, dir, code, makeRoom] = process.argv;
let spool = await openLocalSpool({ dir, bytesMax: 1e9 });
let log = spool.open('rule');
const durable = new Set();
const round = () => new Promise((resolve) => {
  const codes = new Set();
  for (let count = 0; count < 50; count += 1) {
    log.append(record(log.next), 0, (sequence, error) => {
      if (error === undefined) durable.add(sequence);
      codes.add(error?.code ?? 'ok');
      if (count === 49) resolve([...codes].join());
    });
  }
});
const roundUntil = async (wanted) => {
  for (let tries = 0; tries < 1000; tries += 1) if ((await round()) === wanted) return true;
  return false;
};
const missing = async () => {
  const found = new Set();
  for (const entry of await log.read(log.first, Infinity)) {
    if (record(entry.sequence).equals(entry.bytes)) found.add(entry.sequence);
  }
  return [...durable].filter((sequence) => sequence >= log.first && !found.has(sequence)).length;
};
const met = { full: await roundUntil(code), count: durable.size, missing: await missing() };
log.release(Math.floor(log.next / 2));
met.afterRelease = await roundUntil('ok');
met.fullAgain = await roundUntil(code);
execFileSync('sh', ['-c', makeRoom]);
met.afterRoom = await roundUntil('ok');
await spool.close();
spool = await openLocalSpool({ dir, bytesMax: 1e9 });
log = spool.open('rule');
met.missingLater = await missing();
log.release(log.next);
met.afterStart = await roundUntil('ok');
await spool.close();
console.log(JSON.stringify(met));
`;

describe('the spool of a node', () => {
  let dir: string;
  let writer: ChildProcess | undefined;
  let acknowledged: number[];
  let releasedMin: number;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skein-spool-'));
    acknowledged = [];
    releasedMin = 0;
  });

  afterEach(async () => {
    await kill();
    await rm(dir, { recursive: true, force: true });
  });

  function start(): ChildProcess {
    const child = spawn(process.execPath, [...FLAGS, WRITER, dir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [sequence = 0, released = 0] = line.split(' ').map(Number);
      acknowledged.push(sequence);
      releasedMin = released;
    });
    writer = child;
    return child;
  }

  async function kill(): Promise<void> {
    const child = writer;
    writer = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  async function found(): Promise<readonly SpoolEntry[]> {
    const spool = await openLocalSpool({ dir, bytesMax: 1e9 });
    const entries = await spool.open('rule').read(0, Infinity);
    await spool.close();
    return entries;
  }

  it.each([100, 1000, 5000])(
    'holds all that was durable when the process is killed, in order and once (after %d)',
    async (count) => {
      start();
      await until(() => acknowledged.length > count, DEADLINE_MS);
      await kill();
      const entries = await found();
      const first = entries[0]?.sequence ?? 0;
      // The cursor is that of the last group, so that little is repeated.
      expect(first).toBeGreaterThan(releasedMin);
      expect(first).toBeLessThanOrEqual(releasedMin + 2 * 70 + 1);
      const last = acknowledged.at(-1) ?? 0;
      expect(entries.length).toBeGreaterThanOrEqual(last - first + 1);
      for (const [index, { sequence, bytes }] of entries.entries()) {
        expect(sequence).toBe(first + index);
        const record = Buffer.alloc(200 + (sequence % 100), `${String(sequence)} `);
        expect(record.equals(bytes)).toBe(true);
      }
    },
    TEST_DEADLINE_MS,
  );

  it('has what lies before and behind a block of which the disk has lost a part', async () => {
    const append = async (texts: readonly string[]): Promise<void> => {
      const spool = await openLocalSpool({ dir, bytesMax: 1e9 });
      for (const text of texts) spool.open('rule').append(Buffer.from(text), 0, () => undefined);
      await spool.close();
    };
    await append(['1', '2']);
    await append(['3', '4']);
    await append(['5']);
    const file = open<Buffer, (string | number)[]>({
      path: join(dir, 'spool.mdb'),
      encoding: 'binary',
    });
    const key = [2, 'rule', 4];
    const [block] = file.getRange({ start: key, limit: 1 });
    expect(block?.key.slice(0, 3)).toEqual(key);
    await file.put(block?.key ?? key, Buffer.alloc(20));
    await file.close();

    const spool = await openLocalSpool({ dir, bytesMax: 1e9 });
    const log = spool.open('rule');
    const read = async (from: number): Promise<string[]> =>
      (await log.read(from, Infinity)).map(({ bytes }) => Buffer.from(bytes).toString());
    expect(await read(1)).toEqual(['1', '2']);
    await expect(read(3)).rejects.toMatchObject({
      upTo: 4,
      message: 'the spool is damaged: the block that ends at 4',
    });
    expect(await read(5)).toEqual(['5']);
    await spool.close();
  });

  it('is refused to a second process, and to the same one', async () => {
    const child = start();
    await until(() => acknowledged.length > 0, DEADLINE_MS);
    await expect(openLocalSpool({ dir, bytesMax: 1 })).rejects.toThrow(
      `bridge.spool.dir: ${dir} cannot be used: it is in use by process ${String(child.pid)}`,
    );
    await kill();
    const spool = await openLocalSpool({ dir, bytesMax: 1 });
    await expect(openLocalSpool({ dir, bytesMax: 1 })).rejects.toThrow('in use by this process');
    await spool.close();
    expect(await found()).not.toEqual([]);
  });

  it('says what is wrong with its directory', async () => {
    const file = join(dir, 'file');
    await writeFile(file, 'x');
    await expect(openLocalSpool({ dir: file, bytesMax: 1 })).rejects.toMatchObject({
      code: 'FAILED',
      message: expect.stringMatching(
        /^bridge\.spool\.dir: .* cannot be used: .*(?:EEXIST|ENOTDIR)/u,
      ),
    });
  });

  it.each([
    ['text', Buffer.from('no such file'.repeat(2000))],
    ['noise', Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 256))],
  ])('refuses a file that holds something else (%s)', async (_, bytes) => {
    await writeFile(join(dir, 'spool.mdb'), bytes);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(openLocalSpool({ dir, bytesMax: 1 })).rejects.toThrow(
        `bridge.spool.dir: ${dir} cannot be used: spool.mdb is damaged`,
      );
    }
  });

  it.each(smallDisks())(
    'takes nothing while its disk is full, and goes on when there is room ($name)',
    async ({ code, wrap, makeRoom }) => {
      const [command = '', ...args] = wrap(dir, [
        process.execPath,
        ...FLAGS,
        FILLER,
        dir,
        code,
        makeRoom(dir),
      ]);
      const { stdout } = await promisify(execFile)(command, args);
      const met = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      expect(met).toEqual({
        ...{ full: true, count: expect.any(Number), missing: 0 },
        ...{ afterRelease: true, fullAgain: true, afterRoom: true },
        ...{ missingLater: 0, afterStart: true },
      });
      expect(met['count']).toBeGreaterThan(1000);
    },
    TEST_DEADLINE_MS,
  );
});

interface SmallDisk {
  readonly name: string;
  /** What appends fail with. The driver tells of a limit as of any other fault. */
  readonly code: string;
  /** The command that runs a command with little room in a directory. */
  readonly wrap: (dir: string, command: readonly string[]) => readonly string[];
  /** What its process gives to a shell for more room. */
  readonly makeRoom: (dir: string) => string;
}

/** Ways to have little room: a limit of the system; and a small file system of its own, where one may be mounted. */
function smallDisks(): SmallDisk[] {
  const limit: SmallDisk = {
    name: 'limit of file size',
    code: 'FAILED',
    wrap: (_, command) => ['prlimit', '--fsize=1500000:unlimited', ...command],
    makeRoom: () => 'prlimit --pid=$PPID --fsize=unlimited',
  };
  const mounted: SmallDisk = {
    name: 'file system',
    code: 'FULL',
    wrap: (dir, command) => [
      ...['unshare', '--map-root-user', '--mount', 'sh', '-c'],
      `mount -t tmpfs -o size=4m tmpfs ${dir} && head -c 1000000 /dev/zero > ${dir}/else && exec "$@"`,
      ...['sh', ...command],
    ],
    makeRoom: (dir) => `rm ${dir}/else`,
  };
  try {
    execFileSync('unshare', ['--map-root-user', '--mount', 'true'], { stdio: 'ignore' });
    return [limit, mounted];
  } catch {
    return [limit];
  }
}

import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { HEADER_BYTES } from './archive-cipher.ts';
import { readLines, writeArchive, type FileSummary } from './archive-file.ts';
import {
  archiveLines,
  readArchive,
  type ArchiveHeader,
  type ArchiveItem,
  type SectionName,
  type SectionSummary,
} from './archive-format.ts';

const DEADLINE_MS = 20_000;
const SECRET = 'a key of the deployment, long enough';
const OTHER = 'another key of the deployment, as long';

const HEADER: ArchiveHeader = {
  ...{ format: 'skein-backup', version: 1, created_at: '2026-01-02T03:04:05.000Z' },
  ...{ cluster: 'skein', node_version: '1.0.0' },
};

type Item = Omit<ArchiveItem, 'section'>;
const whole = (item: unknown): Item => ({ item, queue: [], more: false });

const CONTENT: Readonly<Partial<Record<SectionName, readonly Item[]>>> = {
  users: [whole({ name: 'ann' }), whole({ name: 'bob' })],
  retained: [whole('AAEC'), whole('AwQF')],
  sessions: [
    { item: { clientId: 'a', expiresAtMs: 1 }, queue: [[1, 'AA']], more: true },
    {
      item: undefined,
      queue: [
        [2, 'BB'],
        [3, 'CC'],
      ],
      more: false,
    },
    { item: { clientId: 'b', expiresAtMs: 1 }, queue: [], more: false },
  ],
};

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-archive-'));
  path = join(folder, 'a.skein');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(
  content: typeof CONTENT,
  secret?: string,
): Promise<{ readonly file: FileSummary; readonly sections: readonly SectionSummary[] }> {
  const sections: SectionSummary[] = [];
  const sources = Object.entries(content).map(([name, items]) => ({
    name: name as SectionName,
    async *items() {
      yield* items;
    },
  }));
  const lines = archiveLines(HEADER, sources, (section) => sections.push(section));
  const { signal } = new AbortController();
  return { file: await writeArchive(path, lines, { secret, signal }), sections };
}

async function read(secret?: string) {
  const sections: SectionSummary[] = [];
  const items: ArchiveItem[] = [];
  const found: { file?: FileSummary; header?: ArchiveHeader } = {};
  const lines = readLines(path, secret, (file) => (found.file = file));
  const reading = {
    header: (header: ArchiveHeader) => void (found.header = header),
    ended: (section: SectionSummary) => void sections.push(section),
  };
  for await (const { digest: _, ...item } of readArchive(lines, reading)) items.push(item);
  return { sections, items, ...found };
}

/** What the archive says in clear, changed. */
async function altered(change: (text: string) => string): Promise<void> {
  await write(CONTENT);
  await writeFile(path, gzipSync(change(gunzipSync(await readFile(path)).toString())));
}

const flat = Object.entries(CONTENT).flatMap(([section, items]) =>
  items.map((item) => ({ section, ...item })),
);

describe('an archive', () => {
  it.each([undefined, SECRET])('comes back as it was, with key %p', async (secret) => {
    const written = await write(CONTENT, secret);
    const found = await read(secret);
    expect(found).toEqual({ ...written, items: flat, header: HEADER });
    expect(written.sections).toMatchObject([{ items: 2 }, { items: 2 }, { items: 2, messages: 3 }]);
    expect(await readdir(folder)).toEqual(['a.skein']);
  });

  it('has the same checksums in whatever order items come, and however queues are cut', async () => {
    const { sections } = await write(CONTENT);
    const { users = [], retained = [] } = CONTENT;
    const one = await write({
      users: [whole({ name: 'bob' }), ...users.slice(0, 1)],
      retained: retained.toReversed(),
      sessions: [
        whole({ expiresAtMs: 2, clientId: 'b' }),
        {
          item: { expiresAtMs: 2, clientId: 'a' },
          queue: [
            [1, 'AA'],
            [2, 'BB'],
            [3, 'CC'],
          ],
          more: false,
        },
      ],
    });
    expect(one.sections).toEqual(sections);
    const other = await write({ ...CONTENT, sessions: (CONTENT.sessions ?? []).slice(0, 2) });
    expect(other.sections[2]?.checksum).not.toBe(sections[2]?.checksum);
    const sums: (string | undefined)[] = [];
    for (const queue of [
      [[2, 'BB'] as const, [1, 'AA'] as const],
      [[1, 'AA'] as const, [2, 'BB'] as const],
    ]) {
      const item = { item: { clientId: 'a' }, queue, more: false };
      sums.push((await write({ sessions: [item] })).sections[0]?.checksum);
    }
    expect(sums[0]).not.toBe(sums[1]);
  });

  it('says nothing in clear when it is enciphered', async () => {
    await write({ users: [whole({ name: 'ann', hash: 'x'.repeat(200_000) })] }, SECRET);
    const bytes = await readFile(path);
    expect(bytes.subarray(0, 8).toString()).toBe('SKEINBAK');
    expect(() => gunzipSync(bytes.subarray(HEADER_BYTES + 4))).toThrow(/header/);
    await expect(read()).rejects.toThrow(
      'byte 0: the archive is enciphered, and backups.key is not set',
    );
    await expect(read(OTHER)).rejects.toThrow(/^byte 25: .*another key/);
  });

  it('that fails half way leaves no file', async () => {
    async function* broken(): AsyncGenerator<string, void, undefined> {
      yield '{}\n';
      throw new Error('the nodes are gone');
    }
    const { signal } = new AbortController();
    const writing = writeArchive(path, broken(), { secret: undefined, signal });
    await expect(writing).rejects.toThrow('the nodes are gone');
    expect(await readdir(folder)).toEqual([]);
  });

  it('is that of the worker who has taken over, whatever one does that was frozen and goes on', async () => {
    // More than the compressor holds back, so that there is something in the file.
    const noise = () => `${randomBytes(300_000).toString('hex')}\n`;
    let goOn: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    async function* slow(): AsyncGenerator<string, void, undefined> {
      yield noise();
      await frozen;
      for (let count = 0; count < 10; count += 1) yield noise();
    }
    const { signal } = new AbortController();
    const first = writeArchive(path, slow(), { secret: undefined, signal }).catch(
      (error: unknown) => error,
    );
    await until(async () => {
      const [name] = await readdir(folder);
      expect(name === undefined ? 0 : (await stat(join(folder, name))).size).toBeGreaterThan(0);
    }, DEADLINE_MS);
    const { file } = await write(CONTENT);
    goOn();
    expect(await first).toMatchObject({ code: 'ENOENT' });
    expect(await readdir(folder)).toEqual(['a.skein']);
    expect(
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ).toBe(file.sha256);
  });

  it('takes away what a worker that was killed has left of it, and nothing else', async () => {
    await writeFile(join(folder, 'a.skein.1.partial'), 'x');
    await writeFile(join(folder, 'b.skein.1.partial'), 'x');
    await write(CONTENT);
    expect((await readdir(folder)).toSorted()).toEqual(['a.skein', 'b.skein.1.partial']);
  });

  it.each([
    ['foreign JSON', () => '{"a":1}\n', 'line 1: the file is no backup of Skein'],
    ['text', () => 'hello\n', /^line 1: this is no JSON/],
    ['nothing', () => '', 'line 1: the archive is cut off here'],
    [
      'a later version',
      (text: string) => text.replace('"version":1', '"version":2'),
      'line 1: the archive has version 2; this release reads 1',
    ],
    [
      'a changed item',
      (text: string) => text.replace('"ann"', '"eve"'),
      'line 5: section users has another checksum',
    ],
    [
      'a missing item',
      (text: string) => text.replace('{"item":{"name":"ann"}}\n', ''),
      'line 4: section users has 1 items and 0 messages, and states others',
    ],
    [
      'a missing piece of a queue',
      (text: string) => text.replace('{"queue":[[2,"BB"],[3,"CC"]]}\n', ''),
      'line 12: more of a queue is announced',
    ],
    [
      'no end',
      (text: string) => text.slice(0, text.indexOf('{"end":"skein-backup"')),
      'line 15: the archive is cut off here',
    ],
    ['more behind its end', (text: string) => `${text}{}\n`, /^line 16: something follows/],
    [
      'a section that nobody knows',
      (text: string) => text.replace('"section":"users"', '"section":"cars"'),
      'line 2: there is no section "cars"',
    ],
    [
      'an item outside of any section',
      (text: string) => text.replace('{"section":"users"}\n', ''),
      'line 2: there is no section that it belongs to',
    ],
  ])('with %s is refused, and says where', async (_, change, message) => {
    await altered(change);
    await expect(read()).rejects.toThrow(message);
  });

  it('that is cut off or changed anywhere is refused, whatever the place', async () => {
    for (const secret of [undefined, SECRET]) {
      const noise = randomBytes(100_000).toString('base64');
      await write({ ...CONTENT, retained: [whole(noise), whole(noise)] }, secret);
      const bytes = await readFile(path);
      for (let step = 0; step < 40; step += 1) {
        const at = Math.floor(((bytes.length - 1) * step) / 40);
        await writeFile(path, bytes.subarray(0, at));
        await expect(read(secret)).rejects.toThrow(/^(byte|line) \d+: /);
        // Of the head of gzip some bytes (time, system) mean nothing.
        if (secret === undefined && at < 10) continue;
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        await writeFile(path, changed);
        await expect(read(secret)).rejects.toThrow(/^(byte|line) \d+: /);
      }
    }
  });

  it('whose chunks are exchanged, repeated or of another file is refused', async () => {
    const noise = () => whole(randomBytes(200_000).toString('base64'));
    await write({ retained: [noise()] }, SECRET);
    const bytes = await readFile(path);
    const size = 4 + 64 * 1024 + 16;
    const chunk = (from: Buffer, number: number) =>
      from.subarray(HEADER_BYTES + number * size, HEADER_BYTES + (number + 1) * size);
    const head = bytes.subarray(0, HEADER_BYTES);
    const rest = bytes.subarray(HEADER_BYTES + 2 * size);
    await write({ retained: [noise()] }, SECRET);
    const foreign = await readFile(path);
    const forged = [
      [head, chunk(bytes, 1), chunk(bytes, 0), rest],
      [head, chunk(bytes, 0), chunk(bytes, 0), rest],
      [head, chunk(bytes, 1), rest],
      [head, chunk(foreign, 0), chunk(bytes, 1), rest],
      [head, chunk(bytes, 0)],
    ];
    for (const parts of forged) {
      await writeFile(path, Buffer.concat(parts));
      await expect(read(SECRET)).rejects.toThrow(/^byte \d+: the chunk was changed/);
    }
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BACKUP_SECTIONS } from '#libs/api-contracts';
import { ArchiveFault } from './archive-fault.ts';
import { readLines, writeArchive } from './archive-file.ts';
import {
  archiveLines,
  readArchive,
  type ArchiveHeader,
  type ArchiveItem,
} from './archive-format.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-archive-'));
  path = join(folder, 'a.skein');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const queue = fc.array(fc.tuple(fc.integer({ min: 1 }), fc.base64String()));
// JSON has no other zero, and nothing stands for an item that is absent.
const item = fc.jsonValue().map((value) => JSON.parse(JSON.stringify({ value })) as unknown);
const items = fc
  .array(fc.tuple(item, fc.array(queue, { minLength: 1, maxLength: 3 })))
  .map((found) =>
    found.flatMap(([value, queues]) =>
      queues.map((each, at) => ({
        ...{ item: at === 0 ? value : undefined, queue: each, more: at < queues.length - 1 },
      })),
    ),
  );
const sections = fc
  .uniqueArray(fc.constantFrom(...BACKUP_SECTIONS), { maxLength: 3 })
  .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), items))));

const HEADER: ArchiveHeader = {
  ...{ format: 'skein-backup', version: 1, created_at: '2026-01-02T03:04:05.000Z' },
  ...{ cluster: 'skein', node_version: '1.0.0' },
};

const { signal } = new AbortController();

async function readAll(secret: string | undefined): Promise<readonly ArchiveItem[]> {
  const found: ArchiveItem[] = [];
  for await (const { digest: _, ...each } of readArchive(readLines(path, secret))) found.push(each);
  return found;
}

describe('an archive', () => {
  it('comes back as it was, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(sections, fc.option(fc.string(), { nil: undefined }), async (all, key) => {
        const sources = all.map(([name, content]) => ({
          name,
          async *items() {
            yield* content;
          },
        }));
        const secret = key && `${key} and more of it`;
        await writeArchive(
          path,
          archiveLines(HEADER, sources, () => undefined),
          { secret, signal },
        );
        const wanted = all.flatMap(([section, content]) =>
          content.map((each) => ({ section, ...each })),
        );
        expect(await readAll(secret)).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it('of any bytes or lines is refused with a place', async () => {
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(JSON.stringify(HEADER), '{"section":"users"}', '{"item":1}', '{"queue":[]}'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ bytes })),
          fc.array(line).map((lines) => ({ lines })),
        ),
        async (made) => {
          if ('bytes' in made) await writeFile(path, made.bytes);
          async function* lines(): AsyncGenerator<string, void, undefined> {
            if ('lines' in made) yield* made.lines;
          }
          const reading = (async () => {
            const source = 'bytes' in made ? readLines(path, undefined) : lines();
            for await (const _ of readArchive(source)) void _;
          })();
          await expect(reading).rejects.toBeInstanceOf(ArchiveFault);
        },
      ),
      { numRuns: 150 },
    );
  });
});

import type { BackupView } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationKind, OperationParts, OperationRun } from '../operations/operation-kind.ts';
import { isEnciphered } from './archive-cipher.ts';
import { ArchiveFault } from './archive-fault.ts';
import { beginningOf, readLines, writeArchive, type FileSummary } from './archive-file.ts';
import {
  ARCHIVE_VERSION,
  archiveLines,
  readArchive,
  type ArchiveHeader,
  type SectionSource,
  type SectionSummary,
} from './archive-format.ts';
import { BackupNodes } from './backup-nodes.ts';
import { ListingLostError, sourcesOf } from './backup-sources.ts';
import { BackupStore, type StoredBackup } from './backup-store.ts';

/** What is asked of a backup. */
export interface BackupInput {
  readonly id: string;
  /** Whether it is enciphered; undefined: if there is a key. */
  readonly isEnciphered?: boolean;
  /** One that is there already. */
  readonly file?: string;
}

/** So many items are counted at a time. */
const REPORT_ITEMS = 200;
const TRIES = 5;
/** What a file system says of itself, and not of a name. */
const FILE_CODES = new Set([
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'EROFS',
  'EACCES',
  'EPERM',
  'ENOENT',
  'ESTALE',
]);

/** Makes a backup, or takes up one that is there. */
export const BACKUP_OPERATION: OperationKind<BackupInput> = {
  kind: 'backup',
  resultScope: 'backups:read',
  async run(input, run, parts): Promise<{ readonly backup: BackupView }> {
    const store = new BackupStore(parts.config, parts.state);
    const backup =
      input.file === undefined
        ? await madeAtLast(input, { run, parts, store })
        : await takenUp({ ...input, file: input.file }, { run, store });
    await store.add(backup);
    return { backup: await store.present(backup) };
  },
};

interface Making {
  readonly run: OperationRun;
  readonly parts: OperationParts;
  readonly store: BackupStore;
}

/** Begins anew when a node goes away that had told a part. */
async function madeAtLast(input: BackupInput, making: Making): Promise<StoredBackup> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await made(input, making);
    } catch (error) {
      if (!(error instanceof ListingLostError) || tries === TRIES) throw problemOfFile(error);
    }
  }
}

/** After a crash it is made anew: its file is not there before it is whole. */
async function made(input: BackupInput, { run, parts, store }: Making): Promise<StoredBackup> {
  const { id } = input;
  const secret = input.isEnciphered === false ? undefined : store.secret();
  if (input.isEnciphered === true && secret === undefined) {
    throw new ProblemError('unprocessable', 'backups.key is not set: nothing can be enciphered');
  }
  const nodes = new BackupNodes(parts.cluster, run.signal);
  const createdAtMs = Date.now();
  const { version: nodeVersion } = await nodes.inTurn();
  const header: ArchiveHeader = {
    ...{ format: 'skein-backup', version: ARCHIVE_VERSION, node_version: nodeVersion },
    created_at: new Date(createdAtMs).toISOString(),
    cluster: parts.config.node.clusterName,
  };
  const sections: SectionSummary[] = [];
  const sources = counted(sourcesOf(parts, nodes), run);
  const file = `${id}.skein`;
  const lines = archiveLines(header, sources, (section) => sections.push(section));
  const written = await writeArchive(store.pathOf(file), lines, { secret, signal: run.signal });
  return describe(input, {
    header,
    sections,
    file,
    written,
    isSecret: secret !== undefined,
    store,
  });
}

async function takenUp(
  input: BackupInput & { readonly file: string },
  { run, store }: Pick<Making, 'run' | 'store'>,
): Promise<StoredBackup> {
  const { file } = input;
  const path = store.pathOf(file);
  if (!(await store.isHere({ file }))) {
    throw new ProblemError(
      'unprocessable',
      `There is no file ${file} in backups.dir of this replica`,
    );
  }
  const checked = await checkArchive(path, store.secret(), run);
  const isSecret = isEnciphered(await beginningOf(path));
  return describe(input, { ...checked, file, isSecret, store });
}

/** What a whole archive says, all of which has been compared. @throws ProblemError 422 naming the place of a fault. */
export async function checkArchive(
  path: string,
  secret: string | undefined,
  run: OperationRun,
): Promise<{
  readonly header: ArchiveHeader;
  readonly sections: readonly SectionSummary[];
  readonly written: FileSummary;
}> {
  const sections: SectionSummary[] = [];
  let header: ArchiveHeader | undefined;
  let written: FileSummary | undefined;
  try {
    const lines = readLines(path, secret, (file) => (written = file));
    const reading = {
      header: (found: ArchiveHeader) => void (header = found),
      ended: (section: SectionSummary) => void sections.push(section),
    };
    for await (const _ of readArchive(lines, reading)) run.signal.throwIfAborted();
  } catch (error) {
    throw problemOfArchive(error);
  }
  if (header === undefined || written === undefined) throw new Error('an archive without an end');
  return { header, sections, written };
}

/** A fault of an archive as a caller is told it. */
export function problemOfArchive(error: unknown): unknown {
  if (!(error instanceof ArchiveFault)) return problemOfFile(error);
  return new ProblemError('unprocessable', `The archive cannot be read. ${error.message}`);
}

function problemOfFile(error: unknown): unknown {
  const { code, syscall } = error as { readonly code?: unknown; readonly syscall?: unknown };
  if (typeof code !== 'string' || syscall === undefined || !FILE_CODES.has(code)) return error;
  return new ProblemError('storage-unavailable', `backups.dir cannot be used: ${code}`);
}

function describe(
  { id }: BackupInput,
  from: {
    readonly header: ArchiveHeader;
    readonly sections: readonly SectionSummary[];
    readonly file: string;
    readonly written: FileSummary;
    readonly isSecret: boolean;
    readonly store: BackupStore;
  },
): StoredBackup {
  const { header, sections, file, written, isSecret, store } = from;
  return {
    ...{ id, file, sections, ...written },
    ...{ isEnciphered: isSecret, replica: store.replica, registeredAtMs: Date.now() },
    createdAtMs: Date.parse(header.created_at),
    ...{ cluster: header.cluster, nodeVersion: header.node_version },
    formatVersion: header.version,
  };
}

/** Tells how far it is, and ends when it is to. */
function counted(sources: readonly SectionSource[], run: OperationRun): readonly SectionSource[] {
  let done = 0;
  return sources.map((source) => ({
    name: source.name,
    async *items() {
      for await (const item of source.items()) {
        yield item;
        if (item.more) continue;
        done += 1;
        if (done % REPORT_ITEMS === 0) await run.report({ progress: { done } });
      }
      await run.report({ progress: { done } });
    },
  }));
}

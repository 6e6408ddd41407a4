import type { RestoreResult, Scope } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationKind, OperationRun } from '../operations/operation-kind.ts';
import { readLines } from './archive-file.ts';
import { readArchive, type SectionName } from './archive-format.ts';
import { definitionsOf } from './backup-definitions.ts';
import { BackupNodes } from './backup-nodes.ts';
import { checkArchive, problemOfArchive } from './backup-operation.ts';
import { BackupStore } from './backup-store.ts';
import { DefinitionRestorer } from './definition-restorer.ts';
import { MessageRestorer } from './message-restorer.ts';
import { RestoreTally, type TallyState } from './restore-tally.ts';
import { SessionRestorer } from './session-restorer.ts';

/** What is asked of a restore. */
export interface RestoreInput {
  readonly backupId: string;
  readonly mode: RestoreResult['mode'];
  readonly dryRun: boolean;
  /** All if absent. */
  readonly sections?: readonly SectionName[];
  /** Of whoever asks: roles with others are refused. */
  readonly scopes: readonly Scope[];
  /** Whether the caller may give roles, as far as that is not a question of scopes. */
  readonly mayGiveRoles?: boolean;
}

/** How far a restore is: so many lines of items are done. */
interface Checkpoint extends TallyState {
  readonly lines: number;
}

/** Restores a backup; from its last checkpoint if the worker before has gone. */
export const RESTORE_OPERATION: OperationKind<RestoreInput> = {
  kind: 'restore',
  resultScope: 'backups:read',
  async run(input, run, parts): Promise<RestoreResult> {
    const { backupId, mode, dryRun } = input;
    const store = new BackupStore(parts.config, parts.state);
    const backup = await store.get(backupId);
    const path = await store.requireHere(backup);
    const secret = store.secret();
    const { written, sections } = await checkArchive(path, secret, run);
    if (written.sha256 !== backup.sha256) {
      const detail = `${backup.file} is not the file that the backup was: its SHA-256 is ${written.sha256}`;
      throw new ProblemError('unprocessable', detail);
    }
    const checkpoint = run.checkpoint as Checkpoint | undefined;
    const tally = new RestoreTally(checkpoint);
    const wanted = new Set(input.sections ?? sections.map(({ name }) => name));
    for (const { name } of sections) if (wanted.has(name)) tally.open(name);
    const nodes = new BackupNodes(parts.cluster, run.signal);
    const how = { tally, replaces: mode === 'replace', dryRun };
    const restorer = { scopes: new Set(input.scopes), mayGiveRoles: input.mayGiveRoles };
    const definitions = definitionsOf(parts, restorer);
    const total = sections.reduce((sum, { items }) => sum + items, 0);
    await restoreItems(readLines(path, secret), { run, tally, wanted, total }, [
      new DefinitionRestorer({ ...how, definitions }),
      new MessageRestorer({ ...how, cluster: parts.cluster, nodes }),
      new SessionRestorer({ ...how, cluster: parts.cluster, nodes }),
    ]);
    return { backup_id: backupId, mode, dry_run: dryRun, ...tally.state } as RestoreResult;
  },
};

type Restorers = readonly [DefinitionRestorer, MessageRestorer, SessionRestorer];

interface Restoring {
  readonly run: OperationRun;
  readonly tally: RestoreTally;
  readonly wanted: ReadonlySet<SectionName>;
  readonly total: number;
}

async function restoreItems(
  source: AsyncIterable<string>,
  { run, tally, wanted, total }: Restoring,
  restorers: Restorers,
): Promise<void> {
  const from = (run.checkpoint as Checkpoint | undefined)?.lines ?? 0;
  let lines = 0;
  let done = 0;
  let last: SectionName | undefined;
  const report = (): Promise<void> =>
    run.report({ progress: { done, total }, checkpoint: { lines, ...tally.state } });
  try {
    for await (const item of readArchive(source)) {
      // What the section before has left is done first: the next may need it.
      if (item.section !== last) for (const restorer of restorers) await restorer.flush();
      last = item.section;
      lines += 1;
      if (!item.more) done += 1;
      if (lines <= from || !wanted.has(item.section)) continue;
      run.signal.throwIfAborted();
      await restorerOf(item.section, restorers).add(item);
      if (restorers.every(({ isIdle }) => isIdle)) await report();
    }
  } catch (error) {
    throw problemOfArchive(error);
  }
  for (const restorer of restorers) await restorer.flush();
  await report();
}

function restorerOf(
  section: SectionName,
  [definitions, messages, sessions]: Restorers,
): Restorers[number] {
  if (section === 'sessions') return sessions;
  return section === 'retained' || section === 'delayed' ? messages : definitions;
}

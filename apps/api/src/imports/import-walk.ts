import type { ItemProblem } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationRun } from '../operations/operation-kind.ts';
import { pause, patiently } from '../operations/pace.ts';

/** Rows that are to be imported, and how. */
export interface ImportInput {
  readonly rows: readonly unknown[];
  /** What becomes of those that are there already. */
  readonly existing: 'skip' | 'update';
  readonly dryRun: boolean;
}

/** Whether what a row is about is there; a problem: it cannot be. */
export type RowState = 'absent' | 'present' | ProblemError;

/** What rows become. A ProblemError that is thrown with status 503 has the rows tried again. */
export interface ImportTarget<Item> {
  /** So many at a time. */
  readonly batch: number;
  /** What a row says, and under which key it is stored. @throws ProblemError. */
  read(row: unknown): Promise<{ readonly key: string; readonly item: Item }>;
  look(items: readonly Item[]): Promise<readonly RowState[]>;
  create(items: readonly Item[]): Promise<readonly ('created' | 'exists' | ProblemError)[]>;
  update(item: Item): Promise<'updated' | ProblemError>;
}

/** Why a row was not imported. */
interface RowProblem {
  readonly index: number;
  readonly line: number | null;
  readonly name: string | null;
  readonly problem: ItemProblem;
}

/** How far an import is; it is stored before and after each batch. */
interface ImportWalk {
  /** Rows before it are done, but for those in hand. */
  readonly at: number;
  /** Places of rows that were to be carried out when this was written down, by what there was. */
  readonly absent: readonly number[];
  readonly present: readonly number[];
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly problems: readonly RowProblem[];
}

type Outcome = 'created' | 'updated' | 'skipped' | 'failed';

type Read<Item> = { readonly item: Item } | { readonly problem: ProblemError };

interface Import<Item> extends ImportInput {
  readonly target: ImportTarget<Item>;
  readonly reads: readonly Read<Item>[];
  readonly run: OperationRun;
}

const PROBLEMS_MAX = 500;
const NAME_CHARACTERS_MAX = 256;
/** Rows that are read without a pause. */
const READ_AT_ONCE = 100;

const BEGIN: ImportWalk = {
  ...{ at: 0, absent: [], present: [], problems: [] },
  counts: { created: 0, updated: 0, skipped: 0, failed: 0 },
};

/**
 * Imports rows, one batch after the other; each row is carried out by itself.
 *
 * @remarks Which rows of a batch there were is written down before they are carried out: whoever goes on knows that what has
 * come since is of the worker before.
 */
export async function importRows<Item>(
  input: ImportInput,
  run: OperationRun,
  target: ImportTarget<Item>,
) {
  const { rows, dryRun } = input;
  const own = { ...input, target, run, reads: await readAll(rows, run, target) };
  let walk = (run.checkpoint as ImportWalk | undefined) ?? BEGIN;
  let isRepeat = run.checkpoint !== undefined;
  for (;;) {
    walk = await carriedOut(walk, own, isRepeat);
    isRepeat = false;
    const progress = { done: walk.at, total: rows.length };
    await run.report({ progress, ...(!dryRun && { checkpoint: walk }) });
    if (walk.at >= rows.length) break;
    walk = await looked(walk, own);
    if (!dryRun) await run.report({ checkpoint: walk });
  }
  const problems = walk.problems.toSorted((one, other) => one.index - other.index);
  return { dry_run: dryRun, rows: rows.length, ...walk.counts, problems };
}

/** All rows; of two with the same key the second is a problem. */
async function readAll<Item>(
  rows: readonly unknown[],
  run: OperationRun,
  target: ImportTarget<Item>,
): Promise<readonly Read<Item>[]> {
  const reads: Read<Item>[] = [];
  const places = new Map<string, number>();
  for (const [index, row] of rows.entries()) {
    if (index % READ_AT_ONCE === READ_AT_ONCE - 1) await pause(0, run);
    try {
      const fault = fieldOf(row, 'fault');
      if (typeof fault === 'string') throw new ProblemError('validation-failed', fault);
      const { key, item } = await target.read(row);
      const first = places.get(key);
      if (first !== undefined) throw doubled(rows[first], first);
      places.set(key, index);
      reads.push({ item });
    } catch (problem) {
      if (!(problem instanceof ProblemError)) throw problem;
      reads.push({ problem });
    }
  }
  return reads;
}

/** Finds out what there is of the rows that come next. */
async function looked<Item>(walk: ImportWalk, own: Import<Item>): Promise<ImportWalk> {
  const { target, reads, rows, run } = own;
  const end = Math.min(walk.at + target.batch, rows.length);
  const places = Array.from({ length: end - walk.at }, (_, index) => walk.at + index);
  const known = places.flatMap((index) => {
    const read = reads[index];
    return read !== undefined && 'item' in read ? [{ index, item: read.item }] : [];
  });
  const items = known.map(({ item }) => item);
  const states = items.length === 0 ? [] : await patiently(run, () => target.look(items));
  const stateOf = new Map(known.map(({ index }, at) => [index, states[at]]));
  const failed = places.flatMap((index) => {
    const read = reads[index];
    const state = read !== undefined && 'problem' in read ? read.problem : stateOf.get(index);
    return state instanceof ProblemError ? [problemAt(rows, index, state)] : [];
  });
  return {
    at: end,
    absent: places.filter((index) => stateOf.get(index) === 'absent'),
    present: places.filter((index) => stateOf.get(index) === 'present'),
    counts: { ...walk.counts, failed: walk.counts.failed + failed.length },
    problems: [...walk.problems, ...failed].slice(0, PROBLEMS_MAX),
  };
}

/** Carries out the rows in hand. */
async function carriedOut<Item>(
  walk: ImportWalk,
  own: Import<Item>,
  isRepeat: boolean,
): Promise<ImportWalk> {
  const { dryRun, existing, run, rows } = own;
  const { absent, present } = walk;
  const outcomes: (readonly [index: number, outcome: Outcome | ProblemError])[] = [];
  if (dryRun) {
    outcomes.push(...absent.map((index) => [index, 'created'] as const));
  } else if (absent.length > 0) {
    let mayBeOwn = isRepeat;
    const made = await patiently(run, () => {
      // Whatever the answer, it may be done from now on.
      const [known, items] = [mayBeOwn, itemsAt(own, absent)];
      mayBeOwn = true;
      return own.target.create(items).then((results) => ({ known, results }));
    });
    for (const [at, index] of absent.entries()) {
      const result = made.results[at] ?? 'exists';
      outcomes.push([index, result !== 'exists' ? result : await met(own, index, made.known)]);
    }
  }
  for (const index of present) {
    if (existing === 'skip') outcomes.push([index, 'skipped']);
    else outcomes.push([index, dryRun ? 'updated' : await updated(own, index)]);
  }
  const counts = { ...walk.counts };
  for (const [, outcome] of outcomes) {
    counts[outcome instanceof ProblemError ? 'failed' : outcome] += 1;
  }
  const failed = outcomes.flatMap(([index, outcome]) =>
    outcome instanceof ProblemError ? [problemAt(rows, index, outcome)] : [],
  );
  const problems = [...walk.problems, ...failed].slice(0, PROBLEMS_MAX);
  return { at: walk.at, absent: [], present: [], counts, problems };
}

/** One that was not there, and is now. */
function met<Item>(
  own: Import<Item>,
  index: number,
  mayBeOwn: boolean,
): Promise<Outcome | ProblemError> {
  if (mayBeOwn) return Promise.resolve('created');
  return own.existing === 'skip' ? Promise.resolve('skipped') : updated(own, index);
}

async function updated<Item>(own: Import<Item>, index: number): Promise<'updated' | ProblemError> {
  const [item] = itemsAt(own, [index]);
  if (item === undefined) throw new Error('a row in hand cannot be read');
  return patiently(own.run, () => own.target.update(item));
}

function itemsAt<Item>({ reads }: Import<Item>, places: readonly number[]): readonly Item[] {
  return places.flatMap((index) => {
    const read = reads[index];
    return read !== undefined && 'item' in read ? [read.item] : [];
  });
}

function problemAt(rows: readonly unknown[], index: number, error: ProblemError): RowProblem {
  const row = rows[index];
  const line = fieldOf(row, 'line');
  const name = fieldOf(row, 'name') ?? fieldOf(row, 'value');
  return {
    index,
    line: typeof line === 'number' ? line : null,
    name: typeof name === 'string' ? name.slice(0, NAME_CHARACTERS_MAX) : null,
    problem: error.item(),
  };
}

function doubled(row: unknown, index: number): ProblemError {
  const line = fieldOf(row, 'line');
  const where = typeof line === 'number' ? `line ${line}` : `item ${index}`;
  return new ProblemError('conflict', `The import has it already: ${where}`);
}

function fieldOf(row: unknown, name: string): unknown {
  return typeof row === 'object' && row !== null && Object.hasOwn(row, name)
    ? (row as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

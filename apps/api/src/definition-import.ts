import { isDeepStrictEqual } from 'node:util';
import type { DefinitionResult } from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';

/** An item as it is defined now. */
export interface Defined<Item> {
  readonly id: string;
  readonly item: Item;
  readonly revision: number;
}

/** A kind of what is defined over REST. */
export interface DefinitionSection<Item> {
  readonly name: DefinitionResult['section'];
  idOf(item: Item): string;
  /** All that are defined. */
  present(): Promise<readonly Defined<Item>[]>;
  /** What is wrong with an item that is known before. @throws ProblemError */
  check?(item: Item, revision: number | undefined): Promise<void> | void;
  /** Creates without a revision, else replaces exactly that one. @throws ProblemError when it cannot be. */
  put(item: Item, revision: number | undefined): Promise<void>;
  /** @throws ProblemError when it cannot go. */
  remove(defined: Defined<Item>): Promise<void>;
}

/** How an import goes. */
export interface ImportOptions {
  readonly dryRun: boolean;
  /** Whether what the document does not name goes. */
  readonly replaces: boolean;
}

/** What became of items, and what is left to do: to remove those that the document does not name. */
export interface SectionImport {
  readonly results: readonly DefinitionResult[];
  readonly finish: () => Promise<readonly DefinitionResult[]>;
}

/** Items under way at a time. */
const AT_ONCE = 20;

/** Imports a section; undefined leaves it alone. */
export async function importSection<Item>(
  section: DefinitionSection<Item>,
  wanted: readonly Item[] | undefined,
  { dryRun, replaces }: ImportOptions,
): Promise<SectionImport> {
  if (wanted === undefined) return { results: [], finish: async () => [] };
  const present = new Map((await section.present()).map((each) => [each.id, each]));
  // Of two under one id the last one counts.
  const items = new Map(wanted.map((item) => [section.idOf(item), item]));
  const results = await inGroups([...items], async ([id, item]) => {
    const before = present.get(id);
    if (before !== undefined && isDeepStrictEqual(plain(before.item), plain(item))) {
      return resultOf(section, id, 'unchanged');
    }
    const outcome = before === undefined ? 'created' : 'replaced';
    return tried(section, [id, outcome], async () => {
      await section.check?.(item, before?.revision);
      if (!dryRun) await section.put(item, before?.revision);
    });
  });
  const gone = replaces ? [...present.values()].filter(({ id }) => !items.has(id)) : [];
  return {
    results,
    finish: () =>
      inGroups(gone, (defined) =>
        tried(section, [defined.id, 'removed'], async () => {
          if (!dryRun) await section.remove(defined);
        }),
      ),
  };
}

async function inGroups<Item>(
  items: readonly Item[],
  each: (item: Item) => Promise<DefinitionResult> | DefinitionResult,
): Promise<readonly DefinitionResult[]> {
  const results: DefinitionResult[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const group = items.slice(from, from + AT_ONCE);
    results.push(...(await Promise.all(group.map(async (item) => each(item)))));
  }
  return results;
}

/** One item that fails does not keep the others away. */
async function tried(
  section: Pick<DefinitionSection<unknown>, 'name'>,
  [id, outcome]: readonly [string, DefinitionResult['outcome']],
  act: () => Promise<void>,
): Promise<DefinitionResult> {
  try {
    await act();
    return resultOf(section, id, outcome);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { ...resultOf(section, id, 'failed'), detail: error.message };
  }
}

function resultOf(
  { name: section }: Pick<DefinitionSection<unknown>, 'name'>,
  id: string,
  outcome: DefinitionResult['outcome'],
): DefinitionResult {
  return { section, id, outcome, detail: null };
}

/** As JSON has it: a field that is undefined is none. */
function plain(item: unknown): unknown {
  return JSON.parse(JSON.stringify(item));
}

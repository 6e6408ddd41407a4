import type { RetainedRemoval } from '#libs/api-contracts';
import type { Inquiry } from './cluster/inquiry.ts';
import type { OperationKind } from './operations/operation-kind.ts';
import { patiently } from './operations/pace.ts';

/** How far a removal is; it is stored between two pieces, and small. */
export interface RemovalWalk {
  /** The topic that came last; absent before the first. */
  readonly after?: string | undefined;
  readonly matched: number;
  /** The first of them. */
  readonly topics: readonly string[];
}

/** Which retained messages are to go, and what was done within the request already. */
export interface RetainedRemovalInput {
  readonly filter: string;
  readonly dryRun: boolean;
  readonly walk: RemovalWalk;
}

/** Messages of one question to a node, so that it is not held up. */
const PIECE = 1_000;
const NAMED_MAX = 100;
/** Topics may be long: so many characters of all that are named. */
const CHARACTERS_MAX = 256 * 1024;

/** Nothing was looked at. */
export const REMOVAL_BEGIN: RemovalWalk = { matched: 0, topics: [] };

/** Removes those that come next, or only counts them; `isDone`: there are no more. */
export async function removePiece(
  inquiry: Inquiry,
  { filter, dryRun }: Pick<RetainedRemovalInput, 'filter' | 'dryRun'>,
  walk: RemovalWalk,
): Promise<{ readonly walk: RemovalWalk; readonly isDone: boolean }> {
  const { topics, hasMore } = await inquiry.change({
    ...{ kind: 'clear-retained-matching', filter, limit: PIECE, dryRun },
    ...(walk.after !== undefined && { after: walk.after }),
  });
  const next = {
    after: topics.at(-1) ?? walk.after,
    matched: walk.matched + topics.length,
    topics: named([...walk.topics, ...topics]),
  };
  return { walk: next, isDone: !hasMore || topics.length === 0 };
}

/** What came of a removal. */
export function shownRemoval({ matched, topics }: RemovalWalk, dryRun: boolean): RetainedRemoval {
  return { dry_run: dryRun, matched, removed: dryRun ? 0 : matched, topics: [...topics] };
}

/** Removes the retained messages that a filter matches, beyond what fits into a request. */
export const RETAINED_REMOVALS: OperationKind<RetainedRemovalInput> = {
  ...{ kind: 'retained-removals', resultScope: 'retained:read' },
  run: async (input, run, { cluster }) => {
    let walk = (run.checkpoint as RemovalWalk | undefined) ?? input.walk;
    for (let isDone = false; !isDone;) {
      const before = walk;
      ({ walk, isDone } = await patiently(run, () =>
        removePiece(cluster.inquire(), input, before),
      ));
      await run.report({ progress: { done: walk.matched }, checkpoint: walk });
    }
    return shownRemoval(walk, input.dryRun);
  },
};

function named(topics: readonly string[]): readonly string[] {
  let characters = 0;
  const first = topics.slice(0, NAMED_MAX);
  const end = first.findIndex((topic) => (characters += topic.length) > CHARACTERS_MAX);
  return end < 0 ? first : first.slice(0, end);
}

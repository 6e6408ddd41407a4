import type { WireDeadLetterQuery, WireReplay } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { OperationKind, OperationRun } from './operations/operation-kind.ts';
import { Pace, pause, patiently } from './operations/pace.ts';

/** Which letters are replayed, and how fast. */
export interface DeadLetterReplayInput {
  /** It has an end: letters that replays make come behind it. */
  readonly query: WireDeadLetterQuery & { readonly toMs: number };
  readonly perSecond: number;
  readonly dryRun: boolean;
}

/** How far it is. */
interface ReplayWalk {
  /** Behind which letter to go on; absent at the begin. */
  readonly after?: string | undefined;
  /** Letters that were, or were to be, handed to their rules when this was written down. */
  readonly inHand: readonly string[];
  readonly isLast: boolean;
  readonly matched: number;
  readonly outcomes: Readonly<Partial<Record<WireReplay['outcome'], number>>>;
  readonly problems: readonly { readonly id: string; readonly detail: string }[];
}

/** The part of its time that a question leaves to rules: the rest is for the way there and back. */
const REPLAY_SHARE = 0.75;

/** Letters that a node replays at once. */
const BATCH_MAX = 100;
const PROBLEMS_MAX = 100;
/** A page without letters may still have more behind it; so long it rests between two. */
const REST_MS = 20;

const OUTCOMES = [
  ...(['replayed', 'pending', 'absent', 'idle', 'cut'] as const),
  ...(['filtered', 'unreadable', 'failed'] as const),
];

const BEGIN: ReplayWalk = { inHand: [], isLast: false, matched: 0, outcomes: {}, problems: [] };

/** Gives letters back to their rules; what becomes of each is in the order of ids. */
export async function replayLetters(
  cluster: Cluster,
  ids: readonly string[],
): Promise<readonly WireReplay[]> {
  const inquiry = cluster.inquire();
  const withinMs = inquiry.leftMs * REPLAY_SHARE;
  return (await inquiry.change({ kind: 'replay-dead-letters', ids, withinMs })).results;
}

/**
 * Replays the letters that a filter finds, at a rate.
 *
 * @remarks What is in hand is written down before it is handed over: whoever goes on hands it over again, and finds those
 * that were stored meanwhile absent.
 */
export const DEAD_LETTER_REPLAYS: OperationKind<DeadLetterReplayInput> = {
  ...{ kind: 'dead-letter-replays', resultScope: 'dead_letters:read' },
  run: async (input, run, { cluster }) => {
    const pace = new Pace(input.perSecond);
    let walk = (run.checkpoint as ReplayWalk | undefined) ?? BEGIN;
    for (;;) {
      const { inHand } = walk;
      if (inHand.length > 0) {
        await pace.take(inHand.length, run);
        const results = await patiently(run, () => replayLetters(cluster, inHand));
        walk = counted(walk, results);
      }
      if (walk.isLast) break;
      walk = await next(walk, input, { cluster, run, limit: Math.min(pace.batch, BATCH_MAX) });
      // What was found is counted, and handed over from here on.
      await run.report({
        progress: { done: walk.matched - walk.inHand.length },
        ...(!input.dryRun && { checkpoint: walk }),
      });
    }
    await run.report({ progress: { done: walk.matched } });
    return shown(walk, input.dryRun);
  },
};

interface Look {
  readonly cluster: Cluster;
  readonly run: OperationRun;
  readonly limit: number;
}

/** The letters that come next. */
async function next(
  walk: ReplayWalk,
  { query, dryRun }: DeadLetterReplayInput,
  { cluster, run, limit }: Look,
): Promise<ReplayWalk> {
  const { items, next: after } = await patiently(run, () =>
    cluster.inquire().read({
      ...{ kind: 'dead-letters', query, after: walk.after, content: false },
      limit: dryRun ? BATCH_MAX : limit,
    }),
  );
  if (items.length === 0 && after !== undefined) await pause(REST_MS, run);
  return {
    ...walk,
    after: after ?? items.at(-1)?.id ?? walk.after,
    inHand: dryRun ? [] : items.map(({ id }) => id),
    isLast: after === undefined,
    matched: walk.matched + items.length,
  };
}

function counted(walk: ReplayWalk, results: readonly WireReplay[]): ReplayWalk {
  const outcomes = { ...walk.outcomes };
  for (const { outcome } of results) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const failed = results.flatMap(({ id, outcome, detail }) =>
    outcome === 'failed' ? [{ id, detail: detail ?? '' }] : [],
  );
  return {
    ...{ ...walk, inHand: [], outcomes },
    problems: [...walk.problems, ...failed].slice(0, PROBLEMS_MAX),
  };
}

function shown({ matched, outcomes, problems }: ReplayWalk, dryRun: boolean) {
  const counts = Object.fromEntries(OUTCOMES.map((each) => [each, outcomes[each] ?? 0]));
  return { dry_run: dryRun, matched, ...counts, problems };
}

import type { Condition, ItemProblem } from '#libs/api-contracts';
import { listClients } from '../client-list.ts';
import type { OperationParts, OperationRun } from '../operations/operation-kind.ts';
import { Pace, patiently } from '../operations/pace.ts';
import { disconnectAll, type DisconnectHow } from './disconnects.ts';

/** Which clients an operation is about, and what becomes of them. */
export interface ClientWalkInput {
  readonly where: readonly Condition[];
  readonly node?: string | undefined;
  readonly perSecond: number;
  readonly how: DisconnectHow;
}

/** How far the walk is: it is stored between two batches, and small. */
export interface ClientWalk {
  /** The client id that came last. */
  readonly after?: string | undefined;
  readonly matched: number;
  readonly done: number;
  readonly banned: number;
  readonly problems: readonly { readonly client_id: string; readonly problem: ItemProblem }[];
  readonly notDone: number;
  readonly unavailable: readonly string[];
  /** With a dry run. */
  readonly clientIds: readonly string[];
}

const PROBLEMS_MAX = 100;
const NAMED_MAX = 1_000;
/** Client ids may be long: so many characters of all that are named. */
const CHARACTERS_MAX = 256 * 1024;

const BEGIN: ClientWalk = {
  ...{ matched: 0, done: 0, banned: 0, problems: [], notDone: 0 },
  ...{ unavailable: [], clientIds: [] },
};

/** Goes through clients by id and disconnects them at a rate; a walk that is taken up again goes on behind its last batch. */
export async function walkClients(
  { where, node, perSecond, how }: ClientWalkInput,
  run: OperationRun,
  { cluster }: OperationParts,
): Promise<ClientWalk> {
  const pace = new Pace(perSecond);
  let walk = (run.checkpoint as ClientWalk | undefined) ?? BEGIN;
  for (;;) {
    const { after } = walk;
    const slice = await patiently(run, () =>
      listClients(cluster.inquire(), {
        ...{ where, node, limit: pace.batch, order: 'client_id', descending: false },
        after: after === undefined ? undefined : { clientId: after },
      }),
    );
    const ids = slice.items.map(({ client }) => client.clientId);
    if (!how.dryRun) await pace.take(ids.length, run);
    const results =
      how.dryRun || ids.length === 0
        ? []
        : await patiently(run, () => disconnectAll(cluster.inquire(), ids, how));
    walk = added(walk, { ids, results, unavailable: slice.unavailable, how });
    const progress = { done: walk.matched };
    // A dry run can as well begin anew.
    await run.report(how.dryRun ? { progress } : { progress, checkpoint: walk });
    if (slice.after === undefined) return walk;
  }
}

interface Batch {
  readonly ids: readonly string[];
  readonly results: Awaited<ReturnType<typeof disconnectAll>>;
  readonly unavailable: readonly string[];
  readonly how: DisconnectHow;
}

function added(walk: ClientWalk, { ids, results, unavailable, how }: Batch): ClientWalk {
  // Who has left by himself meanwhile is not missed.
  const failed = results.flatMap(({ client_id, problem }) =>
    problem === undefined || problem.code === 'not-found' ? [] : [{ client_id, problem }],
  );
  const named = how.dryRun ? [...walk.clientIds, ...ids].slice(0, NAMED_MAX) : [];
  const told = [...walk.problems, ...failed].slice(0, PROBLEMS_MAX);
  return {
    after: ids.at(-1) ?? walk.after,
    matched: walk.matched + ids.length,
    done: walk.done + results.filter(({ was }) => was !== null).length,
    banned: walk.banned + results.filter(({ isBanned }) => isBanned).length,
    problems: bounded(told, (each) => each.client_id),
    notDone: walk.notDone + failed.length,
    unavailable: [...new Set([...walk.unavailable, ...unavailable])].toSorted(),
    clientIds: bounded(named, (id) => id),
  };
}

/** The first of them that together are not too long. */
function bounded<Item>(items: readonly Item[], idOf: (item: Item) => string): readonly Item[] {
  let characters = 0;
  const end = items.findIndex((item) => (characters += idOf(item).length) > CHARACTERS_MAX);
  return end < 0 ? items : items.slice(0, end);
}

/** What the results of both kinds have. */
export function shownWalk(walk: ClientWalk, { dryRun }: DisconnectHow) {
  return {
    dry_run: dryRun,
    matched: walk.matched,
    not_done: walk.notDone,
    problems: walk.problems,
    unavailable_nodes: walk.unavailable,
    ...(dryRun && { client_ids: walk.clientIds }),
  };
}

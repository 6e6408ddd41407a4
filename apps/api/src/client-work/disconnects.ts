import type {
  CommandOf,
  DisconnectResult,
  ItemProblem,
  WireBanWish,
  WireClientState,
} from '#libs/api-contracts';
import type { Inquiry } from '../cluster/inquiry.ts';
import { ProblemError } from '../http/problem-error.ts';

/** How clients are disconnected. */
export interface DisconnectHow {
  readonly reasonCode: number;
  readonly withWill: boolean;
  readonly endSession: boolean;
  readonly banSeconds?: number | undefined;
  readonly dryRun: boolean;
}

/** What became of one client. */
export type Disconnected = Omit<DisconnectResult, 'index'> & { readonly isBanned: boolean };

/** One more question needs so much time. */
const QUESTION_MS = 100;

const BAN_REASON = 'disconnected by an administrator';

/**
 * Disconnects clients wherever they are, and keeps them away for a time.
 *
 * @throws ProblemError when no node is known. Silence of single nodes is in the results.
 */
export async function disconnectAll(
  inquiry: Inquiry,
  clientIds: readonly string[],
  { banSeconds, ...how }: DisconnectHow,
): Promise<readonly Disconnected[]> {
  const command: CommandOf<'disconnect-many'> = { kind: 'disconnect-many', clientIds, ...how };
  const { answered, unavailable } = await inquiry.askAll(await inquiry.nodes(), command);
  const states = clientIds.map((_, index) =>
    best(answered.map(({ answer }) => answer.states[index] ?? 'absent')),
  );
  const absent = clientIds.filter((_, index) => states[index] === 'absent');
  const gone = await formerNodes(inquiry, absent);
  const results = clientIds.map((id, index): Disconnected => {
    const was = states[index];
    const own = { client_id: id, isBanned: false };
    if (was === 'connected' || was === 'disconnected') return { ...own, was, status: 204 };
    const problem = absentProblem(gone.get(id), unavailable).item();
    return { ...own, was: null, status: problem.status, problem };
  });
  return banSeconds === undefined || how.dryRun ? results : banned(inquiry, results, banSeconds);
}

/** Of two, as there are for a moment during a take-over, the connected one. */
function best(states: readonly WireClientState[]): WireClientState {
  if (states.includes('connected')) return 'connected';
  return states.includes('disconnected') ? 'disconnected' : 'absent';
}

/** The nodes that have had those of the sessions that nobody has for the moment. */
async function formerNodes(
  inquiry: Inquiry,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0 || inquiry.leftMs < QUESTION_MS) return new Map();
  const where = [{ field: 'client_id', operator: 'in', value: ids }] as const;
  const order = { order: 'client_id', descending: false } as const;
  const query = { ...order, where, limit: ids.length };
  try {
    const { items } = await inquiry.read({ kind: 'unowned-sessions', query });
    return new Map(items.map(({ nodeId, session }) => [session.clientId, nodeId]));
  } catch (error) {
    // Nobody can say: what is known already counts.
    if (error instanceof ProblemError) return new Map();
    throw error;
  }
}

function absentProblem(former: string | undefined, unavailable: readonly string[]): ProblemError {
  if (former !== undefined) {
    return new ProblemError(
      'node-unavailable',
      `Not done: ${former}, which had the session, has gone, and no node has taken it over yet`,
    );
  }
  if (unavailable.length === 0) return new ProblemError('not-found', 'No node has this client');
  const who = unavailable.join(', ');
  return new ProblemError(
    'node-unavailable',
    `Not found on the nodes that answer; whether it was disconnected at a silent one is unknown: ${who}`,
  );
}

/** Bans those that were disconnected, right after: a ban would close connections with its own reason code. */
async function banned(
  inquiry: Inquiry,
  results: readonly Disconnected[],
  seconds: number,
): Promise<readonly Disconnected[]> {
  const untilMs = Date.now() + seconds * 1_000;
  const done = results.filter(({ was }) => was !== null);
  const wishes = done.map(({ client_id: value }): WireBanWish => {
    return { kind: 'add', ban: { kind: 'client_id', value, reason: BAN_REASON, untilMs } };
  });
  const refusals = await refusalsOf(inquiry, wishes);
  const byId = new Map(done.map(({ client_id: id }, index) => [id, refusals[index]]));
  return results.map((result) => {
    if (result.was === null) return result;
    const problem = byId.get(result.client_id);
    return problem === undefined
      ? { ...result, isBanned: true }
      : { ...result, status: problem.status, problem };
  });
}

/** Why bans were not made, in their order; undefined for those that were. */
async function refusalsOf(
  inquiry: Inquiry,
  wishes: readonly WireBanWish[],
): Promise<readonly (ItemProblem | undefined)[]> {
  if (wishes.length === 0) return [];
  try {
    const { changes } = await inquiry.change({ kind: 'change-bans', wishes });
    return changes.map((change) =>
      change.kind === 'stored' || change.kind === 'exists'
        ? undefined
        : new ProblemError('limit-reached', 'Disconnected, and not banned: too many bans').item(),
    );
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const problem = new ProblemError(error.code, `Disconnected; the ban: ${error.message}`).item();
    return wishes.map(() => problem);
  }
}

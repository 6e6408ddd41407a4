import {
  clientRank,
  type WireClient,
  type WireClientPosition,
  type WireClientQuery,
  type WirePage,
} from '#libs/api-contracts';
import type { Inquiry } from './cluster/inquiry.ts';
import { compareText, mergePages } from './cluster/merge.ts';

/** A client and the node that has its session, or has had it. */
export interface FoundClient {
  readonly client: WireClient;
  readonly node: string;
}

/** Which clients of the whole cluster to list. */
export interface ClientListQuery extends WireClientQuery {
  /** Of this node only. */
  readonly node?: string | undefined;
}

/** A page of clients, and where the next one begins. */
export interface ClientSlice {
  readonly items: readonly FoundClient[];
  readonly after: WireClientPosition | undefined;
  readonly unavailable: readonly string[];
}

/** Lists clients of all nodes, and sessions whose node has gone. */
export async function listClients(
  inquiry: Inquiry,
  { node: wanted, ...query }: ClientListQuery,
): Promise<ClientSlice> {
  const all = await inquiry.nodes();
  const nodes = all.filter(({ nodeId }) => (wanted ?? nodeId) === nodeId);
  const [{ answered, unavailable }, unowned] = await Promise.all([
    inquiry.askSome(nodes, { kind: 'clients', query }),
    hasUnowned(query)
      ? inquiry.read({ kind: 'unowned-sessions', query, node: wanted })
      : { items: [], hasMore: false },
  ]);
  const pages: WirePage<FoundClient>[] = answered.map(({ node, answer }) => ({
    hasMore: answer.hasMore,
    items: answer.items.map((client) => ({ client, node: node.nodeId })),
  }));
  const former = unowned.items.map(({ nodeId, session }) => ({ client: session, node: nodeId }));
  // Last: of a session that is being taken over, what its new node says counts.
  pages.push({ hasMore: unowned.hasMore, items: former });
  const { items, hasMore } = mergePages(pages, query.limit, orderOf(query));
  const last = items.at(-1);
  const after = hasMore && last !== undefined ? positionOf(last) : undefined;
  return { items, after, unavailable };
}

function positionOf({ client }: FoundClient): WireClientPosition {
  const { clientId, connectedAtMs, queueMessages, unsentBytes, deliveryDelayMs } = client;
  return { clientId, connectedAtMs, queueMessages, unsentBytes, deliveryDelayMs };
}

/** Of a session that nobody has it is not known what waits for its client. */
function hasUnowned({ order }: WireClientQuery): boolean {
  return order === 'client_id' || order === 'connected_at';
}

function orderOf({ order, descending }: WireClientQuery) {
  const sign = descending ? -1 : 1;
  return ({ client: a }: FoundClient, { client: b }: FoundClient): number => {
    const byRank = clientRank(a, order) - clientRank(b, order);
    return sign * (byRank || compareText(a.clientId, b.clientId));
  };
}

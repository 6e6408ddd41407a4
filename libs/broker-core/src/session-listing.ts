import type {
  ClientInfo,
  ClientOrder,
  ClientPosition,
  ClientQuery,
  NodePage,
  StoredSubscription,
  SubscriptionInfo,
  SubscriptionQuery,
} from '#libs/broker-ports';
import { matches, parseShare, plainFilter } from '#libs/topic-index';
import type { SessionEntry } from './session-entry.ts';
import type { Sessions } from './sessions.ts';
import { SmallestItems } from './smallest-items.ts';
import { spreadWorkToEnd } from './spread-work.ts';
import { storedForm } from './subscription.ts';

type Sought = Pick<Sessions, 'all' | 'get' | 'ids'>;
type Order = (a: ClientPosition, b: ClientPosition) => number;

/**
 * Pages of the sessions of a node.
 *
 * @remarks By client id a page begins where the one before has ended and looks at no more sessions than it needs; by anything else it
 * looks at all of them. Either is done in pieces, so that clients are served between them: who comes or goes meanwhile may
 * be listed or not, whoever stays is listed.
 */
export class SessionListing {
  readonly #sessions: Sought;
  readonly #defer: (run: () => void) => void;

  /** @param defer - runs a function after the input of this event-loop turn has been handled. */
  constructor(sessions: Sought, defer: (run: () => void) => void) {
    this.#sessions = sessions;
    this.#defer = defer;
  }

  /** A page of the clients of this node. */
  async clients(query: ClientQuery): Promise<NodePage<ClientInfo>> {
    const items: ClientInfo[] = [];
    const isById = (query.order ?? 'client_id') === 'client_id';
    const steps = isById ? this.#byId(query, items) : this.#byRank(query, items);
    await spreadWorkToEnd(steps, this.#defer);
    return pageOf(items, query.limit);
  }

  /** A page of the subscriptions of this node. */
  async subscriptions(query: SubscriptionQuery): Promise<NodePage<SubscriptionInfo>> {
    const items: SubscriptionInfo[] = [];
    await spreadWorkToEnd(this.#subscriptions(query, items), this.#defer);
    return pageOf(items, query.limit);
  }

  *#byId(query: ClientQuery, items: ClientInfo[]): Generator<void> {
    const { limit, isWanted, descending } = query;
    const after = query.after?.clientId;
    for (const entry of this.#entries(query.clientId, { after, descending })) {
      yield;
      const info = clientInfoOf(entry);
      if (isWanted !== undefined && !isWanted(info)) continue;
      if (query.after !== undefined && orderOf(query)(info, query.after) <= 0) continue;
      items.push(info);
      // One more than the page: whether there are more.
      if (items.length > limit) return;
    }
  }

  *#byRank(query: ClientQuery, items: ClientInfo[]): Generator<void> {
    const { after, limit, clientId, isWanted } = query;
    const compare = orderOf(query);
    const page = new SmallestItems<ClientInfo, ClientPosition>(limit + 1, compare);
    const all = clientId === undefined ? this.#sessions.all() : this.#one(clientId);
    for (const entry of all) {
      yield;
      const info = clientInfoOf(entry);
      if (after !== undefined && compare(info, after) <= 0) continue;
      if (!page.takes(info)) continue;
      if (isWanted === undefined || isWanted(info)) page.add(info);
    }
    items.push(...page.sorted());
  }

  *#subscriptions(query: SubscriptionQuery, items: SubscriptionInfo[]): Generator<void> {
    const { after, limit, clientId } = query;
    // The session in which the page before has ended may have more.
    const first = clientId === undefined ? after?.clientId : undefined;
    const begun = first === undefined ? [] : this.#one(first);
    for (const entries of [begun, this.#entries(clientId, { after: first })]) {
      for (const entry of entries) {
        yield;
        for (const filter of [...entry.subscriptions.keys()].toSorted(byCodeUnit)) {
          if (after?.clientId === entry.clientId && filter <= after.filter) continue;
          const subscription = entry.subscriptions.get(filter);
          if (subscription === undefined) continue;
          const form = storedForm(subscription);
          if (!isWantedSubscription(form, query)) continue;
          items.push({ clientId: entry.clientId, ...form });
          if (items.length > limit) return;
        }
      }
    }
  }

  /** One session, or all in the order of their ids. */
  *#entries(
    clientId: string | undefined,
    from: { readonly after?: string | undefined; readonly descending?: boolean | undefined },
  ): Generator<SessionEntry> {
    if (clientId !== undefined) return yield* this.#one(clientId);
    const { ids } = this.#sessions;
    const next = (id: string | undefined) =>
      from.descending === true ? ids.before(id) : ids.after(id);
    for (let id = next(from.after); id !== undefined; id = next(id)) yield* this.#one(id);
    return undefined;
  }

  #one(clientId: string): readonly SessionEntry[] {
    const entry = this.#sessions.get(clientId);
    return entry === undefined ? [] : [entry];
  }
}

function pageOf<Item>(items: readonly Item[], limit: number): NodePage<Item> {
  return { items: items.slice(0, limit), hasMore: items.length > limit };
}

/** Whether a subscription is one of those that a query asks for. */
export function isWantedSubscription(
  { filter, qos }: Pick<StoredSubscription, 'filter' | 'qos'>,
  query: Pick<SubscriptionQuery, 'filter' | 'qos' | 'group' | 'matchTopic'>,
): boolean {
  if (query.filter !== undefined && filter !== query.filter) return false;
  if (query.qos !== undefined && qos !== query.qos) return false;
  const share = parseShare(filter);
  if (query.group !== undefined && share?.group !== query.group) return false;
  const matched = share?.filter ?? plainFilter(filter);
  return query.matchTopic === undefined || matches(matched, query.matchTopic);
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A client that never has connected here comes before those that have. */
function orderOf({ order, descending }: Pick<ClientQuery, 'order' | 'descending'>): Order {
  const sign = descending === true ? -1 : 1;
  return (a, b) =>
    sign * (rankOf(a, order) - rankOf(b, order) || byCodeUnit(a.clientId, b.clientId));
}

function rankOf(client: ClientPosition, order: ClientOrder = 'client_id'): number {
  switch (order) {
    case 'client_id':
      return 0;
    case 'connected_at':
      return client.connectedAtMs ?? 0;
    case 'queue_messages':
      return client.queueMessages ?? 0;
    case 'unsent_bytes':
      return client.unsentBytes ?? 0;
    case 'delivery_delay_seconds':
      return client.deliveryDelayMs ?? -1;
  }
}

/** What administrators see of a client. */
export function clientInfoOf(entry: SessionEntry): ClientInfo {
  const { outbound } = entry.session;
  return {
    clientId: entry.clientId,
    username: entry.client?.username,
    state: entry.connection === undefined ? 'disconnected' : 'connected',
    listener: entry.client?.listener,
    remoteAddress: entry.client?.remoteAddress,
    version: entry.terms?.version,
    cleanStart: entry.terms?.cleanStart ?? false,
    keepAliveSeconds: entry.terms?.keepAliveSeconds ?? 0,
    connectedAtMs: entry.connectedAtMs,
    disconnectedAtMs: entry.disconnectedAtMs,
    createdAtMs: entry.createdAtMs,
    expiresAtMs: Number.isFinite(entry.expiresAtMs) ? entry.expiresAtMs : undefined,
    isDurable: entry.durable,
    sessionExpirySeconds: entry.expirySeconds,
    subscriptionCount: entry.subscriptions.size,
    queueMessages: entry.durable ? entry.queueMessages : outbound.queueCount,
    queueBytes: Math.round(entry.durable ? entry.queueBytes : outbound.queueBytes),
    inflightMessages: outbound.inflightCount,
    unsentBytes: entry.connection?.unsentBytes ?? 0,
    deliveryDelayMs: entry.delay && Math.round(entry.delay.meanMs),
  };
}

import type { Principal } from '#libs/access';
import type {
  AdminPublication,
  AdminRequest,
  ClientInfo,
  ClientPosition,
  ClientQuery,
  InjectedMessage,
  Message,
  MessageTap,
  NodeAdmin,
  NodeInfo,
  NodePage,
  NodeStatus,
  PendingRequest,
  PublishDone,
  SessionAdmin,
  SubscriptionInfo,
  SubscriptionQuery,
} from '#libs/broker-ports';
import { matches, parseShare, plainFilter } from '#libs/topic-index';
import type { ConnectionKeeper } from './connection-keeper.ts';
import { knownPrincipalOf } from './credential.ts';
import type { NodeParts } from './parts.ts';
import { Requests } from './requests.ts';
import type { Router } from './router.ts';
import { SessionAdminView } from './session-admin-view.ts';
import type { SessionEntry, SessionHost } from './session-entry.ts';
import type { Subscriber } from './subscriber.ts';
import type { Sessions } from './sessions.ts';
import { SmallestItems } from './smallest-items.ts';
import { storedForm } from './subscription.ts';

/** What the view needs of the node's core. */
export interface AdminViewHost {
  readonly sessions: Sessions;
  readonly router: Router;
  readonly subscriber: Subscriber;
  readonly node: Pick<SessionHost, 'load' | 'traffic'>;
  readonly keeper: Pick<ConnectionKeeper, 'endSession'>;
  readonly identify: (message: InjectedMessage, publisher: string) => Message;
  /** Publishes a message, as that of a client if one is given. */
  readonly publish: (message: Message, entry: SessionEntry | undefined, done: PublishDone) => void;
}

/** What administrators see of a node and may ask of it. */
export class NodeAdminView implements NodeAdmin {
  readonly sessions: SessionAdmin;
  readonly #parts: NodeParts;
  readonly #sessions: Sessions;
  readonly #router: Router;
  readonly #publish: AdminViewHost['publish'];
  readonly #identify: AdminViewHost['identify'];
  readonly #requests: Requests;
  readonly #traffic: { readonly received: number; readonly sent: number };

  constructor(parts: NodeParts, own: AdminViewHost) {
    this.#parts = parts;
    this.#sessions = own.sessions;
    this.#router = own.router;
    this.sessions = new SessionAdminView(parts, own);
    this.#publish = own.publish;
    this.#identify = own.identify;
    this.#requests = new Requests({
      router: own.router,
      nodeId: () => parts.bus.self.nodeId,
      publish: (message, asClientId) => this.publish(message, asClientId),
    });
    this.#traffic = own.node.traffic;
  }

  status(): NodeStatus {
    const { bus, mode, retained } = this.#parts;
    const node = this.#self();
    let connections = 0;
    for (const entry of this.#sessions.all()) if (entry.connection !== undefined) connections += 1;
    const { plain, wildcard, shared } = this.#router.counts;
    const counts = this.#traffic;
    return {
      node: node ?? { ...bus.self, version: '', startedAtMs: 0, state: 'alive' },
      mode,
      connections,
      sessions: this.#sessions.size,
      subscriptions: plain + wildcard + shared,
      retainedMessages: retained.size().messages,
      messagesReceived: counts.received,
      messagesSent: counts.sent,
    };
  }

  nodes(): readonly NodeInfo[] {
    return this.#parts.bus.nodes();
  }

  clients(query: ClientQuery): NodePage<ClientInfo> {
    const { after, limit, clientId, isWanted } = query;
    const compare = orderOf(query);
    // One more than the page: whether there are more.
    const page = new SmallestItems<ClientInfo, ClientPosition>(limit + 1, compare);
    for (const entry of this.#entries(clientId)) {
      const key = { clientId: entry.clientId, connectedAtMs: entry.connectedAtMs };
      if (after !== undefined && compare(key, after) <= 0) continue;
      if (!page.takes(key)) continue;
      const info = clientInfoOf(entry);
      if (isWanted === undefined || isWanted(info)) page.add(info);
    }
    const items = page.sorted();
    return { items: items.slice(0, limit), hasMore: items.length > limit };
  }

  client(clientId: string): ClientInfo | undefined {
    const entry = this.#sessions.get(clientId);
    return entry && clientInfoOf(entry);
  }

  /** Who a client of this node is to the access control; undefined when it has no session here. */
  principalOf(clientId: string): Principal | undefined {
    return knownPrincipalOf(this.#sessions.get(clientId));
  }

  subscriptions(query: SubscriptionQuery): NodePage<SubscriptionInfo> {
    const items: SubscriptionInfo[] = [];
    const { after } = query;
    const ids =
      query.clientId === undefined ? this.#idsAfter(after?.clientId, true) : [query.clientId];
    for (const clientId of ids) {
      const entry = this.#sessions.get(clientId);
      for (const filter of [...(entry?.subscriptions.keys() ?? [])].toSorted(byCodeUnit)) {
        const subscription = entry?.subscriptions.get(filter);
        if (subscription === undefined) continue;
        if (after?.clientId === clientId && filter <= after.filter) continue;
        if (query.filter !== undefined && filter !== query.filter) continue;
        if (query.qos !== undefined && subscription.qos !== query.qos) continue;
        const share = parseShare(filter);
        if (query.group !== undefined && share?.group !== query.group) continue;
        const matched = share?.filter ?? plainFilter(filter);
        if (query.matchTopic !== undefined && !matches(matched, query.matchTopic)) continue;
        if (items.length === query.limit) return { items, hasMore: true };
        items.push({ clientId, ...storedForm(subscription) });
      }
    }
    return { items, hasMore: false };
  }

  publish(injected: InjectedMessage, asClientId?: string): Promise<AdminPublication> {
    const entry = asClientId === undefined ? undefined : this.#sessions.get(asClientId);
    if (asClientId !== undefined && entry?.connection === undefined) {
      return Promise.resolve({ kind: 'not-connected' });
    }
    const matched = this.#router.countReceivers(injected.topic);
    const message = this.#identify(injected, entry?.clientId ?? '');
    const { source, sequence } = message;
    return new Promise((resolve) => {
      this.#publish(message, entry, (error) =>
        resolve(
          error
            ? { kind: 'refused', error }
            : { kind: 'taken', matched, identity: { source, sequence } },
        ),
      );
    });
  }

  request(request: AdminRequest): PendingRequest {
    return this.#requests.begin(request);
  }

  tap(filter: string, tap: MessageTap): () => void {
    return this.#router.taps.add(filter, tap);
  }

  identify(message: InjectedMessage): Message {
    return this.#identify(message, '');
  }

  #self(): NodeInfo | undefined {
    const { self } = this.#parts.bus;
    return this.#parts.bus.nodes().find(({ nodeId }) => nodeId === self.nodeId);
  }

  #entries(clientId: string | undefined): Iterable<SessionEntry> {
    if (clientId === undefined) return this.#sessions.all();
    const entry = this.#sessions.get(clientId);
    return entry === undefined ? [] : [entry];
  }

  #idsAfter(after: string | undefined, inclusive = false): string[] {
    const ids: string[] = [];
    for (const { clientId } of this.#sessions.all()) {
      const isLater = after === undefined || clientId > after || (inclusive && clientId === after);
      if (isLater) ids.push(clientId);
    }
    return ids.toSorted(byCodeUnit);
  }
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

type Order = (a: ClientPosition, b: ClientPosition) => number;

/** A client that never has connected here comes before those that have. */
function orderOf({ order, descending }: Pick<ClientQuery, 'order' | 'descending'>): Order {
  const sign = descending === true ? -1 : 1;
  if (order !== 'connected_at') return (a, b) => sign * byCodeUnit(a.clientId, b.clientId);
  return (a, b) =>
    sign * ((a.connectedAtMs ?? 0) - (b.connectedAtMs ?? 0) || byCodeUnit(a.clientId, b.clientId));
}

function clientInfoOf(entry: SessionEntry): ClientInfo {
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
  };
}

import type {
  AdminPublication,
  AdminRequest,
  ClientInfo,
  ClientQuery,
  InjectedMessage,
  Message,
  NodeAdmin,
  NodeInfo,
  NodePage,
  NodeStatus,
  PendingRequest,
  PublishDone,
  SubscriptionInfo,
  SubscriptionQuery,
} from '#libs/broker-ports';
import { REASON } from '#libs/mqtt-codec';
import { matches, parseShare, plainFilter } from '#libs/topic-index';
import type { NodeParts } from './parts.ts';
import { Requests } from './requests.ts';
import type { Router } from './router.ts';
import type { SessionEntry } from './session-entry.ts';
import type { Sessions } from './sessions.ts';
import { storedForm } from './subscription.ts';

/** What the view needs of the node's core. */
export interface AdminViewHost {
  readonly sessions: Sessions;
  readonly router: Router;
  readonly endSession: (entry: SessionEntry) => void;
  readonly identify: (message: InjectedMessage, publisher: string) => Message;
  /** Publishes a message, as that of a client if one is given. */
  readonly publish: (message: Message, entry: SessionEntry | undefined, done: PublishDone) => void;
  readonly counts: () => { readonly received: number; readonly sent: number };
}

/** What administrators see of a node and may ask of it. */
export class NodeAdminView implements NodeAdmin {
  readonly #parts: NodeParts;
  readonly #sessions: Sessions;
  readonly #router: Router;
  readonly #endSession: (entry: SessionEntry) => void;
  readonly #publish: AdminViewHost['publish'];
  readonly #identify: AdminViewHost['identify'];
  readonly #requests: Requests;
  readonly #counts: () => { readonly received: number; readonly sent: number };

  constructor(parts: NodeParts, own: AdminViewHost) {
    this.#parts = parts;
    this.#sessions = own.sessions;
    this.#router = own.router;
    this.#endSession = own.endSession;
    this.#publish = own.publish;
    this.#identify = own.identify;
    this.#requests = new Requests({
      router: own.router,
      nodeId: () => parts.bus.self.nodeId,
      publish: (message, asClientId) => this.publish(message, asClientId),
    });
    this.#counts = own.counts;
  }

  status(): NodeStatus {
    const { bus, mode, retained } = this.#parts;
    const node = this.#self();
    let connections = 0;
    for (const entry of this.#sessions.all()) if (entry.connection !== undefined) connections += 1;
    const { plain, wildcard, shared } = this.#router.counts;
    const counts = this.#counts();
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
    const ids = this.#idsAfter(query.after);
    const items: ClientInfo[] = [];
    for (const clientId of ids) {
      const info = this.client(clientId);
      if (info === undefined || !isWanted(info, query)) continue;
      if (items.length === query.limit) return { items, hasMore: true };
      items.push(info);
    }
    return { items, hasMore: false };
  }

  client(clientId: string): ClientInfo | undefined {
    const entry = this.#sessions.get(clientId);
    return entry && clientInfoOf(entry);
  }

  async disconnect(clientId: string, endSession: boolean): Promise<boolean> {
    const entry = await this.#sessions.settled(clientId);
    if (entry === undefined) return false;
    entry.connection?.close(REASON.administrativeAction, 'disconnected by an administrator');
    if (endSession && this.#sessions.get(clientId) === entry) {
      this.#endSession(entry);
    }
    return true;
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
        const matched = parseShare(filter)?.filter ?? plainFilter(filter);
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

  identify(message: InjectedMessage): Message {
    return this.#identify(message, '');
  }

  #self(): NodeInfo | undefined {
    const { self } = this.#parts.bus;
    return this.#parts.bus.nodes().find(({ nodeId }) => nodeId === self.nodeId);
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

function isWanted(info: ClientInfo, query: ClientQuery): boolean {
  if (query.clientId !== undefined && info.clientId !== query.clientId) return false;
  if (query.clientIdPrefix !== undefined && !info.clientId.startsWith(query.clientIdPrefix)) {
    return false;
  }
  if (query.username !== undefined && info.username !== query.username) return false;
  return query.state === undefined || info.state === query.state;
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
    sessionExpirySeconds: entry.expirySeconds,
    subscriptionCount: entry.subscriptions.size,
    queueMessages: entry.durable ? entry.queueMessages : outbound.queueCount,
    queueBytes: Math.round(entry.durable ? entry.queueBytes : outbound.queueBytes),
    inflightMessages: outbound.inflightCount,
  };
}

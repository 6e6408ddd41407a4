import type { Principal } from '#libs/access';
import type {
  AdminPublication,
  AdminRequest,
  ClientInfo,
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
  SharedGroupInfo,
  SharedGroupQuery,
  SharedMemberInfo,
  SubscriptionInfo,
  SubscriptionQuery,
  TopicLevelInfo,
  TopicLevelQuery,
  TopicTally,
} from '#libs/broker-ports';
import type { ConnectionKeeper } from './connection-keeper.ts';
import { knownPrincipalOf } from './credential.ts';
import type { NodeParts } from './parts.ts';
import { Requests } from './requests.ts';
import type { Router } from './router.ts';
import { SessionAdminView } from './session-admin-view.ts';
import type { SessionEntry, SessionHost } from './session-entry.ts';
import { SessionListing, clientInfoOf } from './session-listing.ts';
import type { ShedConnection } from './shedding.ts';
import type { Subscriber } from './subscriber.ts';
import type { Sessions } from './sessions.ts';
import { sharedGroups, sharedMembers, type SharedGroupSource } from './shared-groups.ts';
import { topicLevels } from './topic-levels.ts';
import type { Traffic } from './traffic.ts';

/** What the view needs of the node's core. */
export interface AdminViewHost {
  readonly sessions: Sessions;
  readonly router: Router;
  readonly subscriber: Subscriber;
  readonly node: Pick<SessionHost, 'load' | 'traffic'>;
  readonly keeper: Pick<ConnectionKeeper, 'all' | 'endSession'>;
  readonly identify: (message: InjectedMessage, publisher: string) => Message;
  /** Publishes a message, as that of a client if one is given. */
  readonly publish: (message: Message, entry: SessionEntry | undefined, done: PublishDone) => void;
}

/** What administrators see of a node and may ask of it. */
export class NodeAdminView implements NodeAdmin {
  readonly sessions: SessionAdmin;
  readonly #parts: NodeParts;
  readonly #sessions: Sessions;
  readonly #listing: SessionListing;
  readonly #connections: () => Iterable<ShedConnection>;
  readonly #router: Router;
  readonly #publish: AdminViewHost['publish'];
  readonly #identify: AdminViewHost['identify'];
  readonly #requests: Requests;
  readonly #traffic: Traffic;
  readonly #shared: SharedGroupSource;

  constructor(parts: NodeParts, own: AdminViewHost) {
    this.#parts = parts;
    this.#sessions = own.sessions;
    this.#listing = new SessionListing(own.sessions, parts.defer);
    this.#connections = () => own.keeper.all();
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
    this.#shared = {
      groups: () => own.router.shares.groups(),
      entryOf: (clientId) => own.sessions.get(clientId),
    };
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

  connectionsByListener(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { isConnected, transport } of this.#connections()) {
      if (!isConnected) continue;
      const { listener } = transport;
      counts.set(listener, (counts.get(listener) ?? 0) + 1);
    }
    return counts;
  }

  nodes(): readonly NodeInfo[] {
    return this.#parts.bus.nodes();
  }

  clients(query: ClientQuery): Promise<NodePage<ClientInfo>> {
    return this.#listing.clients(query);
  }

  client(clientId: string): ClientInfo | undefined {
    const entry = this.#sessions.get(clientId);
    return entry && clientInfoOf(entry);
  }

  /** Who a client of this node is to the access control; undefined when it has no session here. */
  principalOf(clientId: string): Principal | undefined {
    return knownPrincipalOf(this.#sessions.get(clientId));
  }

  subscriptions(query: SubscriptionQuery): Promise<NodePage<SubscriptionInfo>> {
    return this.#listing.subscriptions(query);
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

  topics(query: TopicLevelQuery): NodePage<TopicLevelInfo> & { readonly isWhole: boolean } {
    const { retained } = this.#parts;
    const { local, shares } = this.#router;
    const names = {
      retained: (filter: string, limit: number) => retained.topics(filter, limit),
      filters: function* () {
        yield* local.filters();
        yield* shares.filters();
      },
    };
    return topicLevels(names, query);
  }

  sharedGroups(query: SharedGroupQuery): NodePage<SharedGroupInfo> {
    return sharedGroups(this.#shared, query);
  }

  sharedMembers(group: string, limit: number): readonly SharedMemberInfo[] {
    return sharedMembers(this.#shared, group, limit);
  }

  countTopics(filter: string, tally: TopicTally): () => void {
    const endSent = this.#traffic.topics.add(filter, tally);
    const endTaken = this.#router.taps.add(filter, ({ topic, qos, payload }) => {
      tally.messagesIn[qos] += 1;
      tally.bytesIn += payload.length;
      if (this.#router.countReceivers(topic) === 0) tally.dropped += 1;
    });
    return () => {
      endSent();
      endTaken();
    };
  }

  identify(message: InjectedMessage): Message {
    return this.#identify(message, '');
  }

  #self(): NodeInfo | undefined {
    const { self } = this.#parts.bus;
    return this.#parts.bus.nodes().find(({ nodeId }) => nodeId === self.nodeId);
  }
}

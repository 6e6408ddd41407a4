import type { ProtocolVersion } from '#libs/mqtt-codec';
import type { PublishError } from './hub.ts';
import type {
  SharedGroupInfo,
  SharedGroupQuery,
  SharedMemberInfo,
  TopicLevelInfo,
  TopicLevelQuery,
  TopicTally,
} from './topic-admin.ts';
import type { InjectedMessage, Message, MessageIdentity } from './message.ts';
import type { MessageTap } from './node-events.ts';
import type { NodeInfo } from './cluster-bus.ts';
import type { SessionAdmin } from './session-admin.ts';
import type { StoredSubscription } from './session-store.ts';

/** A session on this node, connected or not, as admins see it. */
export interface ClientInfo {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly state: 'connected' | 'disconnected';
  /** Undefined for a session that was taken over without its client. */
  readonly listener: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly version: ProtocolVersion | undefined;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly connectedAtMs: number | undefined;
  readonly disconnectedAtMs: number | undefined;
  /** When the session has begun. */
  readonly createdAtMs: number;
  /** When it ends if its client stays away; undefined for never, and while it is connected. */
  readonly expiresAtMs: number | undefined;
  /** Whether it is stored, and may outlive its connection. */
  readonly isDurable: boolean;
  /** 0xFFFFFFFF never expires. */
  readonly sessionExpirySeconds: number;
  readonly subscriptionCount: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly inflightMessages: number;
  /** Bytes that wait for the client to take them. */
  readonly unsentBytes: number;
  /** How long messages took to it of late, the time that it was away not counted; undefined before the first. */
  readonly deliveryDelayMs: number | undefined;
}

/** A subscription with its holder. */
export interface SubscriptionInfo extends StoredSubscription {
  readonly clientId: string;
}

/** A page of a node's list: ordered by client id (then filter), continued after the last item. */
export interface NodePage<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/** Where a page of clients ends: the key of its last item. */
export interface ClientPosition {
  readonly clientId: string;
  /** What it is ordered by, of that client. */
  readonly connectedAtMs?: number | undefined;
  readonly queueMessages?: number | undefined;
  readonly unsentBytes?: number | undefined;
  readonly deliveryDelayMs?: number | undefined;
}

/** What clients may be listed by: by what waits for them and by how late they take it, so that slow ones come first or last. */
export type ClientOrder =
  'client_id' | 'connected_at' | 'queue_messages' | 'unsent_bytes' | 'delivery_delay_seconds';

/** Which clients to list. */
export interface ClientQuery {
  /** Continue after this one. */
  readonly after?: ClientPosition | undefined;
  readonly limit: number;
  /** Only this one. */
  readonly clientId?: string | undefined;
  /** What comes first; clients that have connected at the same time are ordered by their ids. A client that never has comes before all. */
  readonly order?: ClientOrder | undefined;
  readonly descending?: boolean | undefined;
  /** Whether a client is wanted; all by default. */
  readonly isWanted?: ((client: ClientInfo) => boolean) | undefined;
}

/** Which subscriptions to list. */
export interface SubscriptionQuery {
  readonly after?: { readonly clientId: string; readonly filter: string } | undefined;
  readonly limit: number;
  readonly clientId?: string | undefined;
  readonly filter?: string | undefined;
  /** Only subscriptions that this topic name matches. */
  readonly matchTopic?: string | undefined;
  /** Only those of this shared subscription. */
  readonly group?: string | undefined;
  readonly qos?: 0 | 1 | 2 | undefined;
}

/** A node in numbers. */
export interface NodeStatus {
  readonly node: NodeInfo;
  readonly mode: 'embedded' | 'cluster';
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retainedMessages: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
}

/** What an administrator may ask of a node. Bounded per call; never on the packet path. */
export interface NodeAdmin {
  /** The state of this node. */
  status(): NodeStatus;
  /** How many clients are connected now, by the name of the listener; one pass over connections. */
  connectionsByListener(): ReadonlyMap<string, number>;
  /** The nodes as this one sees them. */
  nodes(): readonly NodeInfo[];
  /** A page of the clients of this node. */
  clients(query: ClientQuery): Promise<NodePage<ClientInfo>>;
  /** One client of this node. */
  client(clientId: string): ClientInfo | undefined;
  /** A page of the subscriptions of this node. */
  subscriptions(query: SubscriptionQuery): Promise<NodePage<SubscriptionInfo>>;
  /** Does something with one session. */
  readonly sessions: SessionAdmin;
  /**
   * Publishes through the pipeline; resolves with the receivers this node knows of, when responsibility is taken.
   *
   * @param asClientId - the message is that of a client that is connected here, and its rights are asked.
   */
  publish(message: InjectedMessage, asClientId?: string): Promise<AdminPublication>;
  /** Publishes a request and waits for the answer to it, until the caller ends the wait. */
  request(request: AdminRequest): PendingRequest;
  /** Shows the messages that this node takes and whose topic a filter matches, until the returned function is called. */
  tap(filter: string, tap: MessageTap): () => void;
  /** Levels of topics: those of retained messages and of the filters that sessions of this node are subscribed to. */
  topics(query: TopicLevelQuery): NodePage<TopicLevelInfo> & { readonly isWhole: boolean };
  /** A page of the groups of shared subscriptions that have members at this node. */
  sharedGroups(query: SharedGroupQuery): NodePage<SharedGroupInfo>;
  /** The members of a group at this node, at most so many. */
  sharedMembers(group: string, limit: number): readonly SharedMemberInfo[];
  /** Counts messages on the topics that a filter matches into a tally, until the returned function is called. */
  countTopics(filter: string, tally: TopicTally): () => void;
  /** Gives identity and time to a message of an administrator. */
  identify(message: InjectedMessage): Message;
}

/** What became of a message that an administrator has published. */
export type AdminPublication =
  | { readonly kind: 'taken'; readonly matched: number; readonly identity: MessageIdentity }
  | { readonly kind: 'refused'; readonly error: PublishError }
  /** The client in whose name it was to be published is not here. */
  | { readonly kind: 'not-connected' };

/** A request to whoever is subscribed to its topic. */
export interface AdminRequest {
  readonly message: InjectedMessage;
  readonly asClientId?: string | undefined;
  /** Where the answer comes; undefined: on a private topic of this node. */
  readonly responseTopic: string | undefined;
  /** Names the private topic: nobody can guess it. */
  readonly token: string;
  /** What the answer has to repeat, if it has any such data. */
  readonly correlationData: Uint8Array;
}

/** A request that waits for its answer. */
export interface PendingRequest {
  readonly outcome: Promise<AdminResponse>;
  /** Waits no longer: `no-response`, unless the answer is there. */
  cancel(): void;
}

/** What became of a request. `overloaded`: too many wait for their answers. */
export type AdminResponse =
  | { readonly kind: 'answered'; readonly identity: MessageIdentity; readonly response: Message }
  | { readonly kind: 'no-response' | 'no-subscribers' | 'overloaded' }
  | Exclude<AdminPublication, { readonly kind: 'taken' }>;

import type { ProtocolVersion } from '#libs/mqtt-codec';
import type { PublishError } from './hub.ts';
import type { InjectedMessage, Message, MessageIdentity } from './message.ts';
import type { NodeInfo } from './cluster-bus.ts';
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
  /** 0xFFFFFFFF never expires. */
  readonly sessionExpirySeconds: number;
  readonly subscriptionCount: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly inflightMessages: number;
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

/** Which clients to list; all conditions must hold. */
export interface ClientQuery {
  /** Continue after this client id. */
  readonly after?: string;
  readonly limit: number;
  readonly clientId?: string;
  readonly clientIdPrefix?: string;
  readonly username?: string;
  readonly state?: 'connected' | 'disconnected';
}

/** Which subscriptions to list. */
export interface SubscriptionQuery {
  readonly after?: { readonly clientId: string; readonly filter: string };
  readonly limit: number;
  readonly clientId?: string;
  readonly filter?: string;
  /** Only subscriptions that this topic name matches. */
  readonly matchTopic?: string;
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
  /** The nodes as this one sees them. */
  nodes(): readonly NodeInfo[];
  /** A page of the clients of this node. */
  clients(query: ClientQuery): NodePage<ClientInfo>;
  /** One client of this node. */
  client(clientId: string): ClientInfo | undefined;
  /**
   * Closes the connection (0x98 for MQTT 5) and, when asked, ends the session. False when the client is not here.
   *
   * @remarks A client that is about to connect here, or to go to another node, is waited for: of all nodes that are asked at
   * once, the one that has it in the end acts.
   */
  disconnect(clientId: string, endSession: boolean): Promise<boolean>;
  /** A page of the subscriptions of this node. */
  subscriptions(query: SubscriptionQuery): NodePage<SubscriptionInfo>;
  /**
   * Publishes through the pipeline; resolves with the receivers this node knows of, when responsibility is taken.
   *
   * @param asClientId - the message is that of a client that is connected here, and its rights are asked.
   */
  publish(message: InjectedMessage, asClientId?: string): Promise<AdminPublication>;
  /** Publishes a request and waits for the answer to it, until the caller ends the wait. */
  request(request: AdminRequest): PendingRequest;
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

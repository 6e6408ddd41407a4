import type { WireAccessRequest, WireAccessVerdict } from './access-command.ts';
import type { Condition } from './filters.ts';
import type { WirePage, WireProperties, WireQoS } from './wire-message.ts';

/** Whether a client is connected, or has a session at all. */
export type WireClientState = 'connected' | 'disconnected' | 'absent';

/** A client's session on a node. */
export interface WireClient {
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly state: 'connected' | 'disconnected';
  readonly listener?: string | undefined;
  readonly remoteAddress?: string | undefined;
  /** The protocol level: 3, 4 or 5. */
  readonly version?: 3 | 4 | 5 | undefined;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly connectedAtMs?: number | undefined;
  readonly disconnectedAtMs?: number | undefined;
  /** When the session has begun. */
  readonly createdAtMs: number;
  /** When it ends if its client stays away; absent for never, and while it is connected. */
  readonly expiresAtMs?: number | undefined;
  /** Whether it is stored. */
  readonly isDurable: boolean;
  /** 0xFFFFFFFF never expires. */
  readonly sessionExpirySeconds: number;
  readonly subscriptionCount: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly inflightMessages: number;
  /** Bytes that wait for the client to take them. */
  readonly unsentBytes?: number | undefined;
  /** How long messages took to it of late; absent before the first. */
  readonly deliveryDelayMs?: number | undefined;
}

/** A session that no live node has: that of a node which has gone, until another one takes it over. */
export interface WireUnownedSession {
  /** The node that has had it. */
  readonly nodeId: string;
  readonly session: WireClient;
}

/** A subscription of such a session. */
export interface WireUnownedSubscription {
  /** The node that has had the session. */
  readonly nodeId: string;
  readonly subscription: WireSubscription;
}

/** A subscription as it is asked for. */
export interface WireSubscriptionRequest {
  readonly filter: string;
  readonly qos: WireQoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0 when the client gave none. */
  readonly subscriptionIdentifier: number;
}

/** A subscription with its holder. */
export interface WireSubscription extends WireSubscriptionRequest {
  readonly clientId: string;
}

/** The key of the last item of a page of clients. */
export interface WireClientPosition {
  readonly clientId: string;
  /** What it is ordered by, of that client. */
  readonly connectedAtMs?: number | undefined;
  readonly queueMessages?: number | undefined;
  readonly unsentBytes?: number | undefined;
  readonly deliveryDelayMs?: number | undefined;
}

/** What clients may be listed by. */
export const CLIENT_ORDERS = [
  'client_id',
  'connected_at',
  'queue_messages',
  'unsent_bytes',
  'delivery_delay_seconds',
] as const;

/** What clients may be listed by. */
export type WireClientOrder = (typeof CLIENT_ORDERS)[number];

/** The number that clients are ordered by; those without one come before all that have one. */
export function clientRank(client: WireClientPosition, order: WireClientOrder): number {
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

/** Which clients to list. */
export interface WireClientQuery {
  readonly after?: WireClientPosition | undefined;
  readonly limit: number;
  readonly order: WireClientOrder;
  readonly descending: boolean;
  /** On the fields that `clientValue` knows, and on `ip`: an address or a network. */
  readonly where: readonly Condition[];
}

/** Which subscriptions to list. */
export interface WireSubscriptionQuery {
  readonly after?: { readonly clientId: string; readonly filter: string };
  readonly limit: number;
  readonly clientId?: string | undefined;
  readonly filter?: string | undefined;
  readonly matchTopic?: string | undefined;
  /** Of a shared subscription. */
  readonly group?: string | undefined;
  readonly qos?: WireQoS | undefined;
}

/** Where a message stands in the queue of a session. */
export interface WireQueuePosition {
  readonly epoch: number;
  readonly sequence: number;
}

/** A message for a client; the payload is base64 and there only when asked for. */
export interface WireDelivery {
  readonly topic: string;
  readonly payloadBytes: number;
  readonly payload?: string | undefined;
  /** Absent where the session does not know it. */
  readonly publisher?: string | undefined;
  readonly receivedAtMs: number;
  /** 0 never. */
  readonly expiresAtMs: number;
  readonly properties: WireProperties;
}

/** A message that waits for a client. */
export interface WireWaiting extends WireDelivery {
  readonly position: WireQueuePosition;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly isInflight: boolean;
}

/** A message that a client has not acknowledged. */
export interface WireInflight {
  readonly packetId: number;
  readonly awaits: 'puback' | 'pubrec' | 'pubcomp';
  readonly qos: 1 | 2;
  readonly message?: WireDelivery | undefined;
}

/** A verdict that a connection remembers. */
export interface WireVerdict {
  readonly action: 'publish' | 'receive';
  readonly topic: string;
  readonly qos: WireQoS;
  readonly retain?: boolean | undefined;
  readonly isAllowed: boolean;
}

/** What the API asks of a node about clients and sessions. Without an answer's optional part the session is not at that node. */
export type SessionCommand =
  | { readonly kind: 'clients'; readonly query: WireClientQuery }
  | { readonly kind: 'client'; readonly clientId: string }
  /** `node`: only those that it has had. */
  | {
      readonly kind: 'unowned-sessions';
      readonly query: WireClientQuery;
      readonly node?: string | undefined;
    }
  | { readonly kind: 'unowned-session'; readonly clientId: string }
  | {
      readonly kind: 'disconnect';
      readonly clientId: string;
      readonly reasonCode: number;
      readonly withWill: boolean;
      readonly endSession: boolean;
    }
  /** The same to many, each once; a dry run only looks. */
  | {
      readonly kind: 'disconnect-many';
      readonly clientIds: readonly string[];
      readonly reasonCode: number;
      readonly withWill: boolean;
      readonly endSession: boolean;
      readonly dryRun: boolean;
    }
  | { readonly kind: 'subscriptions'; readonly query: WireSubscriptionQuery }
  | {
      readonly kind: 'unowned-subscriptions';
      readonly query: WireSubscriptionQuery;
      readonly node?: string | undefined;
    }
  | {
      readonly kind: 'subscribe-client';
      readonly clientId: string;
      readonly requests: readonly WireSubscriptionRequest[];
    }
  | {
      readonly kind: 'unsubscribe-client';
      readonly clientId: string;
      readonly filters: readonly string[];
    }
  | {
      readonly kind: 'queued';
      readonly clientId: string;
      readonly after?: WireQueuePosition | undefined;
      readonly limit: number;
      readonly payload: boolean;
    }
  | { readonly kind: 'clear-queue'; readonly clientId: string }
  | { readonly kind: 'inflight'; readonly clientId: string; readonly payload: boolean }
  | { readonly kind: 'verdicts'; readonly clientId: string }
  | { readonly kind: 'forget-verdicts'; readonly clientId: string }
  | {
      readonly kind: 'check-access';
      readonly clientId: string;
      readonly requests: readonly WireAccessRequest[];
    }
  | { readonly kind: 'set-expiry'; readonly clientId: string; readonly seconds: number };

/** The answers by kind of command. */
export interface SessionAnswers {
  readonly clients: WirePage<WireClient>;
  readonly client: { readonly client?: WireClient | undefined };
  readonly 'unowned-sessions': WirePage<WireUnownedSession>;
  readonly 'unowned-session': { readonly unowned?: WireUnownedSession | undefined };
  readonly disconnect: { readonly found: boolean };
  /** What each was before, in the order of the command; absent: not at this node. */
  readonly 'disconnect-many': { readonly states: readonly WireClientState[] };
  readonly subscriptions: WirePage<WireSubscription>;
  readonly 'unowned-subscriptions': WirePage<WireUnownedSubscription>;
  /** Reason codes of a SUBACK. */
  readonly 'subscribe-client': { readonly reasonCodes?: readonly number[] | undefined };
  /** Reason codes of an UNSUBACK. */
  readonly 'unsubscribe-client': { readonly reasonCodes?: readonly number[] | undefined };
  readonly queued: { readonly page?: WirePage<WireWaiting> | undefined };
  readonly 'clear-queue': { readonly removed?: number | undefined };
  readonly inflight: { readonly items?: readonly WireInflight[] | undefined };
  readonly verdicts: { readonly items?: readonly WireVerdict[] | undefined };
  readonly 'forget-verdicts': { readonly found: boolean };
  readonly 'check-access': { readonly verdicts?: readonly WireAccessVerdict[] | undefined };
  readonly 'set-expiry': { readonly outcome: 'done' | 'absent' | 'transient' };
}

const KINDS: Readonly<Record<SessionCommand['kind'], true>> = {
  clients: true,
  client: true,
  'unowned-sessions': true,
  'unowned-session': true,
  disconnect: true,
  'disconnect-many': true,
  subscriptions: true,
  'unowned-subscriptions': true,
  'subscribe-client': true,
  'unsubscribe-client': true,
  queued: true,
  'clear-queue': true,
  inflight: true,
  verdicts: true,
  'forget-verdicts': true,
  'check-access': true,
  'set-expiry': true,
};

/** Whether a command is about clients and sessions. */
export function isSessionCommand(command: { readonly kind: string }): command is SessionCommand {
  return Object.hasOwn(KINDS, command.kind);
}

import type {
  WireMessage,
  WirePage,
  WireProperties,
  WireRetained,
  WireRetainedQuery,
} from './wire-message.ts';

/** A message to publish, and in whose name. */
export interface WirePublication {
  readonly message: WireMessage;
  /** A client that is connected to the node: it is the publisher, and its rights are asked. */
  readonly asClientId?: string | undefined;
}

/** Why a node does not take a message. `NOT_CONNECTED`: the client in whose name it is published is not there. */
export type WireRefusal =
  | 'STORE_UNAVAILABLE'
  | 'QUOTA_EXCEEDED'
  | 'BRIDGE_UNAVAILABLE'
  | 'NOT_AUTHORIZED'
  | 'NOT_CONNECTED';

/** What became of a message. */
export type WirePublished =
  | {
      readonly kind: 'taken';
      readonly matched: number;
      /** Its identity: node, incarnation and sequence. */
      readonly messageId: string;
    }
  | { readonly kind: 'refused'; readonly code: WireRefusal };

/** The answer to a request. */
export interface WireResponse {
  readonly topic: string;
  /** Base64. */
  readonly payload: string;
  /** Empty for the broker itself. */
  readonly publisher: string;
  readonly receivedAtMs: number;
  readonly properties: WireProperties;
}

/** What became of a request. */
export type WireRequested =
  | { readonly kind: 'answered'; readonly messageId: string; readonly response: WireResponse }
  | { readonly kind: 'no-response' | 'no-subscribers' | 'overloaded' }
  | { readonly kind: 'refused'; readonly code: WireRefusal };

/** Which retained messages to remove. */
export interface WireRetainedRemoval {
  readonly filter: string;
  /** Go on after this topic. */
  readonly after?: string;
  /** Most messages looked at. */
  readonly limit: number;
  /** Whether nothing is removed: only named. */
  readonly dryRun: boolean;
}

/** A message that waits for its time; the payload is there only when asked for. */
export interface WireDelayed extends WireRetained {
  readonly id: string;
  readonly retain: boolean;
  readonly dueAtMs: number;
}

/** Which delayed messages to list, in the order of their times. */
export interface WireDelayedQuery {
  readonly after?: { readonly dueAtMs: number; readonly id: string };
  readonly limit: number;
  /** Only of topics that this filter matches. */
  readonly filter?: string;
  /** Only what is due by then, in milliseconds since 1970. */
  readonly dueBeforeMs?: number;
  readonly payload: boolean;
}

/** What the API asks of a node about messages. */
export type MessageCommand =
  | ({ readonly kind: 'publish' } & WirePublication)
  /** In this order, each on its own. */
  | { readonly kind: 'publish-many'; readonly publications: readonly WirePublication[] }
  /** Publishes and waits for the answer; without a response topic on a private one of the node. */
  | ({
      readonly kind: 'request';
      readonly responseTopic?: string | undefined;
      readonly timeoutMs: number;
    } & WirePublication)
  | { readonly kind: 'retained'; readonly query: WireRetainedQuery }
  | { readonly kind: 'clear-retained'; readonly topic: string }
  | ({ readonly kind: 'clear-retained-matching' } & WireRetainedRemoval)
  | { readonly kind: 'delayed'; readonly query: WireDelayedQuery }
  | { readonly kind: 'delayed-message'; readonly id: string; readonly payload: boolean }
  | { readonly kind: 'delay'; readonly message: WireMessage; readonly delayMs: number }
  | { readonly kind: 'cancel-delayed'; readonly id: string };

/** The answers by kind of command. */
export interface MessageAnswers {
  readonly publish: WirePublished;
  readonly 'publish-many': { readonly outcomes: readonly WirePublished[] };
  readonly request: WireRequested;
  readonly retained: WirePage<WireRetained>;
  readonly 'clear-retained': { readonly found: boolean };
  readonly 'clear-retained-matching': {
    readonly topics: readonly string[];
    readonly hasMore: boolean;
  };
  readonly delayed: {
    readonly items: readonly WireDelayed[];
    /** Where the next page begins; absent on the last one. */
    readonly next?: { readonly dueAtMs: number; readonly id: string } | undefined;
  };
  readonly 'delayed-message': { readonly message?: WireDelayed | undefined };
  readonly delay:
    | { readonly kind: 'stored'; readonly message: WireDelayed }
    | { readonly kind: 'full' | 'disabled' }
    | { readonly kind: 'invalid'; readonly detail: string };
  readonly 'cancel-delayed': { readonly found: boolean };
}

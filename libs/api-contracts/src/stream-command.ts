import type { WireRetained } from './wire-message.ts';

/** What may happen at a node. */
export type WireEventType =
  | 'client.connected'
  | 'client.disconnected'
  | 'session.created'
  | 'session.resumed'
  | 'session.ended'
  | 'subscription.added'
  | 'subscription.removed'
  | 'ban.added'
  | 'ban.removed'
  | 'node.joined'
  | 'node.draining'
  | 'node.left'
  | 'alarm.raised'
  | 'alarm.cleared';

/** Something that has happened at a node. */
export interface WireNodeEvent {
  readonly type: WireEventType;
  /** Its number in this life of the node. */
  readonly number: number;
  readonly atMs: number;
  readonly clientId?: string;
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

/** Where a reader of a node's events is: a number that counts in one life of the node's process. */
export interface WireEventPosition {
  readonly life: number;
  readonly number: number;
}

/** A message that a node has taken; the payload is there only when asked for. */
export interface WireWatchedMessage extends WireRetained {
  readonly retain: boolean;
}

/** What those ask of a node who follow what happens there. */
export type StreamCommand =
  | {
      readonly kind: 'events';
      /** Undefined: from now on; the answer comes at once. */
      readonly after?: WireEventPosition | undefined;
      readonly types?: readonly string[] | undefined;
      readonly clientId?: string | undefined;
      /** How long the node waits if there is nothing yet. */
      readonly waitMs: number;
    }
  | {
      readonly kind: 'watch-messages';
      /** Names the reader; the first reading begins the watch. */
      readonly watch: string;
      readonly filter: string;
      readonly payload: boolean;
      readonly perSecond: number;
      readonly after?: number | undefined;
      readonly waitMs: number;
    }
  | { readonly kind: 'end-watch'; readonly watch: string };

/** The answers by kind of command. */
export interface StreamAnswers {
  readonly events: {
    readonly events: readonly WireNodeEvent[];
    readonly position: WireEventPosition;
    /** How many events after the position asked for are gone. */
    readonly lost: number;
  };
  readonly 'watch-messages':
    | {
        readonly kind: 'messages';
        readonly messages: readonly WireWatchedMessage[];
        readonly last: number;
        readonly lost: number;
      }
    | { readonly kind: 'full' };
  readonly 'end-watch': Readonly<Record<string, never>>;
}

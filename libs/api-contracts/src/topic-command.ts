import type { WirePage } from './wire-message.ts';

/** Which levels of topics. */
export interface WireTopicQuery {
  /** What is below this topic. */
  readonly prefix?: string | undefined;
  readonly depth: number;
  readonly hasRetained?: boolean | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A level of topics at a node. */
export interface WireTopicLevel {
  readonly topic: string;
  /** At it or below, in the whole cluster. */
  readonly retainedMessages: number;
  /** Different filters of the node's subscriptions. */
  readonly filters: number;
  readonly hasChildren: boolean;
}

/** Which groups of shared subscriptions. */
export interface WireSharedGroupQuery {
  readonly group?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A shared subscription at a node. */
export interface WireSharedSubscription {
  readonly filter: string;
  readonly members: number;
  readonly connected: number;
  readonly lagMessages: number;
}

/** A group of shared subscriptions at a node. */
export interface WireSharedGroup {
  readonly group: string;
  readonly subscriptions: readonly WireSharedSubscription[];
}

/** A member of a group. */
export interface WireSharedMember {
  readonly filter: string;
  readonly clientId: string;
  readonly isConnected: boolean;
  readonly queueMessages: number;
  readonly inflightMessages: number;
}

/** Filters whose messages are counted, at most. */
export const TOPIC_METRICS_MAX = 50;

/** A filter whose messages are counted. */
export interface WireTopicMetric {
  readonly id: string;
  readonly filter: string;
  readonly createdAtMs: number;
  /** Since when this node counts. */
  readonly sinceMs: number;
  /** By QoS. */
  readonly messagesIn: readonly number[];
  readonly messagesOut: readonly number[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly dropped: number;
  /** Of late. */
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  readonly droppedPerSecond: number;
}

/** What the API asks of a node about topics. */
export type TopicCommand =
  | { readonly kind: 'topics'; readonly query: WireTopicQuery }
  | { readonly kind: 'shared-groups'; readonly query: WireSharedGroupQuery }
  | { readonly kind: 'shared-members'; readonly group: string; readonly limit: number }
  | { readonly kind: 'topic-metrics' }
  | { readonly kind: 'add-topic-metric'; readonly filter: string }
  | { readonly kind: 'remove-topic-metric'; readonly id: string };

const KINDS: Readonly<Record<TopicCommand['kind'], true>> = {
  topics: true,
  'shared-groups': true,
  'shared-members': true,
  'topic-metrics': true,
  'add-topic-metric': true,
  'remove-topic-metric': true,
};

/** Whether a command is of this group. */
export function isTopicCommand(command: { readonly kind: string }): command is TopicCommand {
  return command.kind in KINDS;
}

/** The answers by kind of command. */
export interface TopicAnswers {
  readonly topics: WirePage<WireTopicLevel> & {
    /** False when there are more names than are looked at. */
    readonly isWhole: boolean;
  };
  readonly 'shared-groups': WirePage<WireSharedGroup> & { readonly strategy: string };
  readonly 'shared-members': { readonly members: readonly WireSharedMember[] };
  readonly 'topic-metrics': { readonly metrics: readonly WireTopicMetric[] };
  readonly 'add-topic-metric':
    | { readonly kind: 'stored'; readonly metric: WireTopicMetric }
    | { readonly kind: 'exists'; readonly id: string }
    | { readonly kind: 'full' };
  readonly 'remove-topic-metric': { readonly found: boolean };
}

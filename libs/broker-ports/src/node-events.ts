import type { Message } from './message.ts';

/** What may happen at a node that administrators want to hear of. */
export const NODE_EVENT_TYPES = [
  'client.connected',
  'client.disconnected',
  'session.created',
  'session.resumed',
  'session.ended',
  'subscription.added',
  'subscription.removed',
  'ban.added',
  'ban.removed',
  'node.joined',
  'node.draining',
  'node.left',
  'alarm.raised',
  'alarm.cleared',
] as const;

/** What happened. */
export type NodeEventType = (typeof NODE_EVENT_TYPES)[number];

/** Something that has happened at a node. */
export interface NodeEvent {
  readonly type: NodeEventType;
  /** The client that it is about. */
  readonly clientId?: string;
  /** What else is known, by its name as the API shows it. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

/** Told of what happens at a node; never waits, never throws. */
export interface NodeEvents {
  /** Tells of an event. */
  emit(event: NodeEvent): void;
}

/** Sees messages that a node has taken from its publishers. Called while they are routed: it does little and never waits. */
export type MessageTap = (message: Message) => void;

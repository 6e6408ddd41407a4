import type {
  NodeRef,
  SessionOperation,
  SessionRecord,
  SessionStore,
  StoredSubscription,
  TakeRequest,
} from '#libs/broker-ports';
import { queuedOf, SOURCE } from './messages.ts';

/** The real time, for stores that let keys expire by their own clock. */
export const NOW_MS = Date.now();

/** 0xFFFFFFFF: a session that never expires. */
export const NEVER = 0xffff_ffff;

export const NODE_A = SOURCE;
/** The node of NODE_A after a restart. */
export const NODE_A_LATER: NodeRef = { nodeId: 'node-a', incarnation: SOURCE.incarnation + 1 };
export const NODE_B: NodeRef = { nodeId: 'node-b', incarnation: SOURCE.incarnation };

export const CLIENT = 'client-1';

/** A durable client connects at node A. */
export function takeRequest(partial: Partial<TakeRequest> = {}): TakeRequest {
  return {
    clientId: CLIENT,
    node: NODE_A,
    nowMs: NOW_MS,
    cleanStart: false,
    durable: true,
    expiryIntervalSeconds: 3600,
    connected: true,
    ...partial,
  };
}

export function subscriptionOf(
  filter: string,
  partial: Partial<StoredSubscription> = {},
): StoredSubscription {
  return {
    filter,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: 0,
    ...partial,
  };
}

/** Takes a session; @throws Error when it is not given. */
export async function taken(
  store: SessionStore,
  partial: Partial<TakeRequest> = {},
): Promise<SessionRecord> {
  const result = await store.take(takeRequest(partial));
  if (result.kind !== 'taken') throw new Error(`take: ${result.kind}`);
  return result.record;
}

/** Ends the connection of a session. */
export function disconnectOf(
  record: SessionRecord,
  nowMs: number,
  expiryIntervalSeconds: number,
): SessionOperation {
  const { clientId, epoch } = record;
  return { clientId, epoch, kind: 'disconnect', nowMs, expiryIntervalSeconds };
}

/** Appends of messages with the sequences given, by the owner of the record. */
export function appendsOf(
  record: SessionRecord,
  ...sequences: readonly number[]
): SessionOperation[] {
  const { clientId, epoch } = record;
  return sequences.map((sequence) => ({
    clientId,
    epoch,
    kind: 'append',
    queued: queuedOf({ epoch, sequence }),
    once: false,
  }));
}

/** Fills a session with three queued messages (sequences 1 to 3), two subscriptions, and packet ids of both directions. */
export async function fill(store: SessionStore, record: SessionRecord): Promise<void> {
  const { clientId, epoch } = record;
  await store.write([
    ...appendsOf(record, 1, 2, 3, 4),
    { clientId, epoch, kind: 'release', position: { epoch, sequence: 4 }, packetId: 9 },
    { clientId, epoch, kind: 'receive', packetId: 7 },
    {
      clientId,
      epoch,
      kind: 'begin',
      packetId: 6,
      message: { source: NODE_A, sequence: 1, digest: 0 },
    },
    {
      clientId,
      epoch,
      kind: 'subscribe',
      subscriptions: [subscriptionOf('a/b'), subscriptionOf('c/#', { qos: 2 })],
    },
  ]);
}

/** One operation of each kind, each of which would change a filled session. */
export function everyOperation(clientId: string, epoch: number): SessionOperation[] {
  const position = { epoch, sequence: 1 };
  const by = { clientId, epoch };
  return [
    { ...by, kind: 'append', queued: queuedOf({ epoch, sequence: 5 }), once: false },
    { ...by, kind: 'append', queued: queuedOf({ epoch, sequence: 5 }), once: true },
    { ...by, kind: 'settle', positions: [position] },
    { ...by, kind: 'release', position, packetId: 10 },
    { ...by, kind: 'complete', packetId: 9 },
    { ...by, kind: 'begin', packetId: 11, message: { source: NODE_A, sequence: 2, digest: 0 } },
    { ...by, kind: 'receive', packetId: 8 },
    { ...by, kind: 'forget', packetId: 7 },
    { ...by, kind: 'subscribe', subscriptions: [subscriptionOf('new')] },
    { ...by, kind: 'unsubscribe', filters: ['a/b'] },
    { ...by, kind: 'disconnect', nowMs: NOW_MS, expiryIntervalSeconds: 60 },
    { ...by, kind: 'discard' },
  ];
}

/** The record with its lists in a fixed order: a store may keep them in any. */
export function sortedRecord(record: SessionRecord | undefined): SessionRecord | undefined {
  if (record === undefined) return undefined;
  const byNumber = (one: number, other: number) => one - other;
  const byFilter = (one: StoredSubscription, other: StoredSubscription) =>
    one.filter < other.filter ? -1 : 1;
  return {
    ...record,
    subscriptions: record.subscriptions.toSorted(byFilter),
    receivedPacketIds: record.receivedPacketIds.toSorted(byNumber),
    receiving: record.receiving.toSorted((one, other) => byNumber(one.packetId, other.packetId)),
    releasedPacketIds: record.releasedPacketIds.toSorted(byNumber),
  };
}

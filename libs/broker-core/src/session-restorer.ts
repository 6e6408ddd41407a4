import {
  StoreUnavailableError,
  type Message,
  type NodeRef,
  type QueuedMessage,
  type SessionDraft,
  type SessionOperation,
  type SessionRecord,
  type SessionRestore,
  type SessionRestored,
} from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import type { NodeParts } from './parts.ts';
import type { SessionEntry } from './session-entry.ts';

const NEVER_SECONDS = 0xffff_ffff;

/** What there is of a session that is to be restored. */
export interface Found {
  /** As this node has it. */
  readonly entry: SessionEntry | undefined;
  /** As the store has it. */
  readonly record: SessionRecord | undefined;
}

/** Why a session cannot be restored; undefined when it can. */
export function restoreRefusal(
  { draft, replaces }: Pick<SessionRestore, 'draft' | 'replaces'>,
  { entry, record }: Found,
  { bus, nowMs }: Pick<NodeParts, 'bus' | 'nowMs'>,
): SessionRestored | undefined {
  if (draft.expiresAtMs > 0 && draft.expiresAtMs <= nowMs()) return { kind: 'expired' };
  if (entry !== undefined) return refusalOf(draft, entry, replaces);
  if (record === undefined) return undefined;
  if (!replaces) return { kind: 'present' };
  const { owner } = record;
  const isElsewhere = !isSameNode(owner, bus.self) && bus.isAlive(owner);
  return isElsewhere ? { kind: 'elsewhere', nodeId: owner.nodeId } : { kind: 'busy' };
}

function refusalOf(
  { user }: SessionDraft,
  entry: SessionEntry,
  replaces: boolean,
): SessionRestored | undefined {
  if (entry.connection !== undefined) return { kind: 'connected' };
  if (!replaces) return { kind: 'present' };
  if (user !== undefined && entry.user !== undefined && user !== entry.user) {
    return { kind: 'foreign' };
  }
  const isBusy = entry.will !== undefined || entry.awaitsHeritage || entry.requests > 0;
  return isBusy ? { kind: 'busy' } : undefined;
}

type Own = SessionOperation extends infer Each
  ? Each extends SessionOperation
    ? Omit<Each, 'clientId' | 'epoch'>
    : never
  : never;

/**
 * Takes a session anew for a client who is not here, and writes what a backup has of it.
 *
 * @throws StoreUnavailableError when it is not known what the store has of it.
 */
export async function makeSession(
  restore: SessionRestore,
  parts: Pick<NodeParts, 'bus' | 'nowMs' | 'sessions'>,
): Promise<{ readonly result: SessionRestored; readonly record?: SessionRecord | undefined }> {
  const { clientId, expiryIntervalSeconds, user } = restore.draft;
  const { sessions, bus, nowMs } = parts;
  const taken = await sessions.take({
    ...{ clientId, expiryIntervalSeconds, node: bus.self, nowMs: nowMs() },
    ...{ cleanStart: true, durable: true, connected: true },
    ...(user !== undefined && { user }),
  });
  if (taken.kind === 'foreign') return { result: taken };
  // Somebody has come meanwhile, or one that is over leaves a will.
  if (taken.kind !== 'taken') return { result: { kind: 'busy' } };
  try {
    await writeRestored(taken.record, restore, parts);
  } catch {
    // It is whole, or not at all.
    const { epoch } = taken.record;
    const [discarded] = await sessions.write([{ kind: 'discard', clientId, epoch }]);
    if (discarded === 'failed') throw new StoreUnavailableError('a session is not restored');
    return { result: { kind: 'failed' } };
  }
  const record = await sessions.load(clientId);
  return { result: { kind: record === undefined ? 'failed' : 'restored' }, record };
}

/**
 * Writes what a backup has of a session into one that this node has just taken, anew and empty.
 *
 * @throws StoreUnavailableError when it is not known what has been written; whatever the queue throws.
 */
async function writeRestored(
  { epoch }: Pick<SessionRecord, 'epoch'>,
  { draft, queue }: SessionRestore,
  { sessions, bus, nowMs }: Pick<NodeParts, 'bus' | 'nowMs' | 'sessions'>,
): Promise<void> {
  const { clientId, lastSequence, expiryIntervalSeconds } = draft;
  const write = async (operations: readonly Own[]): Promise<void> => {
    const whole = operations.map((each) => ({ ...each, clientId, epoch }) as SessionOperation);
    const outcomes = await sessions.write(whole);
    if (outcomes.every((outcome) => outcome === 'done')) return;
    throw new StoreUnavailableError('a session could not be written');
  };
  let waiting = contentOf(draft);
  let last = 0;
  for await (const piece of queue) {
    for (const queued of piece) {
      last = queued.position.sequence;
      waiting.push(appendOf({ ...queued, position: { epoch, sequence: last } }));
    }
    await write(waiting);
    waiting = [];
  }
  // Sequences go on where they were, though nothing may be left of the latest.
  if (last < lastSequence) {
    const position = { epoch, sequence: lastSequence };
    const message = nothingOf(bus.self);
    waiting.push(
      appendOf({ position, message, qos: 1, retain: false, subscriptionIdentifiers: [] }),
      { kind: 'settle', positions: [position] },
    );
  }
  waiting.push({ kind: 'disconnect', nowMs: endedAtMs(draft, nowMs()), expiryIntervalSeconds });
  await write(waiting);
}

/** When the connection of a session seems to have ended, so that the session ends when it was to. */
function endedAtMs({ expiresAtMs, expiryIntervalSeconds }: SessionDraft, nowMs: number): number {
  if (expiresAtMs === 0 || expiryIntervalSeconds === NEVER_SECONDS) return nowMs;
  return expiresAtMs - expiryIntervalSeconds * 1000;
}

function contentOf(draft: SessionDraft): Own[] {
  const { subscriptions, receivedPacketIds, receiving, releasedPacketIds } = draft;
  return [
    ...(subscriptions.length > 0 ? [{ kind: 'subscribe', subscriptions } as const] : []),
    ...receivedPacketIds.map((packetId): Own => ({ kind: 'receive', packetId })),
    ...receiving.map(({ packetId, ...message }): Own => ({
      kind: 'begin',
      packetId,
      message: { ...message },
    })),
    ...releasedPacketIds.map(
      // Nothing stands there: the message went when its PUBREC came.
      (packetId): Own => ({ kind: 'release', packetId, position: { epoch: 0, sequence: 0 } }),
    ),
  ];
}

function appendOf(queued: QueuedMessage): Own {
  return { kind: 'append', queued, once: false };
}

function nothingOf(source: NodeRef): Message {
  return {
    ...{ topic: '-', payload: new Uint8Array(0), qos: 1, retain: false, publisher: '' },
    ...{ source, sequence: 0, receivedAtMs: 0, expiresAtMs: 0, origin: 'system' },
  };
}

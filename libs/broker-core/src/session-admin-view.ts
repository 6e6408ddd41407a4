import type {
  DisconnectOptions,
  InflightMessage,
  QueuePosition,
  RememberedVerdict,
  SessionAdmin,
  SessionRestore,
  SessionRestored,
  StoredSubscription,
  ClientMessage,
} from '#libs/broker-ports';
import { StoreUnavailableError } from '#libs/broker-ports';
import { REASON, sizeOf, type ReasonCode } from '#libs/mqtt-codec';
import type { Inflight } from '#libs/mqtt-engine';
import type { ConnectionKeeper } from './connection-keeper.ts';
import type { NodeParts } from './parts.ts';
import type { SessionEntry, SessionHost } from './session-entry.ts';
import { expiryOf, type Sessions } from './sessions.ts';
import type { Subscriber } from './subscriber.ts';

/** How much of a queue is cleared at once. */
const CLEAR_AT_ONCE = 500;

/** What may be said in a DISCONNECT of a server (MQTT 5, table 3-10); whoever says anything else says 0x98. */
const DISCONNECT_CODES: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.unspecifiedError,
  REASON.implementationSpecificError,
  REASON.notAuthorized,
  REASON.serverBusy,
  REASON.serverShuttingDown,
  REASON.sessionTakenOver,
  REASON.messageRateTooHigh,
  REASON.quotaExceeded,
  REASON.administrativeAction,
  REASON.useAnotherServer,
  REASON.serverMoved,
  REASON.connectionRateExceeded,
]);

/** What administrators may do with the sessions of a node. */
export class SessionAdminView implements SessionAdmin {
  readonly #parts: Pick<NodeParts, 'meter' | 'nowMs'>;
  readonly #sessions: Sessions;
  readonly #subscriber: Subscriber;
  readonly #keeper: Pick<ConnectionKeeper, 'endSession'>;
  readonly #host: Pick<SessionHost, 'load'>;

  constructor(
    parts: Pick<NodeParts, 'meter' | 'nowMs'>,
    own: {
      readonly sessions: Sessions;
      readonly subscriber: Subscriber;
      readonly keeper: Pick<ConnectionKeeper, 'endSession'>;
      readonly node: Pick<SessionHost, 'load'>;
    },
  ) {
    this.#parts = parts;
    this.#sessions = own.sessions;
    this.#subscriber = own.subscriber;
    this.#keeper = own.keeper;
    this.#host = own.node;
  }

  async disconnect(
    clientId: string,
    { reasonCode, withWill, endSession }: DisconnectOptions,
  ): Promise<boolean> {
    const entry = await this.#sessions.settled(clientId);
    if (entry === undefined) return false;
    if (!withWill) this.#dropWill(entry);
    entry.connection?.close(codeOf(reasonCode), 'disconnected by an administrator', 'kicked');
    if (endSession && this.#sessions.get(clientId) === entry) this.#keeper.endSession(entry);
    return true;
  }

  async subscribe(
    clientId: string,
    requests: readonly StoredSubscription[],
  ): Promise<readonly number[] | undefined> {
    const entry = await this.#sessions.settled(clientId);
    return entry && this.#subscriber.request(entry, requests);
  }

  async unsubscribe(
    clientId: string,
    filters: readonly string[],
  ): Promise<readonly number[] | undefined> {
    const entry = await this.#sessions.settled(clientId);
    return entry && this.#subscriber.withdraw(entry, filters);
  }

  async queued(
    clientId: string,
    { after, limit }: { readonly after: QueuePosition | undefined; readonly limit: number },
  ): Promise<readonly ClientMessage[] | undefined> {
    const entry = await this.#sessions.settled(clientId);
    if (entry === undefined) return undefined;
    if (!entry.durable) return heldOf(entry, after?.sequence ?? 0).slice(0, limit);
    const queued = await this.#host.load(entry, { after, limit });
    const sent = sentOf(entry);
    return queued.map(({ position, message, qos, retain }) => ({
      ...{ position, message, qos, retain },
      isInflight: sent.has(nameOf(position)),
    }));
  }

  async clearQueue(clientId: string): Promise<number | undefined> {
    const entry = await this.#sessions.settled(clientId);
    if (entry === undefined) return undefined;
    const { outbound } = entry.session;
    const removed = entry.durable ? await this.#clearStored(entry) : outbound.drop().length;
    outbound.pump(this.#parts.nowMs());
    return removed;
  }

  inflight(clientId: string): readonly InflightMessage[] | undefined {
    const entry = this.#sessions.get(clientId);
    if (entry === undefined) return undefined;
    return [...entry.session.outbound.sent()].map(({ packetId, qos, state, delivery }) => ({
      ...{ packetId, qos, awaits: awaitedIn(state) },
      message: delivery?.publish.message,
    }));
  }

  verdicts(clientId: string): readonly RememberedVerdict[] | undefined {
    const entry = this.#sessions.get(clientId);
    if (entry === undefined) return undefined;
    return [...(entry.access?.remembered() ?? [])].map(({ topic, request, retain, isAllowed }) => ({
      ...{ topic, action: request.kind, qos: request.qos },
      ...{ retain, isAllowed },
    }));
  }

  forgetVerdicts(clientId: string): boolean {
    const entry = this.#sessions.get(clientId);
    entry?.access?.forget();
    return entry !== undefined;
  }

  async setExpiry(clientId: string, seconds: number): Promise<'done' | 'absent' | 'transient'> {
    const entry = await this.#sessions.settled(clientId);
    if (entry === undefined) return 'absent';
    if (!entry.durable || entry.expirySeconds === 0) return 'transient';
    const nowMs = this.#parts.nowMs();
    const operation = { kind: 'expiry', nowMs, expiryIntervalSeconds: seconds } as const;
    const outcome = await new Promise((resolve) => entry.write(operation, resolve));
    if (outcome !== 'done') throw new StoreUnavailableError('the session store did not answer');
    entry.expirySeconds = seconds;
    if (entry.connection === undefined) entry.expiresAtMs = expiryOf(nowMs, seconds);
    return 'done';
  }

  async restore(restore: SessionRestore): Promise<SessionRestored> {
    const { result, entry } = await this.#sessions.restore(restore);
    if (entry !== undefined) await this.#subscriber.reclaimExclusives(entry);
    return result;
  }

  /** The store forgets it too: whoever has the session after this node finds none. */
  #dropWill(entry: SessionEntry): void {
    if (entry.will === undefined) return;
    entry.will = undefined;
    this.#parts.meter.will('cancelled');
    if (entry.durable) entry.write({ kind: 'forget-will' });
  }

  /** What is sent while this goes on stays: it is looked for in each piece. */
  async #clearStored(entry: SessionEntry): Promise<number> {
    const { outbound } = entry.session;
    let removed = 0;
    let after: QueuePosition | undefined;
    for (;;) {
      const queued = await this.#host.load(entry, { after, limit: CLEAR_AT_ONCE });
      outbound.drop();
      const sent = sentOf(entry);
      for (const { position, message } of queued) {
        if (sent.has(nameOf(position))) continue;
        entry.settle(position, sizeOf(message));
        removed += 1;
      }
      after = queued.at(-1)?.position;
      if (queued.length < CLEAR_AT_ONCE || entry.isGone) return removed;
    }
  }
}

function codeOf(reasonCode: number): ReasonCode {
  return DISCONNECT_CODES.has(reasonCode)
    ? (reasonCode as ReasonCode)
    : REASON.administrativeAction;
}

function awaitedIn(state: Inflight['state']): InflightMessage['awaits'] {
  return state === 'puback' || state === 'pubrec' ? state : 'pubcomp';
}

/** What waits in the memory of a session that is not stored. */
function heldOf(entry: SessionEntry, after: number): readonly ClientMessage[] {
  const waiting: ClientMessage[] = [];
  for (const { number, delivery } of entry.session.outbound.waiting()) {
    if (number <= after) continue;
    const { publish, qos, retain } = delivery;
    const position = { epoch: 0, sequence: number };
    waiting.push({ position, message: publish.message, qos, retain, isInflight: false });
  }
  return waiting;
}

/** The names of the positions that were sent on this connection. */
function sentOf(entry: SessionEntry): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { delivery } of entry.session.outbound.sent()) {
    if (delivery?.position !== undefined) names.add(nameOf(delivery.position));
  }
  return names;
}

function nameOf({ epoch, sequence }: QueuePosition): string {
  return `${String(epoch)}-${String(sequence)}`;
}

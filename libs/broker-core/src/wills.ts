import type {
  FormerWill,
  HubClient,
  MessageIdentity,
  PublishDone,
  StoredWill,
} from '#libs/broker-ports';
import { withOwnBytes, type Will } from '#libs/mqtt-codec';
import type { NodeParts } from './parts.ts';
import { isSameIdentity } from './message-memory.ts';
import { mayRepeat } from './repeating.ts';
import type { SessionWriter } from './session-writer.ts';

/** A will that has to be published unless its client says DISCONNECT or comes back in time [MQTT-3.1.3-9]. */
export interface PendingWill {
  readonly will: StoredWill;
  /** Infinity while the connection lives. */
  readonly dueAtMs: number;
}

/** A session, as far as wills are concerned. */
export interface WillHolder {
  readonly clientId: string;
  readonly epoch: number;
  will: PendingWill | undefined;
}

/** A will of a session that is over, for whose client it is held back. */
interface Held extends PendingWill {
  readonly epoch: number;
  readonly ending: 'forget-will' | 'discard';
}

/** A will on its way. */
interface Departing {
  readonly will: StoredWill;
  readonly clientId: string;
  /** Under which the session is this node's; a later owner's writes have another one. */
  readonly epoch: number;
  /** What the session's record is told in the end. */
  readonly ending: 'forget-will' | 'discard' | undefined;
  step: 'claim' | 'publish' | 'finish';
  /** Whether an answer is awaited. Else the sweep tries again. */
  isUnderWay: boolean;
  /** Told when no answer is awaited any more. */
  readonly waiting: (() => void)[];
}

/**
 * The wills of a node's sessions: when they are due, and that they are published.
 *
 * @remarks The session store has each of them too, with its identity. One that is due goes in three steps. It is claimed, by
 * a write that the store refuses a former owner, so that the node which has the session publishes it and no other. It is
 * published, under its identity. When all its obligations are met, the store forgets it. Whoever has the session after a
 * node that died on the way publishes it again: QoS 2 is recognised, QoS 1 may come twice, and a will of QoS 0 is
 * forgotten before it is published. While the node's lease is in doubt nothing goes on, and when it is lost the rest is its heir's.
 */
export class Wills {
  readonly #parts: Pick<NodeParts, 'bus' | 'log' | 'meter' | 'nowMs'>;
  readonly #writer: SessionWriter;
  readonly #publish: (will: StoredWill, done: PublishDone) => void;
  /** By client. */
  readonly #departing = new Map<string, Departing[]>();
  /** Of sessions that are over: the wills that are held back, by client. */
  readonly #held = new Map<string, Held>();

  constructor(
    parts: Pick<NodeParts, 'bus' | 'log' | 'meter' | 'nowMs'>,
    own: {
      readonly writer: SessionWriter;
      readonly publish: (will: StoredWill, done: PublishDone) => void;
    },
  ) {
    this.#parts = parts;
    this.#writer = own.writer;
    this.#publish = own.publish;
  }

  /** A connection has begun: what was pending is dropped, and its own will is held from now on. */
  begin(entry: WillHolder, will: StoredWill | undefined): void {
    const isCancelled = this.#held.delete(entry.clientId) || entry.will !== undefined;
    if (isCancelled) this.#parts.meter.will('cancelled');
    entry.will = will && { will, dueAtMs: Infinity };
  }

  /**
   * A connection has ended: its will is dropped, or is due when its delay has passed.
   *
   * @param holdSeconds - the least delay of a will whose client was sent elsewhere.
   */
  end(entry: WillHolder, withWill: boolean, holdSeconds = 0): void {
    if (entry.will === undefined) return;
    const will = holdSeconds > 0 ? heldWillOf(entry.will.will, holdSeconds) : entry.will.will;
    const delayMs = will.delaySeconds * 1000;
    entry.will = withWill ? { will, dueAtMs: this.#parts.nowMs() + delayMs } : undefined;
    if (withWill && delayMs > 0) this.#parts.meter.will('delayed');
  }

  /** Publishes a session's will if its time has come. */
  settle(entry: WillHolder): void {
    const pending = entry.will;
    if (pending === undefined || pending.dueAtMs > this.#parts.nowMs()) return;
    this.#depart(entry, pending.will, 'forget-will');
  }

  /**
   * The session is over: publishes its will, whenever it would be due, and removes the session from the store.
   *
   * @param isKept - whether that is not to be removed yet.
   */
  conclude(entry: WillHolder, isKept: boolean): void {
    const { clientId, epoch, will } = entry;
    const ending = isKept ? 'forget-will' : 'discard';
    if (will !== undefined && isHeldBack(will, this.#parts.nowMs())) {
      entry.will = undefined;
      return void this.#held.set(clientId, { ...will, epoch, ending });
    }
    if (will !== undefined) return this.#depart(entry, will.will, ending);
    if (!isKept) this.#writer.add({ clientId, epoch, kind: 'discard' });
  }

  /** Whether none of a client's wills is on its way. */
  isSettled(clientId: string): boolean {
    return !this.#departing.has(clientId) && !this.#held.has(clientId);
  }

  /**
   * A session was taken for a new connection: what there is of a former will is in the hands of this node alone.
   *
   * @param isDue - whether no other node publishes it, and the new connection does not cancel it.
   */
  succeed(will: StoredWill, isDue: boolean): void {
    const { clientId } = will.client;
    const departing = this.#departing.get(clientId) ?? [];
    const known = departing.find((each) => isSameIdentity(each.will.identity, will.identity));
    if (known?.step === 'claim') return this.#claimed(known);
    if (known !== undefined || !isDue) return;
    this.#start({ clientId, epoch: 0, will, ending: undefined });
  }

  /** Goes on with what a store could not take, or what had to wait for the lease; called by the sweep. */
  sweep(): void {
    for (const [clientId, { will, dueAtMs, epoch, ending }] of this.#held) {
      if (dueAtMs > this.#parts.nowMs()) continue;
      this.#held.delete(clientId);
      this.#start({ clientId, epoch, will, ending });
    }
    for (const departing of this.#departing.values()) {
      for (const each of departing) if (!each.isUnderWay) this.#goOn(each);
    }
  }

  /**
   * Resolves when a client's wills have been published and forgotten, or cannot be at this moment.
   *
   * @returns whether none is left.
   */
  async settled(clientId: string): Promise<boolean> {
    await Promise.all((this.#departing.get(clientId) ?? []).map(idle));
    return !this.#departing.has(clientId);
  }

  /** The same for all clients. */
  async allSettled(): Promise<void> {
    await Promise.all([...this.#departing.values()].flat().map(idle));
  }

  #depart(entry: WillHolder, will: StoredWill, ending: 'forget-will' | 'discard'): void {
    const { clientId, epoch } = entry;
    entry.will = undefined;
    this.#start({ clientId, epoch, will, ending });
  }

  #start(given: Pick<Departing, 'will' | 'clientId' | 'epoch' | 'ending'>): void {
    const step = given.ending === undefined ? 'publish' : 'claim';
    const each: Departing = { ...given, step, isUnderWay: false, waiting: [] };
    const others = this.#departing.get(each.clientId);
    if (others === undefined) this.#departing.set(each.clientId, [each]);
    else others.push(each);
    if (step === 'claim') return this.#goOn(each);
    this.#claimed(each);
  }

  #goOn(each: Departing): void {
    if (each.step === 'finish') return this.#finish(each);
    const { bus } = this.#parts;
    if (!bus.isAlive(bus.self)) return this.#rest(each);
    if (each.step === 'claim') this.#claim(each);
    else this.#send(each);
  }

  #claim(each: Departing): void {
    const { clientId, epoch, will } = each;
    const claim =
      will.message.qos === 0
        ? ({ kind: 'forget-will' } as const)
        : ({ kind: 'claim-will', dueAtMs: this.#parts.nowMs() } as const);
    each.isUnderWay = true;
    this.#writer.add({ clientId, epoch, ...claim }, (result) => {
      // The session may have been taken anew meanwhile, which was a claim.
      if (each.step !== 'claim') return;
      if (result === 'failed') return this.#rest(each);
      // Another node has the session, and the will with it.
      if (result === 'fenced') return this.#drop(each);
      this.#claimed(each);
    });
  }

  #claimed(each: Departing): void {
    each.step = 'publish';
    this.#parts.meter.will('published');
    this.#goOn(each);
  }

  #send(each: Departing): void {
    const { will, clientId } = each;
    each.isUnderWay = true;
    this.#publish(will, (error) => {
      if (error !== undefined) {
        this.#parts.log.warn('will-not-taken', { clientId, code: error.code });
        if (mayRepeat(will.message, error)) return this.#rest(each);
      }
      each.step = 'finish';
      this.#finish(each);
    });
  }

  #finish(each: Departing): void {
    const { clientId, epoch, will, ending: kind } = each;
    const isForgotten = kind === 'forget-will' && will.message.qos === 0;
    if (kind === undefined || isForgotten) return this.#drop(each);
    each.isUnderWay = true;
    this.#writer.add({ clientId, epoch, kind }, (result) => {
      if (result === 'failed') this.#rest(each);
      else this.#drop(each);
    });
  }

  /** Until the next sweep. */
  #rest(each: Departing): void {
    each.isUnderWay = false;
    for (const tell of each.waiting.splice(0)) tell();
  }

  #drop(each: Departing): void {
    const { clientId } = each;
    const left = this.#departing.get(clientId)?.filter((other) => other !== each) ?? [];
    if (left.length === 0) this.#departing.delete(clientId);
    else this.#departing.set(clientId, left);
    this.#rest(each);
  }
}

/** Resolves when no answer is awaited for a will. */
function idle({ isUnderWay, waiting }: Departing): Promise<void> {
  if (!isUnderWay) return Promise.resolve();
  return new Promise((resolve) => waiting.push(resolve));
}

/**
 * The will of a CONNECT as it is kept and published: without its delay, which is no property of PUBLISH, and without the
 * chunk that it came in, which it would keep in memory as long as the connection lives.
 */
export function storedWillOf(
  will: Will,
  by: { readonly client: HubClient; readonly identity: MessageIdentity },
): StoredWill {
  const { topic, qos, retain } = will;
  const payload = new Uint8Array(will.payload);
  const { willDelayInterval: delaySeconds = 0, ...properties } = will.properties ?? {};
  const hasProperties = Object.keys(properties).length > 0;
  const message = {
    topic,
    payload,
    qos,
    retain,
    ...(hasProperties && { properties: withOwnBytes(properties) }),
  };
  return { message, delaySeconds, ...by };
}

/** The will of a connection that ended unseen counts from now on. */
export function pendingWillOf({ will, dueAtMs }: FormerWill, nowMs: number): PendingWill {
  return { will, dueAtMs: dueAtMs === 0 ? nowMs + will.delaySeconds * 1000 : dueAtMs };
}

/** The will of a client that the broker has sent elsewhere. */
function heldWillOf(will: StoredWill, holdSeconds: number): StoredWill {
  return { ...will, delaySeconds: Math.max(will.delaySeconds, holdSeconds), isHeld: true };
}

/** Whether any connection of its client cancels a will now. */
function isHeldBack(
  { will, dueAtMs }: { readonly will: StoredWill; readonly dueAtMs: number },
  nowMs: number,
): boolean {
  return will.isHeld === true && dueAtMs > nowMs;
}

/** What a session that was here has of a will that its new connection does not cancel. */
export function leftWillOf(
  existing: WillHolder,
  entry: WillHolder,
  nowMs: number,
): StoredWill | undefined {
  const { will } = existing;
  if (will === undefined || (existing === entry && will.dueAtMs > nowMs)) return undefined;
  if (isHeldBack(will, nowMs)) return undefined;
  existing.will = undefined;
  return will.will;
}

/**
 * What becomes of the will that a take has found: `due` when nobody else publishes it and the new connection does not
 * cancel it.
 *
 * @param isOrphan - the former owner has not let the session go by itself, so it did nothing about the will either.
 */
export function willAtTake(
  { formerWill, sessionPresent }: { formerWill?: FormerWill; sessionPresent: boolean },
  isOrphan: boolean,
  nowMs: number,
): 'due' | 'cancelled' | 'absent' {
  if (formerWill === undefined) return 'absent';
  const { will, dueAtMs } = formerWill;
  if (isHeldBack(formerWill, nowMs)) return 'cancelled';
  const wasConnected = dueAtMs === 0;
  if (wasConnected && !isOrphan) return 'absent';
  // When another node has noted when it is due, that was by its own clock.
  const isDue = will.delaySeconds === 0 || (!wasConnected && dueAtMs <= nowMs);
  return isDue || !sessionPresent ? 'due' : 'cancelled';
}

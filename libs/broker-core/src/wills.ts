import type { HubClient, PublishDone, StoredWill } from '#libs/broker-ports';
import { withOwnBytes, type Will } from '#libs/mqtt-codec';
import type { NodeParts } from './parts.ts';
import { mayRepeat } from './repeating.ts';

/** A will that has to be published unless its client says DISCONNECT or comes back in time [MQTT-3.1.3-9]. */
export interface PendingWill {
  readonly will: StoredWill;
  /** Infinity while the connection lives. */
  readonly dueAtMs: number;
}

/** A session, as far as wills are concerned. */
export interface WillHolder {
  will: PendingWill | undefined;
}

/**
 * The wills of a node's sessions: when they are due, and that they are published.
 *
 * @remarks The session store has each of them too. While the node's lease is in doubt another node may be about to publish
 * them: what is due waits until the lease is certain, and is dropped with the node when it is lost.
 */
export class Wills {
  readonly #parts: Pick<NodeParts, 'bus' | 'log' | 'meter' | 'nowMs'>;
  readonly #publish: (will: StoredWill, done: PublishDone) => void;
  /** What a store could not take: tried again by the sweep. */
  #failed: StoredWill[] = [];

  constructor(
    parts: Pick<NodeParts, 'bus' | 'log' | 'meter' | 'nowMs'>,
    publish: (will: StoredWill, done: PublishDone) => void,
  ) {
    this.#parts = parts;
    this.#publish = publish;
  }

  /** A connection has begun: what was pending is dropped, and its own will is held from now on. */
  begin(entry: WillHolder, will: StoredWill | undefined): void {
    if (entry.will !== undefined) this.#parts.meter.will('cancelled');
    entry.will = will && { will, dueAtMs: Infinity };
  }

  /** A connection has ended: its will is dropped, or is due when its delay has passed. */
  end(entry: WillHolder, withWill: boolean): void {
    if (entry.will === undefined) return;
    const { will } = entry.will;
    const delayMs = will.delaySeconds * 1000;
    entry.will = withWill ? { will, dueAtMs: this.#parts.nowMs() + delayMs } : undefined;
    if (withWill && delayMs > 0) this.#parts.meter.will('delayed');
  }

  /**
   * Publishes a session's will if its time has come.
   *
   * @param isOver - the session ends, and no delay counts any more.
   *
   * @returns `held` when it is due but must wait.
   */
  settle(entry: WillHolder, isOver: boolean): 'none' | 'sent' | 'held' {
    const pending = entry.will;
    if (pending === undefined) return 'none';
    if (!isOver && pending.dueAtMs > this.#parts.nowMs()) return 'none';
    if (!this.#isCertain()) return 'held';
    entry.will = undefined;
    this.publish(pending.will);
    return 'sent';
  }

  /** Publishes a will that is due. */
  publish(will: StoredWill): void {
    this.#parts.meter.will('published');
    this.#send(will);
  }

  /** Tries again what could not be taken. */
  retry(): void {
    if (this.#failed.length === 0 || !this.#isCertain()) return;
    const failed = this.#failed;
    this.#failed = [];
    for (const will of failed) this.#send(will);
  }

  #send(will: StoredWill): void {
    this.#publish(will, (error) => {
      if (error === undefined) return;
      if (mayRepeat(will.message, error)) this.#failed.push(will);
      const { clientId } = will.client;
      this.#parts.log.warn('will-not-taken', { clientId, code: error.code });
    });
  }

  #isCertain(): boolean {
    const { bus } = this.#parts;
    return bus.isAlive(bus.self);
  }
}

/**
 * The will of a CONNECT as it is kept and published: without its delay, which is no property of PUBLISH, and without the
 * chunk that it came in, which it would keep in memory as long as the connection lives.
 */
export function storedWillOf(will: Will | undefined, client: HubClient): StoredWill | undefined {
  if (will === undefined) return undefined;
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
  return { message, delaySeconds, client };
}

import type { Redis } from 'ioredis';
import type { EventEmitter } from 'node:events';
import mqemitterRedis from 'mqemitter-redis';
import type { Log, NodeRef } from '#libs/broker-ports';
import { isNodeId } from '#libs/cluster';
import { controlOf, isCount, type Control } from './control.ts';
import type { ClusterKeys } from './keys.ts';
import { parseJson } from './lease-format.ts';

/** What came in on this node's channel. */
export type Arrival =
  | { readonly kind: 'frame'; readonly from: NodeRef; readonly frame: Uint8Array }
  | { readonly kind: 'control'; readonly from: NodeRef; readonly control: Control };

/** What a Carrier needs. */
export interface CarrierOptions {
  /** Connections for nothing else: a subscriber and a publisher that never waits. */
  readonly subscriber: Redis;
  readonly publisher: Redis;
  readonly keys: ClusterKeys;
  readonly log: Log;
  readonly arrived: (arrival: Arrival) => void;
}

/** mqemitter-redis remembers message ids to drop repeats; the publisher does not resend, so few will do. */
const REMEMBERED_IDS = 256;

/**
 * Carries frames and control messages between nodes over mqemitter-redis: one exact channel per node, nothing lasting.
 *
 * @remarks What arrives is checked: anybody who may write to Redis may publish on the channel. Foreign or malformed input
 * is dropped and told in the log, once per connection. mqemitter-redis decodes inside the connection's event and
 * throws on malformed input, which would end the process; so its listener runs inside ours.
 */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #emitter: ReturnType<typeof mqemitterRedis>;
  /** Set by the emitter's listener, taken by ours: what is done with it must not run inside the catch. */
  #arrival: Arrival | undefined;
  #toldMalformed = false;

  constructor(options: CarrierOptions) {
    this.#options = options;
    const { subscriber, publisher } = options;
    this.#emitter = mqemitterRedis({
      subConn: subscriber,
      pubConn: publisher,
      maxLRUCache: REMEMBERED_IDS,
    });
    // Connection errors are told by RedisConnections; unheard they would be thrown.
    const { state } = this.#emitter as unknown as { readonly state: EventEmitter };
    state.on('error', () => undefined);
    this.#contain(subscriber);
  }

  /** Listens on the node's channel; resolves when Redis has confirmed it. */
  open(nodeId: string): Promise<void> {
    return new Promise((resolve) => {
      this.#emitter.on(
        this.#options.keys.channel(nodeId),
        (message: Readonly<Record<string, unknown>>, done) => {
          this.#arrival = arrivalOf(message);
          done();
        },
        resolve,
      );
    });
  }

  /** Sends a frame; `lost` is called when it could not be handed to Redis. */
  sendFrame(to: string, from: NodeRef, content: { frame: Uint8Array; lost: () => void }): void {
    const { buffer, byteOffset, byteLength } = content.frame;
    const frame = Buffer.from(buffer, byteOffset, byteLength);
    this.#emit(to, { ...from, frame }, content.lost);
  }

  /** Sends a control message, fire and forget: whoever sends one asks again when nothing comes of it. */
  sendControl(to: string, from: NodeRef, control: Control): void {
    this.#emit(to, { ...from, control: JSON.stringify(control) }, () => undefined);
  }

  #emit(to: string, content: Record<string, unknown>, lost: () => void): void {
    this.#emitter.emit({ ...content, topic: this.#options.keys.channel(to) }, (error) => {
      if (error !== undefined) lost();
    });
  }

  #contain(subscriber: Redis): void {
    const listeners = subscriber.listeners('messageBuffer');
    subscriber.removeAllListeners('messageBuffer');
    subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      this.#arrival = undefined;
      try {
        for (const listener of listeners) listener.call(subscriber, channel, message);
      } catch {
        this.#arrival = undefined;
      }
      if (this.#arrival !== undefined) this.#options.arrived(this.#arrival);
      else this.#tellMalformed();
    });
  }

  #tellMalformed(): void {
    if (this.#toldMalformed) return;
    this.#toldMalformed = true;
    this.#options.log.warn('carrier-message-malformed');
  }
}

function arrivalOf(message: Readonly<Record<string, unknown>>): Arrival | undefined {
  const { nodeId, incarnation, frame, control } = message;
  if (typeof nodeId !== 'string' || !isNodeId(nodeId) || !isCount(incarnation)) return undefined;
  const from = { nodeId, incarnation };
  if (Buffer.isBuffer(frame)) return { kind: 'frame', from, frame };
  if (typeof control !== 'string') return undefined;
  const parsed = controlOf(parseJson(control));
  return parsed === undefined ? undefined : { kind: 'control', from, control: parsed };
}

import type { Transport, TransportEvents } from '#libs/broker-core';
import type { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** The client's end of a stream. */
export interface WireEnd {
  received(chunk: Uint8Array): void;
  /** The node has closed it, or is gone. */
  closed(): void;
}

/** How long bytes are on their way between clients and nodes. */
export interface WireTempo {
  leastMs: number;
  mostMs: number;
}

const WINDOW_BYTES = 2_048;

/**
 * A stream between a client and a node: bytes come whole and in order, each after a while.
 *
 * @remarks A silent wire loses what is sent from then on, and neither end is told: a cable that was pulled. What a client
 * that is slow has not taken counts as buffered at the node.
 */
export class SimWire implements Transport {
  readonly listener = 'sim';
  readonly remoteAddress = '192.0.2.1';
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #client: WireEnd;
  readonly #tempo: WireTempo;
  #node: TransportEvents | undefined;
  #bufferedBytes = 0;
  #wasFull = false;
  #isHeld = false;
  #isSilent = false;
  #isEnded = false;
  #isClosed = false;
  readonly #toNode: Uint8Array[] = [];
  #nodeAtMs = 0;
  #clientAtMs = 0;
  #isSlow = false;
  readonly #toClient: (() => void)[] = [];

  constructor(
    process: SimProcess,
    parts: {
      readonly client: WireEnd;
      readonly tempo: WireTempo;
      readonly accept: (transport: Transport) => TransportEvents;
    },
  ) {
    this.#world = process.world;
    this.#process = process;
    this.#client = parts.client;
    this.#tempo = parts.tempo;
    this.#arriveAtNode(() => {
      if (!this.#isClosed) this.#node = parts.accept(this);
    });
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** The client writes. */
  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#arriveAtNode(() => {
      this.#toNode.push(bytes);
      this.#read();
    });
  }

  /** The client closes its end. */
  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#arriveAtNode(() => this.#endNode());
  }

  /** Nothing comes through any more, in either direction. */
  silence(): void {
    this.#isSilent = true;
  }

  /** The node's process has ended: the client sees its end. */
  reset(): void {
    this.#arriveAtClient(() => this.#close());
  }

  /** The client takes nothing for a while, or goes on. */
  slow(isSlow: boolean): void {
    this.#isSlow = isSlow;
    if (isSlow) return;
    for (const take of this.#toClient.splice(0)) take();
  }

  send(chunks: readonly Uint8Array[]): void {
    if (this.#isEnded) return;
    const bytes = Buffer.concat(chunks);
    this.#bufferedBytes += bytes.length;
    this.#wasFull ||= this.#bufferedBytes > WINDOW_BYTES;
    this.#arriveAtClient(() => {
      this.#taken(bytes.length);
      if (!this.#isClosed) this.#client.received(bytes);
    });
  }

  hold(held: boolean): void {
    this.#isHeld = held;
    this.#read();
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#arriveAtClient(() => this.#close());
    this.#process.after(0, () => this.#endNode());
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client.closed();
  }

  #endNode(): void {
    this.#isEnded = true;
    const node = this.#node;
    this.#node = undefined;
    node?.ended();
  }

  #read(): void {
    while (!this.#isHeld && this.#node !== undefined) {
      const chunk = this.#toNode.shift();
      if (chunk === undefined) return;
      this.#node.received(chunk);
    }
  }

  #taken(bytes: number): void {
    this.#process.after(0, () => {
      this.#bufferedBytes -= bytes;
      if (!this.#wasFull || this.#bufferedBytes > 0) return;
      this.#wasFull = false;
      this.#node?.drained();
    });
  }

  #arriveAtNode(arrive: () => void): void {
    if (this.#isSilent) return;
    this.#nodeAtMs = Math.max(this.#nodeAtMs, this.#world.nowMs + this.#travelMs());
    this.#world.at(this.#nodeAtMs, () => {
      if (!this.#isSilent) this.#process.after(0, arrive);
    });
  }

  #arriveAtClient(arrive: () => void): void {
    if (this.#isSilent) return;
    this.#clientAtMs = Math.max(this.#clientAtMs, this.#world.nowMs + this.#travelMs());
    this.#world.at(this.#clientAtMs, () => {
      if (this.#isSilent) return;
      if (this.#isSlow) this.#toClient.push(arrive);
      else arrive();
    });
  }

  #travelMs(): number {
    return this.#world.delay(this.#tempo.leastMs, this.#tempo.mostMs);
  }
}

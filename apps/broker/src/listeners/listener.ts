import type { Transport, TransportEvents } from '#libs/broker-core';
import type { Meter } from '#libs/broker-ports';

/** A port on which clients connect, whatever carries their bytes. */
export interface Listener {
  /** The name in configuration keys and metric labels. */
  readonly name: string;
  /** Where it listens, as a URL for people; known after open(). */
  readonly address: string;
  /** Begins to accept; rejects when the port cannot be had. */
  open(): Promise<void>;
  /** Stops accepting; open connections go on. */
  close(): Promise<void>;
}

/** What every listener needs. */
export interface ListenerOptions {
  readonly name: string;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly connectionsMax: number;
  /** Hands a new stream to the node. */
  readonly accept: (transport: Transport) => TransportEvents;
  readonly meter: Meter;
}

/** A socket that holds more tells when it has drained; `limits.socketBufferBytesMax` is never less. */
export const HIGH_WATER_MARK_BYTES = 64 * 1024;

/** How long a peer that does not read may keep an ended stream open. */
export const LINGER_MS = 5_000;

import type { Transport, TransportEvents } from '#libs/broker-core';
import type { Log, Meter } from '#libs/broker-ports';
import type { ListenerSettings } from '#libs/config';
import type { TicketKeys } from './tls/ticket-keys.ts';

/** A port on which clients connect, whatever carries their bytes. */
export interface Listener {
  /** The name in configuration keys and metric labels. */
  readonly name: string;
  /** Where it listens, as a URL for people; known after open(). */
  readonly address: string;
  /**
   * Reads the files that it needs.
   *
   * @throws ConfigError when one of them cannot be used.
   */
  prepare(): Promise<void>;
  /** Whether it accepts. */
  readonly isOpen: boolean;
  /** Has another bound on connections that are open at once. */
  bound(connectionsMax: number): void;
  /** Begins to accept, also again after pause(); rejects when the port cannot be had. */
  open(): Promise<void>;
  /** Stops accepting; open connections go on, those that have not begun with MQTT end. */
  pause(): void;
  /** As pause(); resolves when the last connection has ended. */
  close(): Promise<void>;
  /** What it shows to clients; none without TLS. */
  certificates(): readonly ListenerCertificate[];
  /**
   * Reads its certificates anew, for connections that come; those that are open go on. When they cannot be used, those before
   * stay.
   *
   * @throws ConfigError naming the file that cannot be used.
   */
  reload(): Promise<void>;
}

/** A certificate that a listener shows to clients. */
export interface ListenerCertificate {
  /** The host names that clients ask for; empty for the one that all others get. */
  readonly names: readonly string[];
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** SHA-256 in hexadecimal digits. */
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What bounds connections whose client is not known yet. Each is a key of `limits`. */
export interface ListenerLimits {
  /** How long a connection may take until MQTT can begin on it, besides the handshake of TLS. */
  readonly connectTimeoutMs: number;
  /** Bytes of one WebSocket message; it may hold several packets [MQTT-6.0.0-2]. */
  readonly packetBytesMax: number;
  /** Bytes of one WebSocket message as long as its client is not known. */
  readonly unauthenticatedBytesMax: number;
}

/** What every listener needs. */
export interface ListenerOptions {
  readonly settings: ListenerSettings;
  readonly connectionsMax: number;
  /** They may change; a connection goes by those of its beginning. */
  readonly limits: ListenerLimits;
  readonly tickets: TicketKeys;
  /** Hands a new stream to the node. */
  readonly accept: (transport: Transport) => TransportEvents;
  readonly meter: Meter;
  readonly log: Log;
}

/** A socket that holds more tells when it has drained; `limits.socketBufferBytesMax` is never less. */
export const HIGH_WATER_MARK_BYTES = 64 * 1024;

/** How long a peer that does not read may keep an ended stream open. */
export const LINGER_MS = 5_000;

import type { Log, Meter } from '#libs/broker-ports';
import type { ConnectPacket, ReasonCode } from '#libs/mqtt-codec';
import type { ConnectionEnd } from './explanation.ts';
import type { CoreLimits } from './limits.ts';
import type { Tracing } from './tracing.ts';

/** What a connection asks of its node. */
export interface ConnectionHost<Connection> {
  readonly limits: CoreLimits;
  readonly meter: Meter;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly tracing: Tracing | undefined;
  /** Told with the reasons that send a client to another server. */
  readonly serverReference: string | undefined;
  /** Whether the node has so much to do that nobody who publishes is read from. */
  readonly pausesPublishers: boolean;
  /** Answered by Connection.joined() and releasing the hold, or by Connection.refuse(). */
  connect(connection: Connection, packet: ConnectPacket): void;
  connectRefused(connection: Connection, reasonCode: ReasonCode, detail: string): void;
  /** The connection is over; called exactly once. */
  ended(connection: Connection, end: ConnectionEnd, wasConnected: boolean): void;
  flushLater(connection: Connection): void;
  /** Calls Connection.resume() in this turn or the next, not from within. */
  resumeLater(connection: Connection): void;
}

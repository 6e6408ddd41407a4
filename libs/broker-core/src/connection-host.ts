import type { Log, Meter } from '#libs/broker-ports';
import type { ConnectPacket, ReasonCode } from '#libs/mqtt-codec';
import type { Connection, ConnectionEnd } from './connection.ts';
import type { CoreLimits } from './limits.ts';

/** What a connection asks of its node. */
export interface ConnectionHost {
  readonly limits: CoreLimits;
  readonly meter: Meter;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Answered by Connection.joined() and releasing the hold, or by Connection.refuse(). */
  connect(connection: Connection, packet: ConnectPacket): void;
  connectRefused(connection: Connection, reasonCode: ReasonCode, detail: string): void;
  /** The connection is over; called exactly once. */
  ended(connection: Connection, end: ConnectionEnd, wasConnected: boolean): void;
  flushLater(connection: Connection): void;
  /** Calls Connection.resume() in this turn or the next, not from within. */
  resumeLater(connection: Connection): void;
}

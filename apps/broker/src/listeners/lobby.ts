import type { Socket } from 'node:net';

interface Waiting {
  readonly socket: Socket;
  readonly deadline: NodeJS.Timeout;
  /** Where the client is; a proxy may have told. */
  address: string;
}

/**
 * The connections on which MQTT has not begun: each has a deadline, and none outlives its listener.
 *
 * @remarks A connection is known by its addresses, since Node.js does not tell which socket a TLS stream has come from.
 */
export class Lobby {
  readonly #waiting = new Map<string, Waiting>();
  readonly #deadlineMs: () => number;
  readonly #expired: (socket: Socket, address: string) => void;

  /**
   * @param deadlineMs - how long a connection that comes now may take.
   * @param expired - ends a connection that is at its deadline.
   */
  constructor(deadlineMs: () => number, expired: (socket: Socket, address: string) => void) {
    this.#deadlineMs = deadlineMs;
    this.#expired = expired;
  }

  /** A connection was made; it is ended at its deadline. */
  enter(socket: Socket, address: string): void {
    const key = keyOf(socket);
    const deadline = setTimeout(() => this.#expire(key), this.#deadlineMs()).unref();
    this.#waiting.set(key, { socket, deadline, address });
    socket.once('close', () => this.#remove(key));
  }

  /** A proxy has told where the client is. */
  locate(socket: Socket, address: string): void {
    const waiting = this.#waiting.get(keyOf(socket));
    if (waiting !== undefined) waiting.address = address;
  }

  /** MQTT begins on a connection; returns where the client is, undefined when it has gone meanwhile. */
  leave(socket: Socket): string | undefined {
    const key = keyOf(socket);
    const address = this.#waiting.get(key)?.address;
    this.#remove(key);
    return address;
  }

  /** Ends all that wait. */
  close(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
  }

  #expire(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) this.#expired(waiting.socket, waiting.address);
  }

  #remove(key: string): void {
    clearTimeout(this.#waiting.get(key)?.deadline);
    this.#waiting.delete(key);
  }
}

function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** The address at the other end, IPv4 addresses written as such also where a socket takes both kinds. */
export function peerOf({ remoteAddress = '' }: Socket): string {
  const isMapped = remoteAddress.startsWith('::ffff:') && remoteAddress.includes('.');
  return isMapped ? remoteAddress.slice(7) : remoteAddress;
}

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
  readonly #deadlineMs: number;
  readonly #expired: (socket: Socket) => void;

  /** @param expired - ends a connection that is at its deadline. */
  constructor(deadlineMs: number, expired: (socket: Socket) => void) {
    this.#deadlineMs = deadlineMs;
    this.#expired = expired;
  }

  /** A connection was made; it is ended at its deadline. */
  enter(socket: Socket): void {
    const key = keyOf(socket);
    const deadline = setTimeout(() => this.#expired(socket), this.#deadlineMs).unref();
    this.#waiting.set(key, { socket, deadline, address: plain(socket.remoteAddress ?? '') });
    socket.once('close', () => this.#remove(key));
  }

  /** A proxy has told where the client is. */
  locate(socket: Socket, address: string): void {
    const waiting = this.#waiting.get(keyOf(socket));
    if (waiting !== undefined) waiting.address = address;
  }

  /** Where the client of a connection is. */
  addressOf(socket: Socket): string {
    return this.#waiting.get(keyOf(socket))?.address ?? '';
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

  #remove(key: string): void {
    clearTimeout(this.#waiting.get(key)?.deadline);
    this.#waiting.delete(key);
  }
}

function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** IPv4 addresses are written as such also where a socket takes both kinds. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

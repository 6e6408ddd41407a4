import type { AddressInfo, Server } from 'node:net';
import type { ListenerOptions } from './listener.ts';

const BACKLOG = 4096;

/** The port of a listener, whichever server is behind it: its bound, its opening and its end. */
export class ServerPort {
  readonly #server: Server;
  readonly #options: ListenerOptions;

  constructor(server: Server, options: ListenerOptions) {
    this.#server = server;
    this.#options = options;
    server.maxConnections = options.connectionsMax;
    server.on('drop', () => options.meter.socketRejected(options.name, 'max_connections'));
  }

  /** Host and port as a URL has them; known after open(). */
  get authority(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Begins to accept; rejects when the port cannot be had. */
  open(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Stops accepting; resolves when the last connection has ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

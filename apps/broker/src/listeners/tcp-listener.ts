import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Transport } from '#libs/broker-core';
import {
  HIGH_WATER_MARK_BYTES,
  LINGER_MS,
  type Listener,
  type ListenerOptions,
} from './listener.ts';

const BACKLOG = 4096;

/** MQTT over TCP. */
export class TcpListener implements Listener {
  readonly name: string;
  readonly #options: ListenerOptions;
  readonly #server: Server;

  constructor(options: ListenerOptions) {
    this.name = options.name;
    this.#options = options;
    const socketOptions = { noDelay: true, highWaterMark: HIGH_WATER_MARK_BYTES };
    this.#server = createServer(socketOptions, (socket) => this.#connected(socket));
    this.#server.maxConnections = options.connectionsMax;
    this.#server.on('drop', () => options.meter.socketRejected(options.name, 'max_connections'));
  }

  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `mqtt://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

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

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #connected(socket: Socket): void {
    const events = this.#options.accept(new TcpTransport(socket, this.name));
    socket.on('data', (chunk) => events.received(chunk));
    socket.on('drain', () => events.drained());
    // An error is followed by close; a half-closed client has nothing more to say.
    socket.on('error', () => undefined);
    socket.on('close', () => events.ended());
  }
}

/** A TCP (or TLS) socket as the core sees it. */
export class TcpTransport implements Transport {
  readonly listener: string;
  readonly remoteAddress: string;
  readonly #socket: Socket;

  constructor(socket: Socket, listener: string) {
    this.#socket = socket;
    this.listener = listener;
    this.remoteAddress = socket.remoteAddress ?? '';
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  send(chunks: readonly Uint8Array[]): void {
    const [first] = chunks;
    if (first === undefined || !this.#socket.writable) return;
    if (chunks.length === 1) {
      this.#socket.write(first);
      return;
    }
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
  }

  hold(held: boolean): void {
    if (held) this.#socket.pause();
    else this.#socket.resume();
  }

  end(): void {
    const socket = this.#socket;
    // What the client still sends is read and dropped: an unread byte would turn the end into a reset.
    socket.resume();
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}

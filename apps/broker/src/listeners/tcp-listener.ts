import { createServer, type Socket } from 'node:net';
import type { Transport } from '#libs/broker-core';
import {
  HIGH_WATER_MARK_BYTES,
  LINGER_MS,
  type Listener,
  type ListenerOptions,
} from './listener.ts';
import { ServerPort } from './server-port.ts';

/** MQTT over TCP. */
export class TcpListener implements Listener {
  readonly name: string;
  readonly #options: ListenerOptions;
  readonly #port: ServerPort;

  constructor(options: ListenerOptions) {
    this.name = options.name;
    this.#options = options;
    const socketOptions = { noDelay: true, highWaterMark: HIGH_WATER_MARK_BYTES };
    const server = createServer(socketOptions, (socket) => this.#connected(socket));
    this.#port = new ServerPort(server, options);
  }

  get address(): string {
    return `mqtt://${this.#port.authority}`;
  }

  open(): Promise<void> {
    return this.#port.open();
  }

  close(): Promise<void> {
    return this.#port.close();
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
    const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(linger));
  }
}

import type { Socket } from 'node:net';
import type { ClientCertificate, Transport } from '#libs/broker-core';
import {
  LINGER_MS,
  type Listener,
  type ListenerCertificate,
  type ListenerOptions,
} from './listener.ts';
import { ServerPort, type Peer } from './server-port.ts';

/** MQTT over TCP, or over TLS. */
export class TcpListener implements Listener {
  readonly name: string;
  readonly #options: ListenerOptions;
  readonly #port: ServerPort;

  constructor(options: ListenerOptions) {
    this.name = options.settings.name;
    this.#options = options;
    this.#port = new ServerPort(options, (socket) => this.#connected(socket));
  }

  get address(): string {
    return `${this.#port.isSecure ? 'mqtts' : 'mqtt'}://${this.#port.authority}`;
  }

  prepare(): Promise<void> {
    return this.#port.prepare();
  }

  open(): Promise<void> {
    return this.#port.open();
  }

  get isOpen(): boolean {
    return this.#port.isOpen;
  }

  bound(connectionsMax: number): void {
    this.#port.bound(connectionsMax);
  }

  pause(): void {
    this.#port.pause();
  }

  close(): Promise<void> {
    return this.#port.close();
  }

  certificates(): readonly ListenerCertificate[] {
    return this.#port.certificates();
  }

  reload(): Promise<void> {
    return this.#port.reload();
  }

  #connected(socket: Socket): void {
    const peer = this.#port.admit(socket);
    if (peer === undefined) return void socket.destroy();
    const events = this.#options.accept(new TcpTransport(socket, this.name, peer));
    socket.on('data', (chunk) => events.received(chunk));
    socket.on('drain', () => events.drained());
    // A half-closed client has nothing more to say.
    socket.on('close', () => events.ended());
  }
}

/** A TCP or TLS socket as the core sees it. */
class TcpTransport implements Transport {
  readonly listener: string;
  readonly remoteAddress: string;
  readonly certificate?: ClientCertificate;
  readonly #socket: Socket;

  constructor(socket: Socket, listener: string, { address, certificate }: Peer) {
    this.#socket = socket;
    this.listener = listener;
    this.remoteAddress = address;
    if (certificate !== undefined) this.certificate = certificate;
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

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '#libs/broker-core';
import { HIGH_WATER_MARK_BYTES, type ListenerOptions } from './listener.ts';
import { Lobby } from './lobby.ts';
import { clientCertificateOf } from './tls/client-certificate.ts';
import { TlsDoor } from './tls/tls-door.ts';

const BACKLOG = 4096;

/** Who is at the other end of a connection, as far as it is known before MQTT. */
export interface Peer {
  readonly address: string;
  readonly certificate?: ClientCertificate;
}

/** The port of a listener, whatever is spoken on it: its bounds, its TLS, its opening and its end. */
export class ServerPort {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #lobby: Lobby;
  readonly #tls: TlsDoor | undefined;

  /** @param arrived - takes a connection whose bytes are the client's; it calls admit() when MQTT begins. */
  constructor(options: ListenerOptions, arrived: (socket: Socket) => void) {
    const { settings, connectTimeoutMs, connectionsMax, meter } = options;
    this.#options = options;
    this.#tls = settings.tls && new TlsDoor(options, settings.tls, arrived);
    const enter = this.#tls === undefined ? arrived : this.#tls.enter.bind(this.#tls);
    this.#lobby = new Lobby(connectTimeoutMs + (settings.tls?.handshakeTimeoutMs ?? 0));
    const socketOptions = { noDelay: true, highWaterMark: HIGH_WATER_MARK_BYTES };
    this.#server = createServer(socketOptions, (socket) => {
      // An error is followed by close.
      socket.on('error', () => undefined);
      this.#lobby.enter(socket);
      enter(socket);
    });
    this.#server.maxConnections = connectionsMax;
    this.#server.on('drop', () => meter.socketRejected(settings.name, 'max_connections'));
  }

  /** Host and port as a URL has them; known after open(). */
  get authority(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Whether it speaks TLS. */
  get isSecure(): boolean {
    return this.#tls !== undefined;
  }

  /** Reads its certificates. @throws ConfigError */
  async prepare(): Promise<void> {
    await this.#tls?.load();
  }

  /** MQTT begins on a connection; undefined when the client has gone meanwhile. */
  admit(socket: Socket): Peer | undefined {
    const address = this.#lobby.leave(socket);
    if (address === undefined) return undefined;
    const certificate = socket instanceof TLSSocket ? clientCertificateOf(socket) : undefined;
    return { address, ...(certificate && { certificate }) };
  }

  /** Begins to accept; rejects when the port cannot be had. */
  open(): Promise<void> {
    const { host, port } = this.#options.settings;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        this.#tls?.watch();
        resolve();
      });
    });
  }

  /** Stops accepting; resolves when the last connection has ended. */
  close(): Promise<void> {
    this.#tls?.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#lobby.close();
    });
  }
}

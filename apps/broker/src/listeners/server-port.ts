import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { AddressRange } from '#libs/access';
import type { ClientCertificate } from '#libs/broker-core';
import type { SocketRejection } from '#libs/broker-ports';
import { ConnectRates } from './connect-rates.ts';
import {
  HIGH_WATER_MARK_BYTES,
  type ListenerCertificate,
  type ListenerOptions,
} from './listener.ts';
import { Lobby, peerOf } from './lobby.ts';
import { ProxyDoor } from './proxy-door.ts';
import { Refusals } from './refusals.ts';
import { clientCertificateOf } from './tls/client-certificate.ts';
import { TlsDoor } from './tls/tls-door.ts';

const BACKLOG = 4096;

/**
 * After so long without a byte the system asks whether the other end is still there: also a client without a keep-alive is noticed when it has
 * gone without a word, and balancers keep what is silent.
 */
const TCP_KEEP_ALIVE_MS = 60_000;

/** Who is at the other end of a connection, as far as it is known before MQTT. */
export interface Peer {
  readonly address: string;
  readonly certificate?: ClientCertificate;
}

/** The port of a listener, whatever is spoken on it: its bounds, its proxies, its TLS, its opening and its end. */
export class ServerPort {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #lobby: Lobby;
  readonly #refusals: Refusals;
  readonly #rates: ConnectRates;
  readonly #proxies: ProxyDoor | undefined;
  readonly #tls: TlsDoor | undefined;
  /** Takes a connection whose bytes are the client's, to TLS or to whom they are for. */
  readonly #begin: (socket: Socket) => void;
  /** Where it listened last. */
  #authority: string;

  /** @param arrived - takes a connection that is secure where it has to be; it calls admit() when MQTT begins. */
  constructor(options: ListenerOptions, arrived: (socket: Socket) => void) {
    const { settings, limits, connectionsMax } = options;
    this.#options = options;
    this.#authority = authorityOf(settings.host, settings.port);
    this.#refusals = new Refusals(settings.name, options);
    this.#rates = new ConnectRates(settings, performance.now());
    const tls = settings.tls && new TlsDoor(options, settings.tls, arrived);
    this.#tls = tls;
    this.#begin = tls === undefined ? arrived : (socket) => tls.enter(socket);
    this.#proxies = settings.proxyProtocol === 'required' ? this.#openProxies() : undefined;
    const handshakeMs = settings.tls?.handshakeTimeoutMs ?? 0;
    const deadlineMs = (): number => limits.connectTimeoutMs + handshakeMs;
    this.#lobby = new Lobby(deadlineMs, (socket, address) => {
      this.#refusals.add('timeout', address);
      socket.destroy();
    });
    const socketOptions = {
      ...{ noDelay: true, highWaterMark: HIGH_WATER_MARK_BYTES },
      ...{ keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
    };
    this.#server = createServer(socketOptions, (socket) => this.#connected(socket));
    this.#server.maxConnections = connectionsMax;
    this.#server.on('drop', (peer) => {
      this.#refusals.add('max_connections', peer?.remoteAddress ?? '');
    });
  }

  /** Host and port as a URL has them; a port that the system chooses is known after open(). */
  get authority(): string {
    return this.#authority;
  }

  /** Whether it accepts. */
  get isOpen(): boolean {
    return this.#server.listening;
  }

  /** Has another bound on connections that are open at once. */
  bound(connectionsMax: number): void {
    this.#server.maxConnections = connectionsMax;
  }

  /** Whether it speaks TLS. */
  get isSecure(): boolean {
    return this.#tls !== undefined;
  }

  /** Reads its certificates. @throws ConfigError */
  async prepare(): Promise<void> {
    await this.#tls?.load();
  }

  /** What it shows to clients; none without TLS. */
  certificates(): readonly ListenerCertificate[] {
    return this.#tls?.certificates() ?? [];
  }

  /** Reads its certificates anew. @throws ConfigError */
  async reload(): Promise<void> {
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
        const { address, port: chosen } = this.#server.address() as AddressInfo;
        this.#authority = authorityOf(address, chosen);
        this.#tls?.watch();
        resolve();
      });
    });
  }

  /** Stops accepting; connections go on. */
  pause(): void {
    this.#tls?.close();
    this.#refusals.close();
    if (this.#server.listening) this.#server.close();
    this.#lobby.close();
  }

  /** Stops accepting; resolves when the last connection has ended. */
  close(): Promise<void> {
    this.pause();
    return new Promise((resolve) => {
      this.#server.once('close', resolve);
      // A server that has stopped before, or never listened, says nothing more when it has no connection.
      this.#server.getConnections((_error, count) => {
        if (!count) resolve();
      });
    });
  }

  #connected(socket: Socket): void {
    // An error is followed by close.
    socket.on('error', () => undefined);
    const address = peerOf(socket);
    if (this.#proxies === undefined && this.#isOneTooMany(socket, address)) return;
    this.#lobby.enter(socket, address);
    if (this.#proxies === undefined) this.#begin(socket);
    else this.#proxies.enter(socket);
  }

  #isOneTooMany(socket: Socket, address: string): boolean {
    const reason = this.#rates.refusalOf(address, performance.now());
    if (reason !== undefined) this.#refuse(socket, reason, address);
    return reason !== undefined;
  }

  #openProxies(): ProxyDoor {
    const trusted = this.#options.settings.proxyFrom.flatMap((network) => {
      return AddressRange.parse(network) ?? [];
    });
    return new ProxyDoor(trusted, {
      passed: (socket, address = peerOf(socket)) => {
        if (this.#isOneTooMany(socket, address)) return;
        this.#lobby.locate(socket, address);
        this.#begin(socket);
      },
      refused: (socket, reason) => this.#refuse(socket, reason, peerOf(socket)),
    });
  }

  /** Whoever is refused gets a reset: nothing of the connection is left behind in the system. */
  #refuse(socket: Socket, reason: SocketRejection, address: string): void {
    this.#refusals.add(reason, address);
    socket.resetAndDestroy();
  }
}

function authorityOf(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

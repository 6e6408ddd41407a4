import type { Socket } from 'node:net';
import { createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import type { ListenerCertificate, ListenerOptions } from '../listener.ts';
import { readTlsFiles, stampOf, type TlsMaterial, type TlsSettings } from './tls-files.ts';

const LOOK_MS = 2_000;
/** Tickets are kept apart by their keys; OpenSSL wants a context besides where clients have certificates. */
const SESSION_CONTEXT = 'skein';

/**
 * Where the streams of a listener become secure: handshakes, certificates and the tickets that shorten the next handshake.
 *
 * @remarks Files are looked at every few seconds and taken up for new connections; those that are open go on. Files that cannot
 * be used change nothing but the log.
 */
export class TlsDoor {
  readonly #options: ListenerOptions;
  readonly #settings: TlsSettings;
  readonly #server: Server;
  #material: TlsMaterial | undefined;
  #period = 0;
  #stamp = '';
  /** Of files that could not be used, and whether that was told. */
  #refused = { stamp: '', told: false };
  #watcher: NodeJS.Timeout | undefined;
  #looking = false;

  /** @param passed - takes a stream when its handshake is done. */
  constructor(
    options: ListenerOptions,
    settings: TlsSettings,
    passed: (socket: TLSSocket) => void,
  ) {
    this.#options = options;
    this.#settings = settings;
    const { clientCertificate, handshakeTimeoutMs } = settings;
    this.#server = createServer({
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: clientCertificate !== 'none',
      rejectUnauthorized: clientCertificate === 'require',
      SNICallback: (name, done) => done(null, this.#contextOf(name)),
    });
    const { meter, settings: listener } = options;
    this.#server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      const isHeld = isRefused(socket);
      meter.tlsHandshake(listener.name, isHeld ? 'error' : 'ok', socket.isSessionReused());
      if (isHeld) return this.#reject(socket);
      // A client could keep the node busy with new handshakes on one connection.
      socket.disableRenegotiation();
      passed(socket);
    });
    this.#server.on('tlsClientError', (_error, socket) => {
      meter.tlsHandshake(listener.name, 'error', false);
      this.#reject(socket);
    });
  }

  /** What it shows to clients. */
  certificates(): readonly ListenerCertificate[] {
    return this.#material?.certificates ?? [];
  }

  /**
   * Reads the files, for the first time or anew.
   *
   * @throws ConfigError naming the file that cannot be used.
   */
  async load(): Promise<void> {
    const stamp = await stampOf(this.#settings);
    this.#adopt(await readTlsFiles(this.#field, this.#settings), stamp);
  }

  /** Looks at the files, and at the clock for the tickets, from now on. */
  watch(): void {
    clearInterval(this.#watcher);
    this.#watcher = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** Begins the handshake on a connection. */
  enter(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /** Looks at the files no more. */
  close(): void {
    clearInterval(this.#watcher);
  }

  /**
   * Takes up files that have changed, and the ticket keys of a new period.
   *
   * @remarks Files are replaced one after the other, so what cannot be used is told when it has not changed until the next look.
   *
   * @internal
   */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const stamp = await stampOf(this.#settings);
      if (stamp !== this.#stamp && !(stamp === this.#refused.stamp && this.#refused.told)) {
        await this.#reload(stamp);
      }
      this.#rotate();
    } finally {
      this.#looking = false;
    }
  }

  get #field(): string {
    return `listeners.${this.#options.settings.name}.tls`;
  }

  async #reload(stamp: string): Promise<void> {
    const { log, settings } = this.#options;
    try {
      this.#adopt(await readTlsFiles(this.#field, this.#settings), stamp);
      log.info('tls-reloaded', { listener: settings.name, certificateUntil: this.#until() });
    } catch (error) {
      const told = stamp === this.#refused.stamp;
      this.#refused = { stamp, told };
      if (!told) return;
      const { message } = error as Error;
      log.error('tls-not-reloaded', { listener: settings.name, fault: message });
    }
  }

  #until(): string {
    return new Date(this.#material?.notAfterMs ?? 0).toISOString();
  }

  #adopt(material: TlsMaterial, stamp: string): void {
    const { tickets, settings, meter } = this.#options;
    this.#material = material;
    this.#stamp = stamp;
    this.#refused = { stamp: '', told: false };
    this.#period = tickets.periodAt(Date.now());
    this.#server.setSecureContext({
      ...material.options,
      sessionIdContext: SESSION_CONTEXT,
      sessionTimeout: tickets.periodSeconds,
      ticketKeys: this.#ticketKeys(material),
    });
    meter.certificateUntil(settings.name, material.notAfterMs / 1_000);
  }

  #rotate(): void {
    const period = this.#options.tickets.periodAt(Date.now());
    if (this.#material === undefined || period === this.#period) return;
    this.#period = period;
    this.#server.setTicketKeys(this.#ticketKeys(this.#material));
  }

  /** A ticket holds for one listener, and for whom it trusts: a client that was let in once does not come around a new CRL. */
  #ticketKeys({ trust }: TlsMaterial): Buffer {
    const { tickets, settings } = this.#options;
    return tickets.keysOf(this.#period, `${settings.name} ${trust}`);
  }

  #contextOf(name: string): SecureContext | undefined {
    const byName = this.#material?.byName;
    const asked = name.toLowerCase();
    return byName?.get(asked) ?? byName?.get(asked.replace(/^[^.]*/, '*'));
  }

  #reject(socket: TLSSocket): void {
    this.#options.meter.socketRejected(this.#options.settings.name, 'tls_error');
    socket.destroy();
  }
}

/** Whether the client has shown a certificate that does not hold, or no longer does since the ticket was made. */
function isRefused(socket: TLSSocket): boolean {
  const { valid_to } = socket.getPeerCertificate();
  return valid_to !== undefined && (!socket.authorized || Date.parse(valid_to) <= Date.now());
}

import type { Socket } from 'node:net';
import type { AddressRange } from '#libs/access';
import { readProxyHeader } from './proxy-header.ts';

/** How a connection fared that must begin with the header of a proxy. */
export interface ProxyEvents {
  /** The bytes from here on are the client's. @param address - undefined where the connection is the proxy's own. */
  passed(socket: Socket, address: string | undefined): void;
  refused(socket: Socket, reason: 'proxy_untrusted' | 'proxy_header'): void;
}

/**
 * Where a listener learns from a proxy who the client is, before anything else is read.
 *
 * @remarks Only trusted peers may tell; the header is required of them, never guessed.
 */
export class ProxyDoor {
  readonly #trusted: readonly AddressRange[];
  readonly #events: ProxyEvents;

  constructor(trusted: readonly AddressRange[], events: ProxyEvents) {
    this.#trusted = trusted;
    this.#events = events;
  }

  /** Reads the header, if the peer is one that may send it. */
  enter(socket: Socket): void {
    const peer = socket.remoteAddress ?? '';
    if (!this.#trusted.some((range) => range.has(peer))) {
      return this.#events.refused(socket, 'proxy_untrusted');
    }
    let begun: Buffer = Buffer.alloc(0);
    // Reading by hand leaves what follows the header in the socket, whoever reads it next: MQTT, HTTP or TLS.
    const read = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      begun = begun.length === 0 ? chunk : Buffer.concat([begun, chunk]);
      const header = readProxyHeader(begun);
      if (header.kind === 'partial') return;
      socket.off('readable', read);
      if (header.kind === 'faulty') return this.#events.refused(socket, 'proxy_header');
      if (begun.length > header.bytes) socket.unshift(begun.subarray(header.bytes));
      this.#events.passed(socket, header.address);
    };
    socket.on('readable', read);
  }
}

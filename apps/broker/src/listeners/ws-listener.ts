import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { ClientCertificate, Transport } from '#libs/broker-core';
import {
  LINGER_MS,
  type Listener,
  type ListenerCertificate,
  type ListenerOptions,
} from './listener.ts';
import { ServerPort, type Peer } from './server-port.ts';

const CLOSE_UNSUPPORTED_DATA = 1003;

/** What a WebSocket listener needs besides. */
export interface WsListenerOptions extends ListenerOptions {
  readonly path: string;
}

/** MQTT over WebSocket, with or without TLS (MQTT 5, section 6): binary messages, subprotocol `mqtt`. */
export class WsListener implements Listener {
  readonly name: string;
  readonly #options: WsListenerOptions;
  readonly #server: Server;
  readonly #port: ServerPort;
  readonly #sockets: WebSocketServer;

  constructor(options: WsListenerOptions) {
    this.name = options.settings.name;
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (offered) => offered.has('mqtt') && 'mqtt',
    });
    this.#server = createServer((_request, response) => {
      response.writeHead(404, { 'content-type': 'text/plain', connection: 'close' });
      response.end(`MQTT over WebSocket is at ${options.path}\n`);
    });
    this.#port = new ServerPort(options, (socket) => this.#server.emit('connection', socket));
    this.#server.on('upgrade', (request, stream, head) => {
      this.#upgrade(request, stream as Socket, head);
    });
  }

  get address(): string {
    return `${this.#port.isSecure ? 'wss' : 'ws'}://${this.#port.authority}${this.#options.path}`;
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

  #upgrade(request: IncomingMessage, stream: Socket, head: Buffer): void {
    stream.on('error', () => undefined);
    const refusal = refusalOf(request, this.#options.path);
    if (refusal !== undefined) {
      stream.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    // Read for each connection that is made.
    this.#sockets.options.maxPayload = this.#options.limits.packetBytesMax;
    this.#sockets.handleUpgrade(request, stream, head, (socket) => {
      const peer = this.#port.admit(stream);
      if (peer === undefined) return socket.terminate();
      this.#connected(socket, stream, peer);
    });
  }

  #connected(socket: WebSocket, stream: Socket, peer: Peer): void {
    const { unauthenticatedBytesMax } = this.#options.limits;
    const own = { ...peer, listener: this.name, unauthenticatedBytesMax };
    const transport = new WsTransport(socket, stream, own);
    const events = this.#options.accept(transport);
    socket.on('message', (data: RawData, isBinary) => {
      if (isBinary) {
        const chunk = Buffer.isBuffer(data) ? data : Buffer.concat([data].flat() as Uint8Array[]);
        return events.received(chunk);
      }
      // [MQTT-6.0.0-1]: MQTT is carried in binary messages only. Those that follow before the peer closes count no more.
      transport.end(CLOSE_UNSUPPORTED_DATA);
      events.ended();
    });
    stream.on('drain', () => events.drained());
    socket.on('error', () => undefined);
    socket.on('close', () => events.ended());
  }
}

/** [MQTT-6.0.0-3]: the client must offer the subprotocol `mqtt`. */
function refusalOf(request: IncomingMessage, path: string): string | undefined {
  if (request.url?.split('?', 1)[0] !== path) return '404 Not Found';
  const offered = request.headers['sec-websocket-protocol']?.split(',') ?? [];
  return offered.some((name) => name.trim() === 'mqtt') ? undefined : '400 Bad Request';
}

class WsTransport implements Transport {
  readonly listener: string;
  readonly remoteAddress: string;
  readonly certificate?: ClientCertificate;
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  /** Ends what bounds messages as long as the client is not known. */
  readonly #unbound: () => void;

  constructor(
    socket: WebSocket,
    stream: Socket,
    own: Peer & { readonly listener: string; readonly unauthenticatedBytesMax: number },
  ) {
    this.#socket = socket;
    this.#stream = stream;
    this.listener = own.listener;
    this.remoteAddress = own.address;
    if (own.certificate !== undefined) this.certificate = own.certificate;
    this.#unbound = boundMessages(socket, stream, own.unauthenticatedBytesMax);
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  send(chunks: readonly Uint8Array[]): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#stream.cork();
    for (const chunk of chunks) this.#socket.send(chunk);
    this.#stream.uncork();
  }

  hold(held: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (held) this.#socket.pause();
    else this.#socket.resume();
  }

  authenticated(): void {
    this.#unbound();
  }

  end(code?: number): void {
    const socket = this.#socket;
    // The peer's answer is to be read, even if its packets were not.
    socket.resume();
    socket.close(code);
    const linger = setTimeout(() => socket.terminate(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(linger));
  }
}

/**
 * Cuts a connection off when a message that has not come to its end is longer than it may be: it is collected here, where the
 * core does not see it.
 *
 * @returns a function that ends the bound.
 */
function boundMessages(socket: WebSocket, stream: Socket, bytesMax: number): () => void {
  let bytes = 0;
  let hasEnded = false;
  const ended = (): void => {
    hasEnded = true;
  };
  // Called after the WebSocket has taken the chunk.
  const count = (chunk: Buffer): void => {
    bytes = hasEnded ? 0 : bytes + chunk.length;
    hasEnded = false;
    if (bytes > bytesMax) socket.terminate();
  };
  socket.on('message', ended);
  stream.on('data', count);
  return () => {
    socket.off('message', ended);
    stream.off('data', count);
  };
}

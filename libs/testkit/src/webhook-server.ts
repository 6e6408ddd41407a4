import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

/** A POST that the server has read to its end. */
export interface PostedRequest {
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Buffer;
}

/**
 * How a POST is answered; one that gets a 2xx is stored.
 *
 * @remarks `hang`: never. `drop`: the connection ends. `keep-and-drop`: the request is stored, and the connection ends.
 */
export type WebhookAnswer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | 'hang'
  | 'drop'
  | 'keep-and-drop';

/** A real HTTP server that takes POSTs as a test tells it to. */
export class WebhookServer {
  /** What it has stored, in order. */
  readonly stored: PostedRequest[] = [];
  /** POSTs that came, whatever became of them. */
  posts = 0;
  /** Decides what becomes of a POST. */
  answer: (request: PostedRequest) => WebhookAnswer = () => ({ status: 204 });
  /** Decides what becomes of a request by its head, before its body is read; undefined reads it. */
  refuse: (request: IncomingMessage) => number | undefined = () => undefined;
  readonly #tls: https.ServerOptions | undefined;
  #server: http.Server | https.Server | undefined;
  #port = 0;

  constructor(tls?: https.ServerOptions) {
    this.#tls = tls;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, on the same port as before; what is stored stays. */
  async start(): Promise<void> {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#serve(request, response);
    };
    const server =
      this.#tls === undefined
        ? http.createServer(listener)
        : https.createServer(this.#tls, listener);
    this.#server = server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Ends every connection and listens no more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.refuse(request);
    if (refusal !== undefined) {
      request.resume();
      response.writeHead(refusal).end();
      return;
    }
    const body = await bodyOf(request);
    if (body === undefined) return;
    if (request.method !== 'POST') {
      response.writeHead(405).end();
      return;
    }
    this.posts += 1;
    const posted = { path: request.url ?? '', headers: headersOf(request), body };
    const answer = this.answer(posted);
    if (answer === 'hang') return;
    const kept =
      answer === 'keep-and-drop' ||
      (answer !== 'drop' && answer.status >= 200 && answer.status < 300);
    if (kept) this.stored.push(posted);
    if (typeof answer === 'string') request.socket.destroy();
    else response.writeHead(answer.status, answer.headers).end(answer.body);
  }
}

/** Starts a server on a free loopback port. */
export async function startWebhookServer(tls?: https.ServerOptions): Promise<WebhookServer> {
  const server = new WebhookServer(tls);
  await server.start();
  return server;
}

/** Undefined when the connection ended before. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage): PostedRequest['headers'] {
  return Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, values]) => [name, values ?? []]),
  );
}

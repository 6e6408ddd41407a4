import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '#libs/broker-ports';

/** The checks of a probe: name to `ok`, or to why not. */
export type Health = Readonly<Record<string, string>>;

/** A scrape. */
export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

/** What the ops port shows. Liveness needs no check: a process that answers is alive. */
export interface OpsServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Renders the metrics in the format that the scraper's Accept header asks for. */
  readonly metrics: (accept: string) => Promise<MetricsPage>;
  /** Whether work may be sent here. */
  readonly ready: () => Health | Promise<Health>;
  /** Whether the start is over. */
  readonly started: () => Health | Promise<Health>;
  readonly log: Log;
}

/** Serves `/metrics` and `/healthz/live|ready|startup` of a process, without credentials. */
export class OpsServer {
  readonly #options: OpsServerOptions;
  readonly #server: Server;

  constructor(options: OpsServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.log.error('ops-request-failed', { message: String(error) });
        send(response, 500, { contentType: 'text/plain', body: 'internal error\n' });
      });
    });
  }

  /** Begins to listen; rejects when the port cannot be had. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and drops open connections. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(response, 405, { contentType: 'text/plain', body: 'method not allowed\n' });
    }
    switch (request.url?.split('?', 1)[0] ?? '') {
      case '/metrics':
        return send(response, 200, await this.#options.metrics(request.headers.accept ?? ''));
      case '/healthz/live':
        return sendHealth(response, {});
      case '/healthz/ready':
        return sendHealth(response, await this.#options.ready());
      case '/healthz/startup':
        return sendHealth(response, await this.#options.started());
      default:
        return send(response, 404, { contentType: 'text/plain', body: 'not found\n' });
    }
  }
}

function sendHealth(response: ServerResponse, checks: Health): void {
  const healthy = Object.values(checks).every((state) => state === 'ok');
  const body = JSON.stringify({ status: healthy ? 'ok' : 'unavailable', checks });
  send(response, healthy ? 200 : 503, { contentType: 'application/json', body: `${body}\n` });
}

function send(response: ServerResponse, status: number, page: MetricsPage): void {
  response.writeHead(status, { 'content-type': page.contentType, 'cache-control': 'no-store' });
  response.end(page.body);
}

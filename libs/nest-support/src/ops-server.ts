import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '#libs/broker-ports';

/** The checks of a probe: name to `ok`, to `ok, ` and a remark, or to why not. */
export type Health = Readonly<Record<string, string>>;

/** Whether a check says that all is well. */
export function isHealthy(state: string): boolean {
  return state === 'ok' || state.startsWith('ok, ');
}

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
  /** Renders what a scrape must not hold, by the query of the address; undefined when there is nothing by it. Without, no such page is served. */
  readonly detailed?: (query: URLSearchParams, accept: string) => Promise<MetricsPage | undefined>;
  /** Whether work may be sent here. */
  readonly ready: () => Health | Promise<Health>;
  /** Whether the start is over. */
  readonly started: () => Health | Promise<Health>;
  readonly log: Log;
}

/**
 * Serves `/metrics` and `/healthz/live|ready|startup` of a process, without credentials; with `?verbose` a probe tells since when each of its
 * checks has been as it is, as far as the probe was asked, and how long they took.
 */
export class OpsServer {
  readonly #options: OpsServerOptions;
  readonly #server: Server;
  readonly #seen = new Map<string, { readonly state: string; readonly since: string }>();

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
    const [path = '', query = ''] = request.url?.split('?', 2) ?? [];
    const parameters = new URLSearchParams(query);
    const isVerbose = parameters.has('verbose');
    const { accept = '' } = request.headers;
    switch (path) {
      case '/metrics':
        return send(response, 200, await this.#options.metrics(accept));
      case '/metrics/detailed':
        return sendDetails(response, await this.#options.detailed?.(parameters, accept));
      case '/healthz/live':
        return sendHealth(response, {});
      case '/healthz/ready':
        return await this.#probe(response, this.#options.ready, isVerbose);
      case '/healthz/startup':
        return await this.#probe(response, this.#options.started, isVerbose);
      default:
        return send(response, 404, { contentType: 'text/plain', body: 'not found\n' });
    }
  }

  async #probe(
    response: ServerResponse,
    ask: OpsServerOptions['ready'],
    isVerbose: boolean,
  ): Promise<void> {
    const begunMs = performance.now();
    const health = await ask();
    const latency = Math.round((performance.now() - begunMs) * 1_000) / 1_000;
    const shown = Object.entries(health).map(([name, state]) => [
      name,
      { state, since: this.#sinceOf(name, state), latency_ms: latency },
    ]);
    sendHealth(response, health, isVerbose ? Object.fromEntries(shown) : health);
  }

  #sinceOf(name: string, state: string): string {
    const before = this.#seen.get(name);
    if (before?.state === state) return before.since;
    const since = new Date().toISOString();
    this.#seen.set(name, { state, since });
    return since;
  }
}

function sendDetails(response: ServerResponse, page: MetricsPage | undefined): void {
  const absent = {
    contentType: 'text/plain',
    body: 'nothing here: a node answers /metrics/detailed?family=sessions&client_id=ID for a session that it has\n',
  };
  send(response, page === undefined ? 404 : 200, page ?? absent);
}

function sendHealth(response: ServerResponse, health: Health, shown: object = health): void {
  const healthy = Object.values(health).every(isHealthy);
  const body = JSON.stringify({ status: healthy ? 'ok' : 'unavailable', checks: shown });
  send(response, healthy ? 200 : 503, { contentType: 'application/json', body: `${body}\n` });
}

function send(response: ServerResponse, status: number, page: MetricsPage): void {
  response.writeHead(status, { 'content-type': page.contentType, 'cache-control': 'no-store' });
  response.end(page.body);
}

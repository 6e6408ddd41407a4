import http, {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { SinkError, type Endpoint } from '#libs/bridge';
import type { WebhookConnector } from '#libs/broker-ports';
import { readAccess, type HttpAccess, type ReadSecret } from './http-access.ts';
import { answerOf, type HttpAnswer } from './http-answer.ts';
import { requestPath } from './webhook-path.ts';

/** A request to the endpoint of a connector. */
export interface HttpRequest {
  readonly method: 'HEAD' | 'POST';
  /** Behind the path of the URL. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** An answer is read for its status; one with a longer body ends its connection. */
const ANSWER_BYTES_MAX = 65_536;

/**
 * A client of one rule for the endpoint of its connector, on kept connections.
 *
 * @remarks On node:http and not on fetch: that takes neither certificates nor a number of connections without the undici
 * package, and costs more per request. No redirect is followed: a payload goes nowhere but where the configuration says.
 */
export class HttpClient {
  readonly #connector: WebhookConnector;
  readonly #readSecret: ReadSecret;
  readonly #agents: { readonly plain: http.Agent; readonly secure: https.Agent };
  readonly #underWay = new Set<ClientRequest>();
  #access: HttpAccess | undefined;
  #closed = false;

  constructor(connector: WebhookConnector, readSecret: ReadSecret) {
    this.#connector = connector;
    this.#readSecret = readSecret;
    const options = { keepAlive: true };
    this.#agents = { plain: new http.Agent(options), secure: new https.Agent(options) };
  }

  /** @throws SinkError UNAVAILABLE when there is no answer in time. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    try {
      const access = (this.#access ??= readAccess(this.#connector, this.#readSecret));
      const answer = answerOf(await this.#exchange(request, access));
      if (answer.status === 401 || answer.status === 403) this.#access = undefined;
      return answer;
    } catch (error) {
      // Secrets are read again: they may have been replaced.
      this.#access = undefined;
      if (error instanceof SinkError) throw error;
      throw new SinkError('UNAVAILABLE', textOf(error));
    }
  }

  /** @throws Error when a secret or a file cannot be read. */
  endpoint(): Endpoint {
    const { url, options } = readAccess(this.#connector, this.#readSecret);
    const { hostname: host, ca } = options;
    const secure = url.protocol === 'https:';
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    return {
      host,
      port: Number(url.port) || (secure ? 443 : 80),
      tls: secure ? () => ({ ...name, ...(ca === undefined ? {} : { ca }) }) : undefined,
    };
  }

  /** Ends every request under way. */
  close(): void {
    this.#closed = true;
    for (const request of this.#underWay) request.destroy(new Error('the sink is closed'));
    this.#agents.plain.destroy();
    this.#agents.secure.destroy();
  }

  #exchange(
    { method, path, headers, body }: HttpRequest,
    access: HttpAccess,
  ): Promise<IncomingMessage> {
    const { timeoutMs } = this.#connector;
    const secure = access.url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error('the sink is closed');
      const request = (secure ? https : http).request({
        ...access.options,
        agent: secure ? this.#agents.secure : this.#agents.plain,
        method,
        path: requestPath(access.url, path),
        headers: { ...headers, ...access.headers, 'content-length': body.length },
      });
      this.#underWay.add(request);
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      let response: IncomingMessage | undefined;
      let failure: unknown;
      request.once('response', (begun) => {
        response = begun;
        drain(begun, request);
      });
      request.on('error', (error) => (failure ??= error));
      // After an answer's end, when the connection is free for the next request, or after an error.
      request.once('close', () => {
        clearTimeout(timer);
        this.#underWay.delete(request);
        if (response === undefined) reject(failure ?? new Error('the connection was closed'));
        else resolve(response);
      });
      request.end(body);
    });
  }
}

/** Reads an answer to its end, as far as that is worth it. */
function drain(response: IncomingMessage, request: ClientRequest): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) request.destroy();
  });
  // The status has come: that the rest got lost changes nothing.
  response.on('error', () => undefined);
  response.once('end', () => {
    // Refused before it was read.
    if (!request.writableFinished) request.destroy();
  });
}

/** A connection that was refused at several addresses has no message of its own. */
function textOf(error: unknown): string {
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
  return String(message || code);
}

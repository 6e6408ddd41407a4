import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Where to post, and how. */
export interface WebhookEndpoint {
  readonly url: URL;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly ca: string | undefined;
  /** Whether the endpoint may be at the machine itself or in a private network. */
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  /** Looks names up. @defaultValue as the machine does */
  readonly lookup?: typeof lookup;
}

/** What is posted. */
export interface WebhookPost {
  /** JSON. */
  readonly body: string;
  /** Besides those that say what the body is, secrets included. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Whether only the status counts: an answer is then never too long, and its text not kept. */
  readonly statusOnly?: boolean | undefined;
}

/** What came back. */
export interface WebhookReply {
  readonly status: number;
  /** The header of that name. */
  readonly retryAfter?: string;
  readonly text: string;
}

interface Sent {
  /** Undefined: a GET. */
  readonly body?: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly signal?: AbortSignal | undefined;
  readonly statusOnly?: boolean | undefined;
}

type LookupDone = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

const REPLY_BYTES_MAX = 65_536;
const DOCUMENT_BYTES_MAX = 1_048_576;

/**
 * Posts JSON to one URL, on kept connections.
 *
 * @remarks No redirect is followed. Addresses are looked at when they are connected to, so a name that means another address than a moment
 * before leads nowhere else. Proxies of the environment are not used.
 */
export class WebhookClient {
  readonly #endpoint: WebhookEndpoint;
  readonly #agent: http.Agent | https.Agent;
  readonly #isSecure: boolean;

  constructor(endpoint: WebhookEndpoint) {
    this.#endpoint = endpoint;
    this.#isSecure = endpoint.url.protocol === 'https:';
    const options = { keepAlive: true };
    this.#agent = this.#isSecure ? new https.Agent(options) : new http.Agent(options);
  }

  /** Ends the connections that are kept. */
  close(): void {
    this.#agent.destroy();
  }

  /** Rejects when there is no whole answer in time, or the endpoint is where it may not be. */
  async post({ body, headers, signal, statusOnly }: WebhookPost): Promise<WebhookReply> {
    const sent = {
      ...{ 'content-type': 'application/json', ...headers },
      'content-length': Buffer.byteLength(body),
    };
    return await this.#exchange({ body, headers: sent, signal, statusOnly });
  }

  /** Reads a document, as post() posts. */
  async get(): Promise<WebhookReply> {
    return await this.#exchange({ headers: {} });
  }

  async #exchange({ body, headers, signal, statusOnly = false }: Sent): Promise<WebhookReply> {
    const { url, ca, allowPrivate, timeoutMs } = this.#endpoint;
    const bytesMax = body === undefined ? DOCUMENT_BYTES_MAX : REPLY_BYTES_MAX;
    // Brackets around an IPv6 address belong to the URL.
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
    // An address is not looked up.
    if (!allowPrivate && net.isIP(hostname) !== 0) throwUnlessPublic(hostname);
    const request = (this.#isSecure ? https : http).request({
      hostname,
      port: url.port,
      path: `${url.pathname}${url.search}`,
      method: body === undefined ? 'GET' : 'POST',
      agent: this.#agent,
      headers: { accept: 'application/json', ...headers },
      ...(ca !== undefined && { ca }),
      ...(signal !== undefined && { signal }),
      ...(!allowPrivate && { lookup: publicLookup(this.#endpoint.lookup ?? lookup) }),
    });
    const timer = setTimeout(() => {
      request.destroy(new Error(`no answer within ${String(timeoutMs)} ms`));
    }, timeoutMs);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('error', reject);
        request.once('close', () => reject(new Error('the connection was closed')));
        request.once('response', resolve);
        request.end(body);
      });
      const retryAfter = response.headers['retry-after'];
      return {
        status: response.statusCode ?? 0,
        ...(retryAfter !== undefined && { retryAfter }),
        text: statusOnly ? await drained(response) : await readText(response, bytesMax),
      };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Reads an answer to its end, as far as that is worth it; what becomes of the rest changes nothing. */
async function drained(response: IncomingMessage): Promise<string> {
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > REPLY_BYTES_MAX) break;
    }
  } catch {
    // The status has come.
  }
  return '';
}

/** Reads an answer; a longer one ends its connection. */
async function readText(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > bytesMax) throw new Error('the answer is too long');
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Looks up names whose every address has to be one of the internet. */
function publicLookup(find: typeof lookup) {
  return (hostname: string, options: LookupOptions, done: LookupDone): void => {
    find(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, []);
      try {
        for (const { address } of addresses) throwUnlessPublic(address);
      } catch (refusal) {
        return done(refusal as Error, []);
      }
      if (options.all === true) return done(null, addresses);
      const [first] = addresses;
      done(null, first?.address ?? '', first?.family);
    });
  };
}

function throwUnlessPublic(address: string): void {
  if (isPublicAddress(address)) return;
  throw new Error(`${address} is no address of the internet, and others are not allowed`);
}

import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Where to post, and how. */
export interface WebhookEndpoint {
  readonly url: URL;
  /** Headers of every request, secrets included, as they are now. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly ca: string | undefined;
  /** Whether the endpoint may be at the machine itself or in a private network. */
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
}

/** What came back. */
export interface WebhookReply {
  readonly status: number;
  readonly text: string;
}

type LookupDone = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

const REPLY_BYTES_MAX = 65_536;

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

  /** Rejects when there is no whole answer in time, or the endpoint is where it may not be. */
  async post(body: string): Promise<WebhookReply> {
    const { url, headers, ca, allowPrivate, timeoutMs } = this.#endpoint;
    // Brackets around an IPv6 address belong to the URL.
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
    // An address is not looked up.
    if (!allowPrivate && net.isIP(hostname) !== 0) throwUnlessPublic(hostname);
    const request = (this.#isSecure ? https : http).request({
      hostname,
      port: url.port,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      agent: this.#agent,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...headers(),
        'content-length': Buffer.byteLength(body),
      },
      ...(ca !== undefined && { ca }),
      ...(!allowPrivate && { lookup: publicLookup }),
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
      return { status: response.statusCode ?? 0, text: await readText(response) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Reads an answer; a longer one ends its connection. */
async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > REPLY_BYTES_MAX) throw new Error('the answer is too long');
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Looks up a name whose every address has to be one of the internet. */
function publicLookup(hostname: string, options: LookupOptions, done: LookupDone): void {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
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
}

function throwUnlessPublic(address: string): void {
  if (isPublicAddress(address)) return;
  throw new Error(`${address} is no address of the internet, and allowPrivate is false`);
}

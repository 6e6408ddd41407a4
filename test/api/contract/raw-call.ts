import { Agent, request as httpRequest } from 'node:http';
import type { Exchanged } from './contract-check.ts';

/** A request as it goes out; nothing of it is made nicer on the way. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

const DEADLINE_MS = 30_000;
const STREAM_TYPE = 'text/event-stream';

/** Sends requests that libraries would not: `..` in paths, doubled headers, broken bodies. */
export class RawCaller {
  readonly #origin: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(origin: string) {
    this.#origin = new URL(origin);
  }

  /** Sends one and reads its answer to the end; of a stream the head alone. */
  send({ method, target, headers, body }: RawRequest): Promise<Exchanged> {
    const { hostname, port } = this.#origin;
    return new Promise((resolve, reject) => {
      const own = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const sent = httpRequest({
        ...{ agent: this.#agent, hostname, port, method, path: target },
        ...{ headers: { ...own, ...headers }, timeout: DEADLINE_MS, maxHeaderSize: 1024 * 1024 },
      });
      sent.once('error', reject);
      sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.once('response', (response) => {
        const { statusCode: status = 0 } = response;
        const known = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        );
        const done = (text: string) => resolve({ method, target, status, headers: known, text });
        if (status === 200 && known['content-type']?.startsWith(STREAM_TYPE) === true) {
          done('');
          sent.destroy();
          return;
        }
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('error', reject);
        response.once('end', () => done(text));
      });
      sent.end(body);
    });
  }

  /** Closes idle connections. */
  close(): void {
    this.#agent.destroy();
  }
}

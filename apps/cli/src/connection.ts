import { readFile } from 'node:fs/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  ApiClient,
  type CallOptions,
  type CallParts,
  type ServerEvent,
  type StreamOptions,
} from '#libs/api-client';
import type { OperationId } from '#libs/api-contracts';
import { LocalError } from './exit-code.ts';
import { wholePath, type Target } from './profile.ts';

/** More than a request to a device may take. */
const TIMEOUT_MS = 90_000;

/** A call whose operation is only known when the program runs. */
export type AnyCall = CallParts & CallOptions;

/** What any operation answers. */
export interface AnyReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A page of any list. */
export interface AnyPage {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly meta?: { readonly unavailable_nodes: readonly string[] };
}

/** The API that is meant, for commands that are made from the table of operations. */
export class Connection {
  readonly #resolve: () => Promise<Target>;
  #client: Promise<ApiClient> | undefined;

  /** @param resolve - is asked when the API is first called. */
  constructor(resolve: () => Promise<Target>) {
    this.#resolve = resolve;
  }

  async call(id: OperationId, call: AnyCall): Promise<AnyReply> {
    return (await this.client()).call(id, call as never);
  }

  async *pages(id: OperationId, call: AnyCall): AsyncGenerator<AnyPage> {
    const client = await this.client();
    yield* client.pages(id as 'listClients', call as never) as AsyncGenerator<AnyPage>;
  }

  async *events(id: OperationId, call: AnyCall & StreamOptions): AsyncGenerator<ServerEvent> {
    const client = await this.client();
    yield* client.events(id, call as never);
  }

  async open(id: OperationId, call: AnyCall): Promise<Response> {
    return (await this.client()).open(id, call as never);
  }

  /** The client itself, for commands whose operations are known when they are compiled. */
  client(): Promise<ApiClient> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<ApiClient> {
    const { server, credential, caFile } = await this.#resolve();
    if (caFile !== undefined) await trust(caFile);
    return new ApiClient({ server, credential, timeoutMs: TIMEOUT_MS });
  }
}

/** Trusts the certificates of a file besides those that Node.js trusts. */
async function trust(path: string): Promise<void> {
  const text = await readFile(wholePath(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LocalError(`${path}: cannot be read (${error.code})`);
  });
  if (!text.includes('BEGIN CERTIFICATE'))
    throw new LocalError(`${path}: holds no certificate (PEM)`);
  setDefaultCACertificates([...getCACertificates('default'), text]);
}

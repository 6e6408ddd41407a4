import { ApiError, errorOf } from './error.ts';
import { readEvents, readLines, type ServerEvent, type StreamState } from './event-stream.ts';
import { ROUTES, type OperationId, type Operations } from './operations.ts';
import { prepare, type CallParts } from './request.ts';

const TIMEOUT_MS = 30_000;
const RECONNECT_MS = 1_000;
const RECONNECT_MS_MAX = 30_000;

/** What a client is made with. */
export interface ApiClientOptions {
  /** Where the API is, without `/api/v1`: `https://skein.example`. */
  readonly server: string;
  /** What follows `Authorization: Bearer`: an API key or a token; a function is asked before every call. */
  readonly credential?: string | (() => string | Promise<string>) | undefined;
  /** How long an answer may take, streams excepted. */
  readonly timeoutMs?: number;
  /** For tests, and for proxies that Node.js does not know. */
  readonly fetch?: typeof fetch;
}

/** What any call may be given besides what its operation takes. */
export interface CallOptions {
  /** Such as `If-Match` or `Idempotency-Key`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What a stream may be given. */
export interface StreamOptions extends CallOptions {
  /** Go on after this event. */
  readonly lastEventId?: string;
  /** Called before each attempt to connect again. */
  readonly reconnecting?: (reason: unknown) => void;
}

/** What an operation is called with. */
export type Call<Id extends OperationId> = Operations[Id]['call'] & CallOptions;

/** A successful answer. */
export type Reply<Id extends OperationId> = Operations[Id]['reply'] & { readonly headers: Headers };

type Given<Id extends OperationId> =
  Partial<Operations[Id]['call']> extends Operations[Id]['call']
    ? [call?: Call<Id>]
    : [call: Call<Id>];

/** The body of a page of a list operation. */
export type PageOf<Id extends OperationId> = Extract<
  Operations[Id]['reply']['body'],
  { readonly items: readonly unknown[]; readonly page: unknown }
>;

/** Operations that answer in pages. */
export type ListId = {
  [Id in OperationId]: [PageOf<Id>] extends [never] ? never : Id;
}[OperationId];

/** An item of a list operation. */
export type ItemOf<Id extends ListId> = PageOf<Id>['items'][number];

interface AnyPage {
  readonly items: readonly unknown[];
  readonly page: { readonly next_cursor?: string };
}

/** The admin API of a cluster; every operation of it by its operationId. */
export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /**
   * Calls an operation.
   *
   * @throws ApiError unless it succeeds.
   */
  async call<Id extends OperationId>(id: Id, ...[call]: Given<Id>): Promise<Reply<Id>> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    const response = await this.#send(id, call, timeout);
    const { status, headers } = response;
    const body = await bodyOf(response);
    return { status, headers, body } as unknown as Reply<Id>;
  }

  /**
   * The pages of a list, one after another.
   *
   * @throws ApiError unless all calls succeed.
   */
  async *pages<Id extends ListId>(id: Id, ...[call]: Given<Id>): AsyncGenerator<PageOf<Id>> {
    const parts = (call ?? {}) as CallParts & CallOptions;
    let cursor: string | undefined;
    do {
      const query = cursor === undefined ? parts.query : { ...parts.query, cursor };
      const { body } = await this.call(id, ...([{ ...parts, query }] as unknown as Given<Id>));
      yield body as PageOf<Id>;
      cursor = (body as AnyPage).page.next_cursor;
    } while (cursor !== undefined);
  }

  /**
   * The items of a list, page after page. What silent nodes have is not among them: ask for {@link pages} and look at `meta`.
   *
   * @throws ApiError unless all calls succeed.
   */
  async *items<Id extends ListId>(id: Id, ...given: Given<Id>): AsyncGenerator<ItemOf<Id>> {
    for await (const page of this.pages(id, ...given)) yield* page.items as ItemOf<Id>[];
  }

  /**
   * The events of a stream, until the signal ends it. A connection that ends is made again and goes on after the last event.
   *
   * @throws ApiError when the API refuses the stream.
   */
  async *events<Id extends OperationId>(
    id: Id,
    call: Operations[Id]['call'] & StreamOptions,
  ): AsyncGenerator<ServerEvent> {
    const { lastEventId = '', signal, reconnecting } = call as StreamOptions;
    const state: StreamState = { lastEventId, retryMs: undefined };
    let waitMs = RECONNECT_MS;
    while (signal?.aborted !== true) {
      let reason: unknown;
      try {
        const resumed: Record<string, string> =
          state.lastEventId === '' ? {} : { 'last-event-id': state.lastEventId };
        const response = await this.#send(id, withHeaders(call, resumed));
        for await (const event of readEvents(bytesOf(response), state)) {
          waitMs = RECONNECT_MS;
          yield event;
        }
      } catch (error) {
        if (error instanceof ApiError && error.kind !== 'unreachable') throw error;
        reason = error;
      }
      if (isAborted(signal)) return;
      reconnecting?.(reason);
      await pause(state.retryMs ?? waitMs, signal);
      waitMs = Math.min(waitMs * 2, RECONNECT_MS_MAX);
    }
  }

  /**
   * The lines of an answer of many, such as NDJSON, as they come.
   *
   * @throws ApiError unless the call succeeds.
   */
  async *lines<Id extends OperationId>(id: Id, ...[call]: Given<Id>): AsyncGenerator<string> {
    yield* readLines(bytesOf(await this.#send(id, call)));
  }

  /**
   * The answer as it comes, for downloads.
   *
   * @throws ApiError unless the call succeeds.
   */
  async open<Id extends OperationId>(id: Id, ...[call]: Given<Id>): Promise<Response> {
    return this.#send(id, call);
  }

  async #send(id: OperationId, given: unknown, timeout?: AbortSignal): Promise<Response> {
    const { headers = {}, signal, ...parts } = (given ?? {}) as CallParts & CallOptions;
    const { server, credential, fetch: send = fetch } = this.#options;
    const request = prepare(server, id, parts);
    request.headers.set('accept', accepted(ROUTES[id].replyType));
    const token = typeof credential === 'function' ? await credential() : credential;
    if (token !== undefined) request.headers.set('authorization', bearer(token));
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    const signals = [signal, timeout].filter((each) => each !== undefined);
    const response = await send(request.url, {
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      // A credential goes to the server that it was given for, and to no other.
      redirect: 'manual',
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error;
      throw new ApiError(`no answer from ${server}: ${reasonOf(error)}`, {
        kind: 'unreachable',
        cause: error,
      });
    });
    if (response.ok || response.status === 304) return response;
    throw await errorOf(response);
  }
}

/** The header of a credential. @throws TypeError for one that no header can hold; the platform's own error would show it. */
function bearer(token: string): string {
  if (!/^[!-~]+$/.test(token)) {
    throw new TypeError('credential: has a blank, a line break or a character beyond ASCII');
  }
  return `Bearer ${token}`;
}

/** JSON too where it is not the type of the answer: problems are JSON. */
function accepted(type: string): string {
  return /[/+]json$/.test(type) ? 'application/json' : `${type}, application/json;q=0.5`;
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return undefined;
  if (!/[/+]json(?:;|$)/.test(response.headers.get('content-type') ?? '')) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const { status, headers } = response;
    throw new ApiError('the answer is not JSON', {
      kind: 'malformed',
      status,
      headers,
      cause: error,
    });
  }
}

async function* bytesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body !== null) yield* body as unknown as AsyncIterable<Uint8Array>;
}

function withHeaders(call: object, more: Readonly<Record<string, string>>): object {
  const { headers = {} } = call as CallOptions;
  return { ...call, headers: { ...headers, ...more } };
}

const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

/** The innermost reason: fetch wraps what the socket says. */
function reasonOf(error: unknown): string {
  const { name, cause, message } = error as Error;
  if (name === 'TimeoutError') return 'it took too long';
  return cause instanceof Error
    ? cause.message || String((cause as { code?: string }).code)
    : message;
}

/** Waits; an aborted signal ends it early. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

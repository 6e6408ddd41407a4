import { prepare } from '#libs/api-client';
import { OPERATIONS, problemSchema, type OperationId } from '#libs/api-contracts';
import { freePort } from '#libs/testkit';
import { Ops, spawnApp, type Settings } from './app.ts';
import type { Child } from './child.ts';
import type { Scope } from './scope.ts';

const ASK_DEADLINE_MS = 10_000;

/** A reply of the API. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** What an operation is called with. */
export interface Call {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The admin API as a process of its own; its replies are checked against the contract. */
export class Api {
  readonly origin: string;
  readonly ops: Ops;
  readonly child: Child;
  readonly #key: string | undefined;

  private constructor(ports: readonly [number, number], child: Child, key: string | undefined) {
    this.origin = `http://127.0.0.1:${String(ports[0])}`;
    this.ops = new Ops(ports[1]);
    this.child = child;
    this.#key = key;
  }

  /** Starts it beside nodes with these settings and waits until it is ready. */
  static async start(scope: Scope, nodeSettings: Settings, key?: string): Promise<Api> {
    const ports = [await freePort(), await freePort()] as const;
    const own = {
      API_PORT: ports[0],
      API_OPS_PORT: ports[1],
      ...(key !== undefined && { API_KEY: key }),
    };
    const child = spawnApp(scope, 'api', { settings: { ...nodeSettings, ...own } });
    const api = new Api(ports, child, key);
    await api.ops.ready(child);
    return api;
  }

  /** Calls an operation. @throws Error when the reply is not one that the contract has. */
  async call(id: OperationId, { headers = {}, ...parts }: Call = {}): Promise<Reply> {
    const request = prepare(this.origin, id, parts);
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    if (this.#key !== undefined) request.headers.set('authorization', `Bearer ${this.#key}`);
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      ...(request.body !== undefined && { body: request.body }),
      signal: AbortSignal.timeout(ASK_DEADLINE_MS),
    });
    const reply = {
      status: response.status,
      headers: response.headers,
      body: await bodyOf(response),
    };
    check(id, reply);
    return reply;
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
  return isJson ? JSON.parse(text) : text;
}

function check(id: OperationId, { status, body }: Reply): void {
  const replies: Readonly<Record<number, { readonly schema?: typeof problemSchema }>> = OPERATIONS[
    id
  ].replies as never;
  const reply = replies[status];
  if (reply === undefined && status < 400) throw new Error(`${id} answered ${String(status)}`);
  const schema = status < 400 ? reply?.schema : problemSchema;
  const fault = schema?.safeParse(body).error;
  if (fault !== undefined)
    throw new Error(`${id} answered ${JSON.stringify(body)}: ${fault.message}`);
}

import { expect } from '@jest/globals';
import {
  JSON_TYPE,
  OPERATIONS,
  problemSchema,
  type LongOperation,
  type Operation,
  type OperationId,
} from '#libs/api-contracts';
import { loadConfig, type Config } from '#libs/config';
import { freePort, silentLog, until } from '#libs/testkit';
import { ApiProcess } from '../../apps/api/src/api-process.ts';

export const DEADLINE_MS = 8_000;
/** How long an operation may take: api.nodeTimeoutMs. */
export const TIMEOUT_MS = 500;
export const KEY = 'a-key-for-tests-0123456789';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Calls the API; a reply that does not come by the deadline is an error. */
export async function call(
  api: ApiProcess,
  path: string,
  init: RequestInit & { readonly json?: unknown } = {},
): Promise<Answer> {
  const { json, ...rest } = init;
  const headers = new Headers(rest.headers);
  if (!headers.has('authorization')) headers.set('authorization', `Bearer ${KEY}`);
  if (json !== undefined && !headers.has('content-type')) headers.set('content-type', JSON_TYPE);
  const response = await fetch(`${api.url}${path}`, {
    signal: AbortSignal.timeout(DEADLINE_MS),
    ...rest,
    headers,
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  const isJson = text !== '' && /[/+]json/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  };
}

/** Calls an operation and checks the reply against its contract. */
export async function operate(
  api: ApiProcess,
  id: OperationId,
  { path = '', ...init }: Parameters<typeof call>[2] & { readonly path?: string } = {},
): Promise<Answer> {
  const operation: Operation = OPERATIONS[id];
  const target = path.startsWith('/') ? path : `${operation.path}${path}`;
  const headers = new Headers(init.headers);
  if (!headers.has('content-type')) headers.set('content-type', operation.bodyType ?? JSON_TYPE);
  const answer = await call(api, target, {
    method: operation.method.toUpperCase(),
    ...init,
    ...(init.json !== undefined && { headers }),
  });
  const schema = operation.replies[answer.status]?.schema;
  expect(
    (answer.status < 400 ? schema : problemSchema)?.safeParse(answer.body).error,
  ).toBeUndefined();
  return answer;
}

export function expectProblem({ status, headers, body }: Answer): void {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(problemSchema.safeParse(body).error).toBeUndefined();
  expect(body).toMatchObject({ status });
  expect(JSON.stringify(body)).not.toMatch(/at .+\.[jt]s:\d+/);
}

export async function configOf(more: Readonly<Record<string, string>>): Promise<Config> {
  return loadConfig({
    env: {
      SKEIN_API_PORT: '0',
      SKEIN_API_OPS_PORT: '0',
      SKEIN_API_NODE_TIMEOUT_MS: String(TIMEOUT_MS),
      // Each item of a list counts; what is not about rates is not to meet them.
      SKEIN_API_RATE_LIMITS_REQUEST_BURST: '10000',
      SKEIN_COMMANDS_PORT: String(await freePort()),
      ...more,
    },
  });
}

export async function open(config: Config): Promise<ApiProcess> {
  const api = new ApiProcess(config, silentLog);
  await api.start();
  return api;
}

/** A long operation, begun by the answer, when it has ended. */
export async function endOf(api: ApiProcess, { status, headers, body }: Answer) {
  expect(status).toBe(202);
  const path = `/api/v1/operations/${(body as LongOperation).id}`;
  expect(headers.get('location')).toBe(path);
  let operation = body as LongOperation;
  await until(async () => {
    operation = (await operate(api, 'getOperation', { path })).body as LongOperation;
    return operation.ended_at !== null;
  }, DEADLINE_MS);
  return operation;
}

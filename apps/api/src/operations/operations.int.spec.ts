import 'reflect-metadata';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { OPERATIONS, type OperationId } from '#libs/api-contracts';
import type { List, LongOperation, LongOperationSummary } from '#libs/api-contracts';
import { ApiMeter } from '#libs/metrics-prom';
import { silentLog, until } from '#libs/testkit';
import { DEADLINE_MS, KEY, configOf } from '../../../../test/api/api-harness.ts';
import { idleWebhooks } from '../../../../test/api/idle-webhooks.ts';
import { ApiModule } from '../api.module.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { Cluster } from '../cluster/cluster.ts';
import { Guard } from '../guard/guard.ts';
import { newId } from '../guard/key-secret.ts';
import { installConventions } from '../http/conventions.ts';
import { Idempotency } from '../http/idempotency.ts';
import { ProblemFilter } from '../http/problem-filter.ts';
import { openState } from '../state/open-state.ts';
import { Streams } from '../streams/streams.ts';
import type { OperationKind } from './operation-kind.ts';
import { Operations } from './operations.ts';

interface Wanted {
  readonly secret: string;
}

const PLAIN: OperationKind<Wanted> = {
  kind: 'plain',
  run: async ({ secret }) => ({ length: secret.length }),
};

const HIDDEN: OperationKind<Wanted> = {
  ...{ kind: 'hidden', resultScope: 'users:write', isSecret: true },
  run: async ({ secret }) => ({ length: secret.length }),
};

const ENDLESS: OperationKind<Wanted> = {
  kind: 'endless',
  run: (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }),
};

let app: NestFastifyApplication;
let operations: Operations;
let guard: Guard;
let meter: ApiMeter;
let state: Awaited<ReturnType<typeof openState>>;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  const log = silentLog;
  meter = new ApiMeter();
  state = await openState(config, log);
  guard = new Guard({ config, state, meter, log, now: Date.now });
  const audit = new AuditLog({ config, state, meter, log });
  const idempotency = new Idempotency({ state, secret: () => guard.secret.value, log });
  const nobody = { kind: 'unreachable', sent: false } as const;
  const client = { ask: async () => nobody, askAny: async () => nobody };
  const parts = { config, cluster: new Cluster({ client, timeoutMs: 500, meter }), state, guard };
  const kinds = [PLAIN, HIDDEN, ENDLESS];
  operations = new Operations({ parts: { ...parts, log }, kinds, meter });
  const adapter = new FastifyAdapter();
  installConventions(adapter.getInstance(), { guard, audit, idempotency, meter, log });
  for (const kind of kinds) {
    adapter
      .getInstance()
      .post(`/start/${kind.kind}`, async (request, reply) =>
        operations.start<Wanted>(kind, { secret: 'opensesame' }, { request, reply }),
      );
  }
  app = await NestFactory.create(
    ApiModule.with({
      ...{ ...parts, log, streams: new Streams(meter), audit, operations },
      webhooks: idleWebhooks({ ...parts, meter }),
    }),
    adapter,
    { bodyParser: false, logger: false },
  );
  app.useGlobalFilters(new ProblemFilter(log));
  await app.init();
  operations.open();
});

afterAll(async () => {
  await operations.close();
  await app.close();
});

async function call(method: 'GET' | 'POST' | 'DELETE', url: string, key = KEY) {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await app.inject({ method, url, headers });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<unknown>() };
}

function fits(id: OperationId, status: number, body: unknown): void {
  const reply = (OPERATIONS[id].replies as Record<number, { schema: { parse(b: unknown): void } }>)[
    status
  ];
  reply?.schema.parse(body);
  expect(reply).toBeDefined();
}

async function started(kind: string): Promise<string> {
  const { status, headers, body } = await call('POST', `/start/${kind}`);
  expect(status).toBe(202);
  fits('getOperation', 200, body);
  const { id } = body as LongOperation;
  expect(headers['location']).toBe(`/api/v1/operations/${id}`);
  return id;
}

async function ended(id: string, key = KEY): Promise<LongOperation> {
  let found: LongOperation | undefined;
  await until(async () => {
    const { status, body } = await call('GET', `/api/v1/operations/${id}`, key);
    fits('getOperation', status, body);
    found = body as LongOperation;
    return found.ended_at !== null;
  }, DEADLINE_MS);
  if (found === undefined) throw new Error('not ended');
  return found;
}

const listed = async (query: string) => {
  const { status, body } = await call('GET', `/api/v1/operations?${query}`);
  fits('listOperations', status, body);
  return body as List<LongOperationSummary>;
};

it('shows what was asked for, how far it is and what it came to', async () => {
  const id = await started('plain');
  const shown = await ended(id);
  expect(shown).toMatchObject({ state: 'succeeded', actor: 'bootstrap', result: { length: 10 } });

  const [first] = (await listed('kind=plain&state[in]=succeeded,failed')).items;
  expect(first).toMatchObject({ id, kind: 'plain', progress: { done: 0, total: null } });
  expect(first).not.toHaveProperty('result');
  expect((await listed('actor=key:other')).items).toEqual([]);
  expect((await listed('created_at[gte]=2999-01-01T00:00:00Z')).items).toEqual([]);
  expect((await call('GET', '/api/v1/operations?sort=kind')).status).toBe(400);
  expect((await call('GET', '/api/v1/operations/nothing')).status).toBe(404);
});

it('pages in either order', async () => {
  const ids = [await started('plain'), await started('plain'), await started('plain')];
  for (const sort of ['created_at', '-created_at']) {
    const all = (await listed(`sort=${sort}`)).items.map(({ id }) => id);
    const first = await listed(`sort=${sort}&limit=2`);
    const next = first.page.next_cursor ?? '';
    const rest = await listed(`sort=${sort}&limit=1000&cursor=${next}`);
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(all);
    expect(all).toEqual(expect.arrayContaining(ids));
  }
});

it('cancels one that runs; one that has ended cannot be cancelled', async () => {
  const id = await started('endless');
  await until(
    async () => (await listed('state=running')).items.some((each) => each.id === id),
    DEADLINE_MS,
  );
  const { status, body } = await call('DELETE', `/api/v1/operations/${id}`);
  expect(status).toBe(202);
  fits('cancelOperation', status, body);
  expect(await ended(id)).toMatchObject({ state: 'cancelled', result: null, problem: null });
  expect(await call('DELETE', `/api/v1/operations/${id}`)).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  expect((await call('DELETE', '/api/v1/operations/nothing')).status).toBe(404);
});

it('keeps a result from callers without its scope, and from those bound to topics', async () => {
  const id = await started('hidden');
  const keyOf = async (own: object) => {
    const key = { id: newId(), name: 'k', cidrs: [], createdBy: 'test', scopes: [], ...own };
    return (await guard.keys.create(key))?.secret ?? '';
  };
  expect(await ended(id)).toMatchObject({ result: { length: 10 }, result_scope: 'users:write' });
  const viewer = await ended(id, await keyOf({ role: 'viewer' }));
  expect(viewer).toMatchObject({ state: 'succeeded', result_scope: 'users:write' });
  expect(viewer).not.toHaveProperty('result');
  const bound = await keyOf({ role: 'admin', topicPrefixes: ['a'] });
  expect(await ended(id, bound)).not.toHaveProperty('result');
});

it('keeps no secret of what was asked', async () => {
  const { jobs } = state;
  const create = jobs.create.bind(jobs);
  const drafts: string[] = [];
  jobs.create = async (draft) => {
    drafts.push(JSON.stringify(draft));
    return create(draft);
  };
  const id = await started('hidden');
  jobs.create = create;
  expect(drafts).toHaveLength(1);
  expect(drafts[0]).not.toContain('opensesame');
  expect(await ended(id)).toMatchObject({ result: { length: 10 } });
});

it('counts them for the metrics', async () => {
  await operations.measure();
  const { body } = await meter.expose();
  expect(body).toMatch(/skein_api_operations\{state="succeeded"\} [1-9]/);
  expect(body).toContain('skein_api_operations{state="running"} 0');
});

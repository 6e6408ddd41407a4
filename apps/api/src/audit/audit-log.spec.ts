import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { OPERATIONS, type Operation, type OperationId } from '#libs/api-contracts';
import { StoreUnavailableError, type ApiState } from '#libs/broker-ports';
import type { ApiMeter } from '#libs/metrics-prom';
import { KEY } from '../../../../test/api/api-harness.ts';
import { everyOperation } from '../../../../test/api/every-operation.ts';
import type { AuditLog } from './audit-log.ts';

const PLANTED = 'planted-secret-of-a-body';

const CHANGES = Object.entries<Operation>(OPERATIONS).filter(([, { method }]) => method !== 'get');
const READS = Object.entries<Operation>(OPERATIONS).filter(([, { method }]) => method === 'get');

async function recordsOf(audit: AuditLog) {
  await audit.close();
  return (await audit.page(undefined, 1000)).map(({ entry }) => entry);
}

function urlOf({ path, example }: Operation): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(example.path?.[name] ?? 'x'),
  );
}

async function send(server: FastifyInstance, operation: Operation, authorization: string) {
  const { method, body, bodyType = 'application/json' } = operation;
  return server.inject({
    method: method.toUpperCase() as 'GET',
    url: urlOf(operation),
    headers: {
      ...{ authorization, 'if-match': '"1"', accept: '*/*' },
      ...(body !== undefined && { 'content-type': bodyType }),
    },
    ...(body !== undefined && { payload: { secret: PLANTED } }),
  });
}

describe('the audit log', () => {
  let server: FastifyInstance;
  let audit: AuditLog;
  let meter: ApiMeter;

  beforeAll(async () => {
    ({ server, audit, meter } = await everyOperation());
  });
  afterAll(() => server.close());

  it('has one record of each change, without what is in it', async () => {
    for (const [, operation] of CHANGES) await send(server, operation, `Bearer ${KEY}`);
    const records = await recordsOf(audit);
    const ids = CHANGES.map(([id]) => id as OperationId);
    expect(records.map(({ action }) => action).toReversed()).toEqual(ids);
    for (const record of records) {
      expect(record).toMatchObject({ actor: 'bootstrap', remote_address: '127.0.0.1' });
      expect(record).toMatchObject({ outcome: 'done', status: 204, before: '"1"', after: '"2"' });
    }
    expect(JSON.stringify(records)).not.toContain(PLANTED);
    expect(JSON.stringify(records)).not.toContain(KEY);
    const { body: text } = await meter.expose();
    expect(text).toContain(
      `skein_api_audit_records_total{outcome="stored"} ${String(CHANGES.length)}`,
    );
  });

  it('has one record of each credential that was refused, whatever it asked for', async () => {
    const before = (await recordsOf(audit)).length;
    const guarded = [...CHANGES, ...READS].filter(([, { scope }]) => scope !== 'none');
    for (const [, operation] of guarded) await send(server, operation, 'Bearer wrong');
    const records = (await recordsOf(audit)).slice(0, -before);
    expect(records).toHaveLength(guarded.length);
    for (const record of records) {
      expect(record).toMatchObject({ actor: 'unknown', status: 401, outcome: 'refused' });
    }
    expect(JSON.stringify(records)).not.toContain('wrong');
  });

  it('has none of what is only read', async () => {
    const before = (await recordsOf(audit)).length;
    for (const [, operation] of READS) await send(server, operation, `Bearer ${KEY}`);
    expect(await recordsOf(audit)).toHaveLength(before);
  });
});

describe('an audit log whose store is away', () => {
  /** The journal of the state fails; all else works. */
  const withoutJournal = (state: ApiState): ApiState => {
    const fail = () => Promise.reject(new StoreUnavailableError('away'));
    return {
      ...{ replies: state.replies, buckets: state.buckets, jobs: state.jobs, isReachable: false },
      definitions: (kind) => state.definitions(kind),
      journal: () => ({ append: fail, page: fail }),
      close: () => state.close(),
    };
  };
  const [, change] = CHANGES[0] ?? [];
  const [, read] = READS[0] ?? [];

  it('lets changes pass, and counts what it could not store', async () => {
    const { server, audit, meter } = await everyOperation({}, withoutJournal);
    if (change === undefined) throw new Error('there is no change');
    expect((await send(server, change, `Bearer ${KEY}`)).statusCode).toBe(204);
    await audit.close();
    const { body: text } = await meter.expose();
    expect(text).toContain('skein_api_audit_records_total{outcome="failed"} 1');
    await server.close();
  });

  it('lets none pass where records are required, and only reads', async () => {
    const { server } = await everyOperation({ SKEIN_API_AUDIT_REQUIRED: 'true' }, withoutJournal);
    if (change === undefined || read === undefined) throw new Error('there is nothing');
    const refused = await send(server, change, `Bearer ${KEY}`);
    expect(refused.statusCode).toBe(503);
    expect(refused.json()).toMatchObject({ code: 'storage-unavailable' });
    expect((await send(server, read, `Bearer ${KEY}`)).statusCode).toBe(204);
    await server.close();
  });
});

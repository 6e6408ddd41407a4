import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { AuditRecord, List } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { DEADLINE_MS, KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

async function records(query: string): Promise<readonly AuditRecord[]> {
  const { body } = await operate(api, 'listAuditRecords', { path: `?${query}` });
  return (body as List<AuditRecord>).items;
}

it('tells who changed what, the latest first, by filters and in pages', async () => {
  for (const name of ['ann', 'bob', 'cid']) {
    await operate(api, 'createRole', {
      json: { id: name, scopes: ['stats:read'] },
      headers: { 'x-request-id': `make-${name}` },
    });
  }
  await operate(api, 'createRole', { json: { id: 'ann', scopes: ['stats:read'] } });
  await until(async () => (await records('action=createRole')).length === 4, DEADLINE_MS);

  const [last, third] = await records('action=createRole');
  expect(last).toMatchObject({ outcome: 'refused', status: 409, actor: 'bootstrap' });
  expect(third).toMatchObject({
    ...{ outcome: 'done', status: 201, request_id: 'make-cid', fields: ['id', 'scopes'] },
    ...{ method: 'POST', route: '/api/v1/roles', resource: '/api/v1/roles/cid' },
  });
  expect(await records('action=createRole&outcome=refused')).toHaveLength(1);
  expect(await records('action[in]=createRole,deleteRole&outcome=done')).toHaveLength(3);
  expect(await records('actor=key:nobody')).toEqual([]);
  expect(await records('time[gte]=2999-01-01T00:00:00Z')).toEqual([]);
  expect(await records('resource[like]=/api/v1/role')).toHaveLength(4);

  const page = await operate(api, 'listAuditRecords', { path: '?limit=3&action=createRole' });
  const { items, page: next } = page.body as List<AuditRecord>;
  expect(items).toHaveLength(3);
  const rest = await records(`limit=3&action=createRole&cursor=${next.next_cursor ?? ''}`);
  expect(rest.map(({ request_id: id }) => id)).toEqual(['make-ann']);
});

it('tells by one path all that became of a thing, however its id was written', async () => {
  const { status } = await operate(api, 'createBan', {
    json: { kind: 'username', value: 'ann/é' },
  });
  expect(status).toBe(201);
  for (const path of ['username%3Aann%2F%C3%A9', 'username:ann%2f%c3%a9']) {
    await call(api, `/api/v1/bans/${path}`, { method: 'DELETE' });
  }

  const resource = '/api/v1/bans/username:ann%2F%C3%A9';
  const query = `resource=${encodeURIComponent(resource)}`;
  await until(async () => (await records(query)).length === 3, DEADLINE_MS);
  expect((await records(query)).map(({ action }) => action)).toEqual([
    'deleteBan',
    'deleteBan',
    'createBan',
  ]);
});

it('gives lines to those who want lines', async () => {
  const { headers, body } = await call(api, '/api/v1/audit-records?action=createRole', {
    headers: { accept: 'application/x-ndjson' },
  });
  expect(headers.get('content-type')).toMatch(/^application\/x-ndjson/);
  const lines = String(body).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as AuditRecord).action)).toEqual(
    Array.from({ length: 4 }, () => 'createRole'),
  );
});

it('cannot be changed', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    expect((await call(api, '/api/v1/audit-records', { method })).status).toBe(405);
  }
});

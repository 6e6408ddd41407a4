import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { parsePasswordHash, parseScramCredential } from '#libs/access';
import { CSV_TYPE, HTPASSWD_TYPE, type LongOperation, type OperationId } from '#libs/api-contracts';
import { KEY, call, configOf, endOf, open, operate } from '../../../../test/api/api-harness.ts';
import { FAKE_BANS_MAX } from '../../../../test/api/fake-bans.ts';
import { FakeNode } from '../../../../test/api/fake-node.ts';
import type { ApiProcess } from '../api-process.ts';

/** Operations are looked at as often as it takes. */
const UNLIMITED = { SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0' };
const USERS = '/api/v1/users/imports';
const BANS = '/api/v1/bans/imports';
const HASH = `$scrypt$ln=10,r=8,p=1$${'A'.repeat(22)}==$${'A'.repeat(43)}=`;

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_AUTH_HASH_COST: '10', ...UNLIMITED });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
});

beforeEach(() => {
  node.users.clear();
  node.credentials.clear();
  node.bans.clear();
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

async function imported(id: OperationId, json: unknown, query = ''): Promise<LongOperation> {
  return endOf(api, await operate(api, id, { json, path: query }));
}

async function sent(path: string, type: string, body: string): Promise<LongOperation> {
  const headers = { 'content-type': type };
  return endOf(api, await call(api, path, { method: 'POST', headers, body }));
}

it('users of a list are created, each with what became of it', async () => {
  const rules = [{ effect: 'allow', actions: ['publish'], topics: ['a/#'] }];
  const operation = await imported('importUsers', [
    { name: 'a', password: 'neap-tide', scram: true, groups: ['g'], acl: rules },
    { name: 'b', credentials: [HASH] },
    { name: 'c' },
    { name: 'a', password: 'high-tide' },
    { name: 'd', password: 'x', credentials: [HASH] },
    { name: 'e', password: 'secret\u0000' },
    { name: 'f', credentials: ['$2y$10$abcdefghijklmnopqrstuv'] },
    { name: 'g', password: 'x', colour: 'red' },
    { name: 'h', password: 'x', groups: ['nobody'] },
    {
      name: 'i',
      password: 'x',
      acl: [{ effect: 'allow', actions: ['publish'], topics: ['a/#/b'] }],
    },
    7,
  ]);

  expect(operation).toMatchObject({
    ...{ kind: 'user-imports', state: 'succeeded', progress: { done: 11, total: 11 } },
    result_scope: 'users:write',
    result: { dry_run: false, rows: 11, created: 2, updated: 0, skipped: 0, failed: 9 },
  });
  expect(node.users.get('a')).toMatchObject({ groups: ['g'], rules, hasScram: true });
  const [hash, ...scram] = node.credentials.get('a') ?? [];
  expect(parsePasswordHash(hash ?? '')).toMatchObject({ cost: 10 });
  expect(scram.map((text) => parseScramCredential(text)?.mechanism)).toHaveLength(2);
  expect(node.credentials.get('b')).toEqual([HASH]);
  const { problems } = operation.result as {
    problems: { index: number; name: string; problem: { code: string; detail: string } }[];
  };
  expect(problems.map(({ index, name, problem }) => [index, name, problem.code])).toEqual([
    [2, 'c', 'unprocessable'],
    [3, 'a', 'conflict'],
    [4, 'd', 'validation-failed'],
    [5, 'e', 'unprocessable'],
    [6, 'f', 'unprocessable'],
    [7, 'g', 'validation-failed'],
    [8, 'h', 'unprocessable'],
    [9, 'i', expect.any(String)],
    [10, null, 'validation-failed'],
  ]);
  expect(JSON.stringify(operation)).not.toMatch(/secret|\$2y|-tide/);
});

it('users that are there stay as they are, or get what an item names', async () => {
  await imported('importUsers', [{ name: 'a', password: 'neap-tide', groups: ['g'] }]);
  const before = node.credentials.get('a');
  const again = [
    { name: 'a', groups: ['h'] },
    { name: 'b', password: 'high-tide' },
  ];
  expect(
    (await imported('importUsers', again, '?dry_run=true&existing=update')).result,
  ).toMatchObject({
    ...{ dry_run: true, created: 1, updated: 1 },
  });
  expect([...node.users.keys()]).toEqual(['a']);
  expect((await imported('importUsers', again)).result).toMatchObject({ created: 1, skipped: 1 });
  expect(node.users.get('a')).toMatchObject({ groups: ['g'] });

  const { result } = await imported('importUsers', again, '?existing=update');
  expect(result).toMatchObject({ updated: 2, created: 0, failed: 0 });
  expect(node.users.get('a')).toMatchObject({ groups: ['h'] });
  expect(node.credentials.get('a')).toEqual(before);
});

it('users come from tables as well, with problems that name lines', async () => {
  const csv =
    'name,password,groups,acl,scram\na,"p,1",g;h,,true\nb,p\nc,p,,"[{""effect"":""allow"",""topics"":[""x""]}]",\n';
  expect(await sent(USERS, CSV_TYPE, csv)).toMatchObject({
    result: {
      ...{ rows: 3, created: 2, failed: 1 },
      problems: [{ index: 1, line: 3, problem: { detail: 'It has 2 cells, and the header 5' } }],
    },
  });
  expect(node.users.get('a')).toMatchObject({ groups: ['g', 'h'], hasScram: true });
  expect(node.users.get('c')).toMatchObject({ rules: [{ topics: ['x'] }] });

  const file = `# theirs\nm:$7$4096$MDEyMzQ1Njc4OWFi$${'A'.repeat(86)}==\nw:$7$101$MDEyMzQ1Njc4OWFi$${'A'.repeat(86)}==\ns:${HASH}\n`;
  expect(await sent(USERS, HTPASSWD_TYPE, file)).toMatchObject({
    result: {
      created: 2,
      problems: [{ line: 3, name: 'w', problem: { detail: expect.stringContaining('4096') } }],
    },
  });
  expect(node.credentials.get('m')).toEqual([expect.stringMatching(/^SCRAM-SHA-512\$4096:/)]);

  const headers = { 'content-type': CSV_TYPE };
  const refused = async (path: string, body: string) =>
    (await call(api, path, { method: 'POST', headers, body })).status;
  expect(await refused(USERS, 'name,name\n')).toBe(400);
  expect(await refused(USERS, 'name\n')).toBe(400);
  expect(await refused('/api/v1/users', 'name,password\na,b\n')).toBe(415);
  expect((await operate(api, 'importUsers', { json: Array(10_001).fill({}) })).status).toBe(400);
});

it.each(['json', 'csv', 'htpasswd'] as const)(
  'users are exported as %s, and imported again',
  async (format) => {
    const all = [
      { name: 'a', password: 'neap-tide', groups: ['g', 'x;y'], scram: true },
      { name: 'b,"', password: 'high-tide', acl: [{ effect: 'allow', topics: ['t/#'] }] },
      { name: 'z:', password: 'three', groups: ['g'] },
    ];
    expect((await imported('importUsers', all)).result).toMatchObject({ created: 3 });
    const [users, credentials] = [new Map(node.users), new Map(node.credentials)];
    const { result } = await imported('exportUsers', { format });
    const {
      count,
      users: list,
      content = '',
      left_out: leftOut,
    } = result as {
      count: number;
      users?: object[];
      content?: string;
      left_out: string[];
    };
    const isFlat = format === 'htpasswd';
    expect([count, leftOut]).toEqual(isFlat ? [2, ['z:']] : [3, []]);
    expect(JSON.stringify(result)).not.toMatch(/-tide|three/);

    node.users.clear();
    node.credentials.clear();
    const type = isFlat ? HTPASSWD_TYPE : CSV_TYPE;
    const again = list ? await imported('importUsers', list) : await sent(USERS, type, content);
    expect(again.result).toMatchObject({ created: count, failed: 0 });
    for (const [id, user] of node.users) {
      const { groups, rules, hasScram } = users.get(id) ?? {};
      expect(user).toMatchObject(
        isFlat ? { groups: [], hasScram: false } : { groups, rules, hasScram },
      );
      expect(credentials.get(id)).toEqual(
        expect.arrayContaining([...(node.credentials.get(id) ?? [])]),
      );
    }
  },
);

it('some users are exported', async () => {
  await imported('importUsers', [
    { name: 'a1', password: 'x', groups: ['g'] },
    { name: 'a2', password: 'x' },
    { name: 'b1', password: 'x', groups: ['g'] },
  ]);
  const filter = { username: { like: 'a' }, group: 'g' };
  const { result } = await imported('exportUsers', { filter });
  expect(result).toMatchObject({
    format: 'json',
    count: 1,
    users: [{ name: 'a1', groups: ['g'] }],
  });
  expect((await operate(api, 'exportUsers', { json: { format: 'xml' } })).status).toBe(400);
});

it('bans come from lists and tables, and those that are there may be changed', async () => {
  const csv =
    'kind,value,reason,until\nclient_id,c,noise,\ncidr,10.0.0.0/8,,2999-01-01T00:00:00Z\nip,10.0.0.0/8,,\nclient_id,d,,2001-01-01T00:00:00Z\n';
  expect(await sent(BANS, CSV_TYPE, csv)).toMatchObject({
    ...{ kind: 'ban-imports', state: 'succeeded', result_scope: 'bans:write' },
    result: {
      ...{ rows: 4, created: 2, failed: 2 },
      problems: [
        { line: 4, name: '10.0.0.0/8' },
        { line: 5, name: 'd', problem: { detail: 'It has passed' } },
      ],
    },
  });
  const list = [
    { kind: 'client_id', value: 'c', reason: 'more noise' },
    ...Array.from({ length: FAKE_BANS_MAX }, (_, index) => ({
      kind: 'client_id',
      value: `n${index}`,
    })),
  ];
  const dry = await imported('importBans', list, '?dry_run=true&existing=update');
  expect(dry.result).toMatchObject({ updated: 1, created: FAKE_BANS_MAX });
  const { result } = await imported('importBans', list, '?existing=update');
  expect(result).toMatchObject({ updated: 1, created: 1, failed: FAKE_BANS_MAX - 1 });
  const { body } = await operate(api, 'getBan', { path: '/api/v1/bans/client_id:c' });
  expect(body).toMatchObject({ reason: 'more noise' });
});

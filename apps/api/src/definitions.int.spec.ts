import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DefinitionsView, WireBridge } from '#libs/api-contracts';
import { formatPasswordHash } from '#libs/access';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { askingAuth } from '../../../test/api/fake-auth.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const HASH = formatPasswordHash({
  ...{ cost: 10, blockSize: 8, parallelism: 1 },
  ...{ salt: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) },
});

const FIXED: WireBridge = {
  connector: { id: 'fixed', kind: 'kafka', brokers: ['k:1'], clientId: 's', compression: 'lz4' },
  ...{ source: 'config', revision: 0, state: 'connected' },
};

const DOCUMENT = {
  format: 'skein-definitions',
  version: 1,
  users: [{ name: 'ann', credentials: [HASH], groups: ['g'], acl: [] }],
  acl_rules: [{ effect: 'allow', actions: ['publish'], topics: ['a/#'] }],
  bridges: [{ id: 'hook', kind: 'webhook', url: 'https://h/x' }],
  bridge_rules: [
    { id: 'r', bridge: 'hook', direction: 'mqtt-to-webhook', filter: 'a/#', where: 'true' },
  ],
};

describe('definitions', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.bridges = [FIXED];
    node.rules.clear();
    node.ruleOrder = { ids: [], revision: 0 };
    node.users.clear();
    node.acl = { ...node.acl, stored: [], revision: 0 };
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const post = (json: object, query = '') =>
    operate(api, 'importDefinitions', { json, path: query });
  const exported = async () => (await operate(api, 'exportDefinitions')).body as DefinitionsView;
  const outcomesOf = ({ body }: { readonly body: unknown }) =>
    (body as { results: { section: string; id: string; outcome: string }[] }).results.map(
      ({ section, id, outcome }) => `${section} ${id} ${outcome}`,
    );

  it('come back from an empty cluster as they were, without what the configuration has', async () => {
    expect(outcomesOf(await post(DOCUMENT))).toEqual([
      'bridges hook created',
      'bridge_rules r created',
      'acl_rules general replaced',
      'users ann created',
    ]);
    const document = await exported();
    expect(document).toMatchObject(DOCUMENT);
    expect(document.bridges).toHaveLength(1);
    node.bridges = [FIXED];
    node.rules.clear();
    node.users.clear();
    node.acl = { ...node.acl, stored: [], revision: 0 };
    await post(document);
    expect({ ...(await exported()), exported_at: '' }).toEqual({ ...document, exported_at: '' });
  });

  it('change nothing with dry_run, and nothing the second time', async () => {
    const before = await exported();
    const tried = await post(DOCUMENT, '?dry_run=true');
    expect(tried).toMatchObject({ status: 200, body: { dry_run: true } });
    expect(outcomesOf(tried)).toContain('users ann created');
    expect({ ...(await exported()), exported_at: '' }).toEqual({ ...before, exported_at: '' });
    await post(DOCUMENT);
    const document = await exported();
    const again = outcomesOf(await post(document));
    expect(again).toEqual([
      'bridges hook unchanged',
      'bridge_rules r unchanged',
      'acl_rules general unchanged',
      'users ann unchanged',
    ]);
  });

  it('keep what they do not name, unless they take the place of all of a section', async () => {
    await post(DOCUMENT);
    const { format, version } = DOCUMENT;
    const acl_rules = [{ effect: 'deny', actions: ['subscribe'], topics: ['b'] }];
    expect(outcomesOf(await post({ format, version, acl_rules, users: [] }))).toEqual([
      'acl_rules general replaced',
    ]);
    expect((await exported()).acl_rules).toMatchObject([{ effect: 'allow' }, { effect: 'deny' }]);
    const replaced = await post(
      { format, version, acl_rules, users: [], bridges: [], bridge_rules: [] },
      '?mode=replace',
    );
    expect(outcomesOf(replaced)).toEqual([
      'bridge_rules r removed',
      'bridges hook removed',
      'acl_rules general replaced',
      'users ann removed',
    ]);
    expect(await exported()).toMatchObject({ users: [], bridges: [], acl_rules });
    expect(node.bridges).toEqual([FIXED]);
  });

  it('know a rule again whose fields are in another order', async () => {
    const { format, version } = DOCUMENT;
    const who = { groups: ['g'], users: ['u'] };
    const rule = { effect: 'allow', actions: ['publish'], topics: ['a'], who };
    await post({ format, version, acl_rules: [rule] });
    const turned = Object.fromEntries(Object.entries(rule).toReversed());
    expect(outcomesOf(await post({ format, version, acl_rules: [turned] }))).toEqual([
      'acl_rules general unchanged',
    ]);
  });

  it('say of each item why it has failed, and take the others', async () => {
    const imported = await post({
      ...DOCUMENT,
      users: [{ ...DOCUMENT.users[0], credentials: ['in the clear'] }],
      bridges: [{ id: 'fixed', kind: 'webhook', url: 'https://h' }, ...DOCUMENT.bridges],
    });
    expect(outcomesOf(imported)).toEqual([
      'bridges fixed failed',
      'bridges hook created',
      'bridge_rules r created',
      'acl_rules general replaced',
      'users ann failed',
    ]);
    expect(JSON.stringify(imported.body)).not.toContain('in the clear');
    expect(JSON.stringify(imported.body)).toContain('credentials: one is no hash');
  });

  it('of another version, or with what nobody knows, are refused as a whole', async () => {
    expect((await post({ ...DOCUMENT, version: 2 })).status).toBe(400);
    expect((await post({ ...DOCUMENT, colours: [] })).status).toBe(400);
    expect((await post(DOCUMENT, '?mode=append')).status).toBe(400);
    expect(await exported()).toMatchObject({ users: [], bridges: [] });
  });

  const HEAD = { format: 'skein-definitions', version: 1 };
  const ROLE = { id: 'plant-7', description: 'Watches plant 7', scopes: ['clients:read'] };
  const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const HOOK = { id: 'hook7', url: 'https://hook.example/', events: ['client.connected'] };

  it('have roles and webhooks, whose secrets go in and do not come out', async () => {
    const given = { ...HEAD, roles: [ROLE], webhooks: [{ ...HOOK, secret: SECRET }] };
    const tried = await post(given, '?dry_run=true');
    expect(outcomesOf(tried)).toEqual(['roles plant-7 created', 'webhooks hook7 created']);
    expect(await exported()).toMatchObject({ roles: [], webhooks: [] });
    await post(given);
    const document = await exported();
    expect(document).toMatchObject({ roles: [ROLE], webhooks: [HOOK] });
    expect(JSON.stringify(document)).not.toContain(SECRET);
    // The usual way: what has come out is changed a little and goes in again, without the secret.
    const again = outcomesOf(await post(document));
    expect(again).toEqual(
      expect.arrayContaining(['roles plant-7 unchanged', 'webhooks hook7 unchanged']),
    );
    const scopes = ['clients:read', 'topics:read'];
    const changed = {
      ...{ ...HEAD, roles: [{ ...ROLE, scopes }] },
      webhooks: [{ ...HOOK, description: 'new' }],
    };
    expect(outcomesOf(await post(changed))).toEqual([
      'roles plant-7 replaced',
      'webhooks hook7 replaced',
    ]);
    expect(await exported()).toMatchObject(changed);
    const none = await post({ ...HEAD, roles: [], webhooks: [] }, '?mode=replace');
    expect(outcomesOf(none)).toEqual(['roles plant-7 removed', 'webhooks hook7 removed']);
    expect(await exported()).toMatchObject({ roles: [], webhooks: [] });
  });

  it.each([
    ['a role that is built in', { roles: [{ ...ROLE, id: 'admin' }] }, 'configuration'],
    ['a new webhook without its secret', { webhooks: [HOOK] }, 'secret: has to be given'],
    [
      'a webhook that leads into a private network',
      { webhooks: [{ ...HOOK, url: 'http://10.0.0.1/', secret: SECRET }] },
      'api.webhooks.allowPrivate',
    ],
  ])('say in a dry run too why %s fails', async (_, sections, detail) => {
    for (const query of ['?dry_run=true', '']) {
      expect(await post({ ...HEAD, ...sections }, query)).toMatchObject({
        status: 200,
        body: { results: [{ outcome: 'failed', detail: expect.stringContaining(detail) }] },
      });
    }
  });

  it('give nobody more than the caller has', async () => {
    const scopes = ['definitions:read', 'definitions:write', 'roles:write', 'clients:read'];
    const key = await operate(api, 'createApiKey', { json: { name: 'small', scopes } });
    const { secret } = key.body as { secret: string };
    const headers = { authorization: `Bearer ${secret}` };
    const send = (json: object) => operate(api, 'importDefinitions', { json, headers });
    const more = { ...ROLE, id: 'more', scopes: ['clients:read', 'users:write'] };
    const { body } = await send({ ...HEAD, roles: [ROLE, more] });
    expect(body).toMatchObject({
      results: [
        { id: 'plant-7', outcome: 'created' },
        { id: 'more', outcome: 'failed', detail: expect.stringContaining('users:write') },
      ],
    });
    expect((await send({ ...HEAD, webhooks: [] })).status).toBe(403);
    // Nor take from others: one who has more keeps it.
    await post({ ...HEAD, roles: [more] });
    const taken = await send({ ...HEAD, roles: [{ ...more, scopes: [] }] });
    expect(taken.body).toMatchObject({ results: [{ outcome: 'failed' }] });
  });

  const ASKED = {
    backends: [{ id: 'fleet', kind: 'webhook', settings: { url: 'https://login.example/' } }],
    order: ['fleet', 'stored'],
    chains: { tls: ['fleet'] },
  };

  it('have who is asked who a client is, checked in a dry run too', async () => {
    node.auth = askingAuth();
    expect((await exported()).auth).toBeNull();
    expect(outcomesOf(await post({ ...HEAD, auth: ASKED }, '?dry_run=true'))).toEqual([
      'auth general created',
    ]);
    expect((await exported()).auth).toBeNull();
    await post({ ...HEAD, auth: ASKED });
    expect((await exported()).auth).toEqual(ASKED);
    expect(outcomesOf(await post({ ...HEAD, auth: ASKED }))).toEqual(['auth general unchanged']);
    const more = {
      backends: [{ id: 'other', kind: 'certificate', settings: { name: 'common_name' } }],
      ...{ order: ['other'], chains: {} },
    };
    await post({ ...HEAD, auth: more });
    expect((await exported()).auth).toMatchObject({
      ...{ order: ['other', 'fleet', 'stored'], chains: ASKED.chains },
      backends: [...ASKED.backends, ...more.backends],
    });
    await post({ ...HEAD, auth: ASKED }, '?mode=replace');
    expect((await exported()).auth).toEqual(ASKED);
    const wrong = { ...HEAD, auth: { ...ASKED, chains: { tcp: ['none'] } } };
    expect(await post(wrong, '?dry_run=true')).toMatchObject({
      body: { results: [{ outcome: 'failed', detail: expect.stringContaining('no backend') }] },
    });
  });

  it('have the order of rules, in which those that are not there have no place', async () => {
    const [rule] = DOCUMENT.bridge_rules;
    const bridge_rules = [rule, { ...rule, id: 'q' }];
    const bridge_rule_order = ['r', 'gone', 'q'];
    const { bridges } = DOCUMENT;
    await post({ ...HEAD, bridges, bridge_rules, bridge_rule_order });
    expect((await exported()).bridge_rule_order).toEqual(['r', 'q']);
    await post({ ...HEAD, bridge_rule_order: ['q'] });
    expect((await exported()).bridge_rule_order).toEqual(['q', 'r']);
  });
});

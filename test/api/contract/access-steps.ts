import { any, idOf, idsOf, type ContractWorld } from './world.ts';

const SIGNING_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const UNKNOWN_PLACEHOLDER = { effect: 'allow', actions: ['publish'], topics: ['a/${nobody}'] };

/** Users, rules and bans. */
export async function changeAccess({ steps }: ContractWorld): Promise<void> {
  const user = { name: 'sensor-7', password: 'tide table', groups: ['sensors'], acl: [] };
  const path = { user_name: 'sensor-7' };
  await steps.take(['createUser', 201], { body: user });
  await steps.take(['listUsers', 200], {}, { items: [{ name: 'sensor-7' }] });
  await steps.take(['getUser', 200], { path }, { groups: ['sensors'] });
  const { name: _, ...rest } = user;
  await steps.take(['replaceUser', 200], { path, headers: any, body: rest });
  const other = { path: { user_name: 'sensor-8' }, body: rest };
  await steps.take(['replaceUser', 201], { ...other, headers: { 'if-none-match': '*' } });
  await steps.take(
    ['patchUser', 200],
    { path, headers: any, body: { groups: [] } },
    { groups: [] },
  );
  const odd = { path, headers: any, body: { ...rest, acl: [UNKNOWN_PLACEHOLDER] } };
  await steps.take(['replaceUser', 422], odd);
  await steps.take(['patchUser', 422], { ...odd, body: { acl: [UNKNOWN_PLACEHOLDER] } });
  await steps.take(['deleteUser', 204], { path, headers: any });
  await steps.take(['getUser', 404], { path });
  const rule = { effect: 'allow', actions: ['publish'], topics: ['devices/#'] };
  const own = { rule_id: 'own' };
  await steps.take(['createAclRule', 201], { body: { id: 'own', ...rule } });
  await steps.take(['listAclRules', 200], {}, { items: [{ id: 'own' }] });
  await steps.take(['getAclRule', 200], { path: own });
  await steps.take(['replaceAclRule', 200], { path: own, headers: any, body: rule });
  await steps.take(['replaceAclRule', 422], {
    ...{ path: own, headers: any, body: UNKNOWN_PLACEHOLDER },
  });
  await steps.take(['orderAclRules', 422], { headers: any, body: { ids: ['nobody'] } });
  const second = { path: { rule_id: 'second' }, headers: { 'if-none-match': '*' }, body: rule };
  await steps.take(['replaceAclRule', 201], second);
  const order = { headers: any, body: { ids: ['second', 'own'] } };
  await steps.take(['orderAclRules', 200], order);
  await steps.take(['listAclRules', 200], {}, { items: [{ id: 'second' }, { id: 'own' }] });
  await steps.take(['changeAclRules', 200], { body: [{ op: 'delete', id: 'second' }] });
  const checks = [{ action: 'publish', topic: 'devices/7' }];
  await steps.take(['simulateAcl', 200], { body: { client_id: 'press/7', checks } });
  await steps.take(['deleteAclRule', 204], { path: own, headers: any });
  const ban = { kind: 'client_id', value: 'probe', reason: 'noise' };
  const made = { path: { ban_id: idOf(await steps.take(['createBan', 201], { body: ban })) } };
  await steps.take(['listBans', 200], {}, { items: [{ value: 'probe' }] });
  await steps.take(['getBan', 200], made, { reason: 'noise' });
  const changed = { ...made, body: { reason: 'scans' } };
  await steps.take(['replaceBan', 200], { ...changed, headers: any }, { reason: 'scans' });
  const fresh = { path: { ban_id: 'client_id:other' }, body: { reason: 'scans' } };
  await steps.take(['replaceBan', 201], { ...fresh, headers: { 'if-none-match': '*' } });
  await steps.take(['changeBans', 200], { body: [{ op: 'delete', id: 'client_id:other' }] });
  await steps.take(['deleteBan', 204], { ...made, headers: any });
  await steps.take(['listBans', 200], {}, { items: [] });
  const { body } = await steps.take(['getAutoBanConfig', 200]);
  const { source: _source, ...config } = body as Record<string, unknown>;
  await steps.take(['replaceAutoBanConfig', 200], { headers: any, body: config });
}

/** Who is asked who a client is. */
export async function changeBackends({ steps }: ContractWorld): Promise<void> {
  await steps.take(['listAuthChains', 200]);
  const chain = { path: { listener: 'ws' } };
  await steps.take(['getAuthChain', 200], chain, { backends: ['stored'] });
  const [stored = ''] = idsOf(await steps.take(['listAuthBackends', 200]));
  const backend = { path: { backend_id: stored } };
  await steps.take(['getAuthBackend', 200], backend);
  const login = { client_id: 'a', username: 'sensor-8', password: 'tide table' };
  await steps.take(['testAuthBackend', 200], { ...backend, body: login });
  const jwt = {
    kind: 'jwt',
    settings: { jwks_url: 'https://login.example/keys', issuer: 'https://login.example/' },
  };
  const tenant = { path: { backend_id: 'tenant' } };
  const dry = { query: { dry_run: 'true' } };
  const wanted = { body: { id: 'tenant', ...jwt } };
  await steps.take(['createAuthBackend', 200], { ...wanted, ...dry });
  await steps.take(['createAuthBackend', 201], wanted);
  await steps.take(['replaceAuthBackend', 200], { ...tenant, headers: any, body: jwt });
  const other = { path: { backend_id: 'other' }, headers: { 'if-none-match': '*' }, body: jwt };
  await steps.take(['replaceAuthBackend', 201], other);
  const calm = { ...tenant, headers: any, body: { settings: { leeway_seconds: 5 } } };
  await steps.take(['patchAuthBackend', 200], calm);
  const order = (ids: readonly string[]) => ({ headers: any, body: { ids } });
  await steps.take(['orderAuthBackends', 422], order(['nobody']));
  await steps.take(['orderAuthBackends', 200], order(['other', 'tenant', stored]));
  await steps.take(['listAuthBackends', 200], {}, { items: [{ id: 'other' }, {}, {}] });
  const asks = (backends: readonly string[]) => ({ ...chain, headers: any, body: { backends } });
  await steps.take(['replaceAuthChain', 422], asks(['nobody']));
  await steps.take(['replaceAuthChain', 200], asks([stored, 'tenant']));
  await steps.take(['replaceAuthChain', 200], asks([stored]));
  await steps.take(['deleteAuthBackend', 200], { ...tenant, ...dry, headers: any });
  await steps.take(['deleteAuthBackend', 204], { ...tenant, headers: any });
  await steps.take(['getAuthBackend', 404], tenant);
}

/** Keys, roles and webhooks. */
export async function changeCallers({ walk, steps, hook }: ContractWorld): Promise<void> {
  await steps.take(['whoami', 200], {}, { kind: 'bootstrap' });
  const key = { name: 'k', role: 'viewer' };
  const path = { key_id: idOf(await steps.take(['createApiKey', 201], { body: key })) };
  await steps.take(['listApiKeys', 200]);
  await steps.take(['getApiKey', 200], { path }, { role: 'viewer' });
  await steps.take(['patchApiKey', 200], { path, headers: any, body: { role: 'operator' } });
  await steps.take(['rotateApiKey', 201], { path, body: {} });
  const role = { scopes: ['stats:read'] };
  await steps.take(['createRole', 201], { body: { id: 'plant', ...role } });
  const plant = { path: { role_id: 'plant' } };
  await steps.take(['listRoles', 200]);
  await steps.take(['getRole', 200], plant);
  await steps.take(['replaceRole', 200], { ...plant, headers: any, body: role });
  const other = { path: { role_id: 'other' }, headers: { 'if-none-match': '*' }, body: role };
  await steps.take(['replaceRole', 201], other);
  const built = { path: { role_id: 'viewer' }, headers: any };
  await walk.call('replaceRole', { ...built, body: role });
  await walk.call('deleteRole', built);
  const binding = { role: 'plant', subject: { kind: 'group', name: 'crew' } };
  const bound = await steps.take(['createRoleBinding', 201], { body: binding });
  const tied = { path: { binding_id: idOf(bound) } };
  await steps.take(['listRoleBindings', 200]);
  await steps.take(['getRoleBinding', 200], tied);
  await steps.take(['replaceRoleBinding', 200], { ...tied, headers: any, body: binding });
  const lost = { ...binding, role: 'no-such-role' };
  await walk.call('replaceRoleBinding', { ...tied, headers: any, body: lost });
  await walk.call('createRoleBinding', { body: lost });
  await walk.call('patchApiKey', { path, headers: any, body: { role: 'no-such-role' } });
  await walk.call('replaceRole', { ...plant, headers: any, body: { scopes: [] } });
  await steps.take(['deleteRoleBinding', 204], { ...tied, headers: any });
  await steps.take(['deleteRole', 204], { ...plant, headers: any });
  await steps.take(['deleteApiKey', 204], { path, headers: any });
  await steps.take(['getApiKey', 404], { path });
  const web = { url: hook, events: ['node.joined'], secret: SIGNING_SECRET };
  const made = {
    path: { webhook_id: idOf(await steps.take(['createWebhook', 201], { body: web })) },
  };
  await steps.take(['listWebhooks', 200], {}, { items: [{ url: hook }] });
  await steps.take(['getWebhook', 200], made);
  await steps.take(['replaceWebhook', 200], { ...made, headers: any, body: web });
  await steps.take(['patchWebhook', 200], { ...made, headers: any, body: { enabled: false } });
  await steps.take(['testWebhook', 200], made);
  await steps.take(['listWebhookDeliveries', 200], made);
  await steps.take(['deleteWebhook', 204], { ...made, headers: any });
  const records = { query: { action: 'createUser' } };
  await steps.take(['listAuditRecords', 200], records);
}

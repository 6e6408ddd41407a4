import { mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BackupView, LongOperation, RestoreResult } from '#libs/api-contracts';
import { formatPasswordHash } from '#libs/access';
import { DURABLE, freePort, messageOf, quiet, until } from '#libs/testkit';
import { DEADLINE_MS, KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { askingAuth } from '../../../test/api/fake-auth.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const HASH = formatPasswordHash({
  ...{ cost: 10, blockSize: 8, parallelism: 1 },
  ...{ salt: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) },
});

const DEFINITIONS = {
  format: 'skein-definitions',
  version: 1,
  users: [{ name: 'ann', credentials: [HASH], groups: ['g'], acl: [] }],
  acl_rules: [{ effect: 'allow', actions: ['publish'], topics: ['a/#'] }],
  bans: [{ kind: 'client_id', value: 'bad' }],
  bridges: [{ id: 'hook', kind: 'webhook', url: 'https://h/x' }],
  bridge_rules: [
    { id: 'r', bridge: 'hook', direction: 'mqtt-to-webhook', filter: 'a/#', where: 'true' },
  ],
  bridge_rule_order: ['r'],
  auth: {
    backends: [{ id: 'fleet', kind: 'webhook', settings: { url: 'https://login.example/' } }],
    ...{ order: ['fleet', 'stored'], chains: { tls: ['fleet'] } },
  },
};

const RESTORES = ['backups:execute', 'definitions:write', 'operations:read', 'backups:read'];

describe('backups', () => {
  let folder: string;
  let api: ApiProcess;
  let bare: ApiProcess;
  let node: FakeNode;
  const bindings: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skein-backups-'));
    await writeFile(join(folder, 'key'), 'a key that is long enough for backups\n');
    const ports = { SKEIN_API_KEY: KEY, SKEIN_COMMANDS_PORT: String(await freePort()) };
    const config = await configOf({
      ...ports,
      SKEIN_BACKUPS_DIR: folder,
      SKEIN_BACKUPS_KEY_FILE: join(folder, 'key'),
    });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
    bare = await open(await configOf(ports));
  });

  beforeEach(async () => {
    await clear();
    await operate(api, 'importDefinitions', { json: DEFINITIONS });
    await operate(api, 'createRole', { json: { id: 'half', scopes: ['clients:read'] } });
    const { node: side, retained, delayed } = node.backups;
    const client = await side.connected('device', DURABLE);
    await client.subscribe('to/device', { qos: 1 });
    client.cut();
    await quiet();
    const publisher = await side.connected('publisher');
    for (const text of ['1', '2', '3']) publisher.publish('to/device', text, { qos: 1 });
    await quiet();
    await retained.store(['r/1', 'r/2'].map((topic) => messageOf({ topic, retain: true })));
    const bounds = { messagesMax: 10, bytesMax: 10_000 };
    await delayed.add([{ message: messageOf({ topic: 'later' }), delayMs: 60_000 }], bounds);
  });

  afterEach(async () => {
    node.mute = new Set();
  });

  afterAll(async () => {
    await api.stop();
    await bare.stop();
    await node.server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function clear(): Promise<void> {
    node.backups.empty();
    node.auth = askingAuth();
    node.ruleOrder = { ids: [], revision: 0 };
    for (const id of bindings.splice(0)) {
      const path = `/api/v1/role-bindings/${id}`;
      await call(api, path, { method: 'DELETE', headers: { 'if-match': '*' } });
    }
    const { format, version } = DEFINITIONS;
    const none = { users: [], acl_rules: [], bans: [], bridges: [], bridge_rules: [] };
    const json = { format, version, ...none };
    await operate(api, 'importDefinitions', { json, path: '?mode=replace' });
    const { headers } = await call(api, '/api/v1/roles/half');
    const etag = headers.get('etag');
    if (etag === null) return;
    await call(api, '/api/v1/roles/half', { method: 'DELETE', headers: { 'if-match': etag } });
  }

  async function ended(started: { readonly status: number; readonly body: unknown }) {
    expect(started).toMatchObject({ status: 202 });
    const { id } = started.body as LongOperation;
    let found = started.body as LongOperation;
    await until(async () => {
      found = (await operate(api, 'getOperation', { path: `/api/v1/operations/${id}` }))
        .body as LongOperation;
      return found.ended_at !== null;
    }, DEADLINE_MS);
    return found;
  }

  const backUp = async (json: object = {}): Promise<BackupView> => {
    const operation = await ended(await operate(api, 'createBackup', { json }));
    expect(operation).toMatchObject({ state: 'succeeded' });
    return (operation.result as { readonly backup: BackupView }).backup;
  };

  const restore = async ({ id }: Pick<BackupView, 'id'>, json: object = {}) =>
    ended(await operate(api, 'restoreBackup', { path: `/api/v1/backups/${id}/restores`, json }));

  const restored = async (backup: BackupView, json: object = {}): Promise<RestoreResult> => {
    const operation = await restore(backup, json);
    expect(operation).toMatchObject({ state: 'succeeded', problem: null });
    return operation.result as RestoreResult;
  };

  const problemOf = async (backup: BackupView): Promise<unknown> => (await restore(backup)).problem;

  it('bring back everything into an empty cluster, equal by checksum', async () => {
    const backup = await backUp();
    expect(backup).toMatchObject({ encryption: 'aes-256-gcm', available: true, cluster: 'skein' });
    expect(backup.sections.map(({ name, items }) => [name, items])).toEqual([
      ...[
        ['bridges', 1],
        ['bridge_rules', 1],
        ['bridge_rule_order', 1],
        ['acl_rules', 1],
        ['auth', 1],
        ['users', 1],
        ['bans', 1],
      ],
      ...[
        ['roles', 1],
        ['role_bindings', 0],
        ['retained', 2],
        ['delayed', 1],
        ['sessions', 1],
      ],
    ]);
    await clear();
    const empty = await backUp();
    const tried = await restored(backup, { dry_run: true });
    expect((await backUp()).sections).toEqual(empty.sections);
    const result = await restored(backup);
    expect(result).toEqual({ ...tried, dry_run: false });
    expect(result.refusals).toEqual([]);
    for (const { items, restored: count } of result.sections) expect(count).toBe(items);
    expect((await backUp()).sections).toEqual(backup.sections);
    const again = await restored(backup);
    for (const { items, unchanged } of again.sections) expect(unchanged).toBe(items);
    const client = await node.backups.node.connected('device', DURABLE);
    await quiet();
    expect(client.takeTexts()).toEqual(['1', '2', '3']);
  });

  it('leave alone what is there, unless they are to take its place, and clients that are connected', async () => {
    const backup = await backUp();
    const { retained, node: side } = node.backups;
    const newer = messageOf({ topic: 'r/1', retain: true, payload: Buffer.from('newer') });
    await retained.store([newer]);
    const bridges = [{ id: 'hook', kind: 'webhook', url: 'https://other/x' }];
    const { format, version } = DEFINITIONS;
    await operate(api, 'importDefinitions', { json: { format, version, bridges } });
    const [publisher] = [await side.connected('publisher')];
    publisher.publish('to/device', '4', { qos: 1 });
    await quiet();
    expect((await restored(backup)).refusals).toEqual([
      { section: 'bridges', id: 'hook', reason: 'present', detail: null },
      { section: 'retained', id: 'r/1', reason: 'present', detail: null },
      { section: 'sessions', id: 'device', reason: 'present', detail: null },
    ]);
    await side.connected('device', DURABLE);
    const replaced = await restored(backup, {
      mode: 'replace',
      sections: ['retained', 'sessions'],
    });
    expect(replaced).toMatchObject({
      sections: [
        { name: 'retained', items: 2, restored: 1, unchanged: 1, refused: {} },
        { name: 'sessions', items: 1, restored: 0, unchanged: 0, refused: { connected: 1 } },
      ],
    });
  });

  it('of which an answer was lost are gone on with, and nothing is done twice', async () => {
    const backup = await backUp({ encryption: 'none' });
    await clear();
    const answer = node.backups.answer.bind(node.backups);
    const lost = new Set(['restore-sessions', 'restore-delayed', 'restore-retained']);
    node.backups.answer = async (command) => {
      const answered = await answer(command);
      if (lost.delete(command.kind)) {
        throw Object.assign(new Error('away'), { code: 'STORE_UNAVAILABLE' });
      }
      return answered;
    };
    const result = await restored(backup);
    node.backups.answer = answer;
    expect(result.refusals).toEqual([]);
    expect((await backUp()).sections).toEqual(backup.sections);
  });

  it('are listed, shown, downloaded, deleted and taken up again', async () => {
    const backup = await backUp({ encryption: 'none' });
    const path = `/api/v1/backups/${backup.id}`;
    expect(await operate(api, 'getBackup', { path })).toMatchObject({ status: 200, body: backup });
    const listed = await operate(api, 'listBackups', { path: '?limit=1' });
    expect(listed.body).toMatchObject({ items: [backup], page: { has_more: true } });
    const content = await call(api, `${path}/content`);
    expect(content).toMatchObject({ status: 200 });
    expect(content.headers.get('content-length')).toBe(String(backup.bytes));
    expect(content.headers.get('etag')).toBe(`"${backup.sha256}"`);
    const bytes = await readFile(join(folder, backup.file));
    expect(await operate(api, 'deleteBackup', { path })).toMatchObject({ status: 204 });
    expect(await readdir(folder)).not.toContain(backup.file);
    expect(await operate(api, 'getBackup', { path })).toMatchObject({ status: 404 });
    await writeFile(join(folder, 'other.skein'), bytes);
    const known = await backUp({ file: 'other.skein' });
    const { sha256, sections, created_at, bytes: size } = backup;
    expect(known).toMatchObject({ sha256, sections, created_at, bytes: size, file: 'other.skein' });
    expect(known.id).not.toBe(backup.id);
    expect(await operate(api, 'createBackup', { json: { file: 'other.skein' } })).toMatchObject({
      status: 422,
    });
  });

  it('whose file is not here, or is another one, are not restored, and say so', async () => {
    const backup = await backUp();
    const path = `/api/v1/backups/${backup.id}`;
    const file = join(folder, backup.file);
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, bytes.length - 3));
    expect(await problemOf(backup)).toMatchObject({
      code: 'unprocessable',
      detail: expect.stringMatching(
        /^The archive cannot be read\. byte \d+: the file ends/,
      ) as unknown,
    });
    const { file: other } = await backUp();
    await writeFile(file, await readFile(join(folder, other)));
    expect(await problemOf(backup)).toMatchObject({
      detail: expect.stringContaining('is not the file that the backup was') as unknown,
    });
    await rm(file);
    expect(await operate(api, 'getBackup', { path })).toMatchObject({ body: { available: false } });
    for (const answer of [
      await operate(api, 'downloadBackup', { path: `${path}/content` }),
      await operate(api, 'restoreBackup', { path: `${path}/restores`, json: {} }),
      await operate(api, 'deleteBackup', { path }),
    ]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'conflict' } });
    }
    const forgotten = await operate(api, 'deleteBackup', { path: `${path}?forget=true` });
    expect(forgotten).toMatchObject({ status: 204 });
  });

  it('are begun anew when the node goes that was telling of retained messages', async () => {
    const backup = await backUp();
    const answer = node.backups.answer.bind(node.backups);
    let lost = 2;
    node.backups.answer = async (command) => {
      if (command.kind === 'backup-retained' && command.page === 1 && lost > 0) {
        lost -= 1;
        return { kind: 'lost', messages: [], hasMore: false };
      }
      return answer(command);
    };
    const second = await backUp();
    node.backups.answer = answer;
    expect(lost).toBe(0);
    expect(second.sections).toEqual(backup.sections);
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('say at once when the directory has gone', async () => {
    await rename(folder, `${folder}.away`);
    const refused = await operate(api, 'createBackup', { json: {} });
    await rename(`${folder}.away`, folder);
    expect(refused).toMatchObject({
      status: 422,
      body: { detail: 'backups.dir cannot be written to: ENOENT' },
    });
  });

  it('need a place, and names of files without a path', async () => {
    expect(await operate(bare, 'createBackup', { json: {} })).toMatchObject({
      status: 422,
      body: { detail: 'backups.dir is not set: there is no place for backups' },
    });
    for (const file of ['../key', 'a/b', '.hidden', '']) {
      expect(await operate(api, 'createBackup', { json: { file } })).toMatchObject({ status: 400 });
    }
    const missing = await ended(await operate(api, 'createBackup', { json: { file: 'none' } }));
    expect(missing).toMatchObject({ state: 'failed', problem: { code: 'unprocessable' } });
    const foreign = await ended(await operate(api, 'createBackup', { json: { file: 'key' } }));
    expect(foreign).toMatchObject({ state: 'failed', problem: { code: 'unprocessable' } });
    expect(JSON.stringify(foreign)).not.toContain('long enough');
  });

  it.each([
    ['without a scope of it', { scopes: [...RESTORES, 'roles:write'] }],
    ['without roles:write', { scopes: [...RESTORES, 'clients:read'] }],
    [
      'bound to addresses',
      { scopes: [...RESTORES, 'roles:write', 'clients:read'], allowed_cidrs: ['127.0.0.0/8'] },
    ],
    [
      'of a key that ends',
      { scopes: [...RESTORES, 'roles:write', 'clients:read'], expires_at: '2100-01-01T00:00:00Z' },
    ],
  ])('give nobody a role that they could not give: %s', async (_, key) => {
    const binding = { role: 'half', subject: { kind: 'group', name: 'everybody' } };
    const bound = await operate(api, 'createRoleBinding', { json: binding });
    bindings.push((bound.body as { readonly id: string }).id);
    const backup = await backUp();
    await clear();
    const made = await operate(api, 'createApiKey', { json: { name: 'k', ...key } });
    const { secret } = made.body as { readonly secret: string };
    const headers = { authorization: `Bearer ${secret}` };
    const path = `/api/v1/backups/${backup.id}/restores`;
    const sections = ['roles', 'role_bindings'];
    const restored = async (dry_run: boolean) => {
      const json = { sections, dry_run };
      const started = await operate(api, 'restoreBackup', { path, headers, json });
      return (await ended(started)).result as RestoreResult;
    };
    const role = { section: 'roles', id: 'half', reason: 'failed' };
    expect((await restored(true)).refusals).toContainEqual(expect.objectContaining(role));
    expect(await restored(false)).toMatchObject({
      sections: [{ restored: 0 }, { restored: 0 }],
      refusals: [role, { section: 'role_bindings', reason: 'failed' }],
    });
  });
});

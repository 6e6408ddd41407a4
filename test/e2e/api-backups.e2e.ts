import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { formatPasswordHash } from '#libs/access';
import type {
  BackupView,
  DefinitionsImported,
  LongOperation,
  RestoreResult,
} from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import type { Settings } from './harness/app.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

/** `npm run bench:backup` does the same with 10,000 sessions and 50,000 retained messages. */
const SESSIONS = 300;
const RETAINED = 3_000;
const USERS = 200;
const TEXTS = ['one', 'two', 'three', 'four', 'five'];
const AT_ONCE = 50;
const LASTING = { clean: false, properties: { sessionExpiryInterval: 3_600 } } as const;
/** A replica that is killed keeps its lease for fifteen seconds. */
const WAIT_MS = 45_000;

const shared = new Scope();
const scope = new Scope();
let folder: string;
let settings: Settings;
/** What a cluster held that is gone. */
let backup: BackupView;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-backups-'));
  shared.add(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'key'), 'a secret that only those who restore may have\n');
  settings = { BACKUPS_DIR: folder, BACKUPS_KEY_FILE: join(folder, 'key') };
  const source = new Scope();
  try {
    const { nodes, redis } = await startCluster(source);
    const api = await Api.start(source, { ...redis, ...settings });
    await fill(api, nodes, source);
    backup = await backUp(api);
  } finally {
    await source.close();
  }
});
afterEach(() => scope.close());
afterAll(() => shared.close());

async function fill(api: Api, nodes: readonly [Broker, ...Broker[]], within: Scope): Promise<void> {
  const hash = formatPasswordHash({
    ...{ cost: 10, blockSize: 8, parallelism: 1 },
    ...{ salt: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) },
  });
  const users = Array.from({ length: USERS }, (_, index) => ({
    ...{ name: `user-${String(index)}`, credentials: [hash], groups: ['all'], acl: [] },
  }));
  const bridge = { id: 'hook', kind: 'webhook', url: 'https://hooks.example/x' };
  const rule = {
    id: 'r',
    bridge: 'hook',
    direction: 'mqtt-to-webhook',
    filter: 'none/#',
    ack: 'webhook',
  };
  const imported = await api.call('importDefinitions', {
    body: {
      ...{ format: 'skein-definitions', version: 1, users, bridges: [bridge] },
      acl_rules: [{ effect: 'allow', topics: ['#'] }],
      bans: [{ kind: 'client_id', value: 'bad' }],
      bridge_rules: [rule],
    },
  });
  const { results } = imported.body as DefinitionsImported;
  expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  await api.call('createRole', { body: { id: 'looker', scopes: ['clients:read'] } });
  for (let from = 0; from < SESSIONS; from += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, (_, index) => from + index);
    await Promise.all(some.map((index) => leaveSession(nodes, index)));
  }
  const publisher = await Client.connect(within, nodes[0].url);
  for (const text of TEXTS)
    await publisher.publish('to/all', text, { qos: text === 'two' ? 2 : 1 });
  for (let from = 0; from < RETAINED; from += 1_000) {
    const messages = Array.from({ length: 1_000 }, (_, index) => ({
      ...{ topic: `kept/${String(from + index)}`, payload: `value ${String(index)}` },
      ...{ retain: true, qos: 1 },
    }));
    expect((await api.call('publishMessages', { body: messages })).status).toBe(200);
  }
  await publisher.publish('$delayed/3600/later', 'in an hour');
  await publisher.publish('$hidden/state', 'on', { qos: 1, retain: true });
}

async function leaveSession(nodes: readonly Broker[], index: number): Promise<void> {
  const own = new Scope();
  const { url = '' } = nodes[index % nodes.length] ?? {};
  const client = await Client.connect(own, url, { clientId: `s-${String(index)}`, ...LASTING });
  await client.subscribe('to/all', 2);
  await client.leave();
  await own.close();
}

async function ended(api: Api, { status, body }: Awaited<ReturnType<Api['call']>>) {
  expect(status).toBe(202);
  let found = body as LongOperation;
  await until(async () => {
    const path = { operation_id: found.id };
    found = (await api.call('getOperation', { path })).body as LongOperation;
    return found.ended_at !== null;
  }, WAIT_MS);
  return found;
}

async function backUp(api: Api, body: object = {}): Promise<BackupView> {
  const operation = await ended(api, await api.call('createBackup', { body }));
  expect(operation).toMatchObject({ state: 'succeeded', problem: null });
  return (operation.result as { readonly backup: BackupView }).backup;
}

/** The backup as another cluster comes to know it. */
async function takeUp(api: Api): Promise<BackupView> {
  const known = await backUp(api, { file: backup.file });
  const { sha256, sections, cluster, encryption } = backup;
  expect(known).toMatchObject({ sha256, sections, cluster, encryption });
  return known;
}

const restore = (api: Api, { id }: BackupView) =>
  api.call('restoreBackup', { path: { backup_id: id }, body: {} });

function expectAll({ sections, refusals }: RestoreResult): void {
  expect(refusals).toEqual([]);
  const counts = sections.map(({ restored, unchanged }) => restored + unchanged);
  expect(counts).toEqual(backup.sections.map(({ items }) => items));
}

it('holds what the cluster held', () => {
  expect(backup.sections.map(({ name, items, messages }) => [name, items, messages])).toEqual([
    ['bridges', 1, 0],
    ['bridge_rules', 1, 0],
    ['bridge_rule_order', 0, 0],
    ['acl_rules', 1, 0],
    ['auth', 0, 0],
    ['users', USERS, 0],
    ['bans', 1, 0],
    ['roles', 1, 0],
    ['role_bindings', 0, 0],
    ['retained', RETAINED + 1, 0],
    ['delayed', 1, 0],
    ['sessions', SESSIONS, SESSIONS * TEXTS.length],
  ]);
});

it('brings back another cluster, equal by checksum, though the replica that restores is killed half-way', async () => {
  const { nodes, redis } = await startCluster(scope);
  const first = await Api.start(scope, { ...redis, ...settings });
  const known = await takeUp(first);
  const second = await Api.start(scope, { ...redis, ...settings });
  const started = await restore(first, known);
  const path = { operation_id: (started.body as LongOperation).id };
  const progress = async () => (await second.call('getOperation', { path })).body as LongOperation;
  await until(async () => (await progress()).progress.done > USERS, WAIT_MS);
  await first.child.kill();
  const killed = await progress();
  expect(killed).toMatchObject({ state: 'running', attempts: 1 });
  expect(killed.progress.done).toBeLessThan(killed.progress.total ?? 0);

  const operation = await ended(second, started);
  expect(operation).toMatchObject({ state: 'succeeded', attempts: 2 });
  expectAll(operation.result as RestoreResult);
  expect((await backUp(second)).sections).toEqual(backup.sections);
  await expectServed(nodes[1].url);
}, 120_000);

it('brings back a node without Redis as well', async () => {
  const data = join(folder, 'data');
  const node = await Broker.start(scope, { DATA_DIR: data, AUTH_ANONYMOUS: 'true' });
  const api = await Api.start(scope, { ...node.settings, ...settings });
  const operation = await ended(api, await restore(api, await takeUp(api)));
  expectAll(operation.result as RestoreResult);
  expect((await backUp(api)).sections).toEqual(backup.sections);
  await node.child.kill();
  await node.start();
  expect((await backUp(api)).sections).toEqual(backup.sections);
  await expectServed(node.url);
});

it('refuses a file that was changed or cut off, and changes nothing', async () => {
  const node = await Broker.start(scope, { AUTH_ANONYMOUS: 'true' });
  const api = await Api.start(scope, { ...node.settings, ...settings });
  const known = await takeUp(api);
  const before = (await backUp(api)).sections;
  const path = join(folder, backup.file);
  const bytes = await readFile(path);
  const saved = `${path}.saved`;
  await copyFile(path, saved);
  try {
    const changed = Buffer.from(bytes);
    const middle = bytes.length >>> 1;
    changed[middle] = (changed[middle] ?? 0) ^ 1;
    for (const content of [changed, bytes.subarray(0, middle), bytes.subarray(0, -1)]) {
      await writeFile(path, content);
      const operation = await ended(api, await restore(api, known));
      expect(operation).toMatchObject({
        state: 'failed',
        problem: { code: 'unprocessable', detail: expect.stringMatching(/byte \d+: /) as unknown },
      });
    }
  } finally {
    await copyFile(saved, path);
  }
  expect((await backUp(api)).sections).toEqual(before);
  // The list of ACL rules is one item, with or without rules.
  const held = before.filter(({ items }) => items > 0).map(({ name }) => name);
  expect(held).toEqual(['acl_rules']);
});

async function expectServed(url: string): Promise<void> {
  const client = await Client.connect(scope, url, { clientId: 's-7', ...LASTING });
  expect(client.sessionPresent).toBe(true);
  await client.receives(TEXTS.length);
  const [exact, others] = ['two', TEXTS.filter((text) => text !== 'two')];
  // MQTT.js shows a message of QoS 2 when its PUBREL comes.
  expect(client.payloads.filter((text) => text !== exact)).toEqual(others);
  expect(client.received).toContainEqual(expect.objectContaining({ payload: exact, qos: 2 }));
  const reader = await Client.connect(scope, url);
  await reader.subscribe('kept/#');
  await reader.receives(RETAINED);
}

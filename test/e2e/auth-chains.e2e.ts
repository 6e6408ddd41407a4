import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startWebhookServer, until, type WebhookServer } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { openRedis } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const KEY = 'open-sesame-open-sesame';
const PLANTED = 'planted-secret-of-a-backend';
/** What the contract allows a change to take until it is in force on every node. */
const IN_FORCE_MS = 2_000;
const SETTINGS = {
  AUTH_CHAIN: '[{ kind: stored }]',
  AUTH_ANONYMOUS: 'false',
  AUTH_SALT_SECRET: 'planted-secret-of-salts',
  AUTH_ITERATIONS: 4096,
  AUTH_HASH_COST: 10,
  AUTH_REST_ALLOW_PRIVATE: 'true',
  FLAPPING_CONNECTIONS_MAX: 0,
};

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

describe('who is asked, changed while two nodes run', () => {
  const shared = new Scope();
  let hook: WebhookServer;
  let secrets: string;
  let nodes: Broker[];
  let api: Api;

  beforeAll(async () => {
    secrets = await mkdtemp(join(tmpdir(), 'skein-secrets-'));
    shared.add(() => rm(secrets, { recursive: true }));
    await writeFile(join(secrets, 'hook'), `Bearer ${PLANTED}\n`);
    hook = await startWebhookServer();
    shared.add(() => hook.stop());
    // It knows those of one fleet, and them alone.
    hook.answer = ({ body }) => {
      const { username } = JSON.parse(body.toString()) as { readonly username?: string };
      const result = username?.startsWith('fleet-') === true ? 'allow' : 'ignore';
      return { status: 200, body: JSON.stringify({ result }) };
    };
    const redis = { REDIS_URL: (await openRedis(shared)).url };
    const settings = { ...redis, ...SETTINGS, AUTH_REST_SECRETS_DIR: secrets };
    nodes = [await Broker.prepare(shared, settings), await Broker.prepare(shared, settings)];
    await Promise.all(nodes.map((node) => node.start()));
    api = await Api.start(shared, { ...redis, ...SETTINGS }, KEY);
    await api.call('createUser', { body: { name: 'ann', password: PLANTED } });
  });
  afterAll(() => shared.close());

  async function letsIn(node: Broker, username: string, password = 'shown'): Promise<boolean> {
    const { mqtt } = new Client(scope, node.url, { username, password });
    const isIn = await new Promise<boolean>((resolve) => {
      mqtt.once('connect', () => resolve(true));
      mqtt.once('error', () => resolve(false));
    });
    await mqtt.endAsync(true);
    return isIn;
  }

  /** Waits until it is so on both nodes. */
  async function inForce(username: string, isIn: boolean, password?: string): Promise<void> {
    await until(async () => {
      const all = await Promise.all(nodes.map((node) => letsIn(node, username, password)));
      return all.every((each) => each === isIn);
    }, IN_FORCE_MS);
  }

  const backend = (settings: object = {}) => ({
    ...{ id: 'fleet', kind: 'webhook' },
    settings: {
      url: `http://127.0.0.1:${String(hook.port)}/login`,
      headers: { authorization: { file: join(secrets, 'hook') } },
      ...{ allow_private: true, cache_ms: 0 },
      ...settings,
    },
  });

  it('lets in and keeps out on both nodes within two seconds, and tells no secret', async () => {
    await inForce('ann', true, PLANTED);
    await inForce('fleet-7', false);

    const tried = await api.call('createAuthBackend', {
      ...{ query: { dry_run: 'true' }, body: backend() },
    });
    expect(tried.status).toBe(200);
    await inForce('fleet-7', false);

    const made = await api.call('createAuthBackend', { body: backend() });
    expect(made.status).toBe(201);
    await inForce('fleet-7', true);
    // Those whom it does not know are still asked about elsewhere, and it is asked with its secret.
    await inForce('ann', true, PLANTED);
    expect(hook.stored.at(-1)?.headers['authorization']).toEqual([`Bearer ${PLANTED}`]);

    const resident = await Client.connect(scope, nodes[0]?.url ?? '', {
      username: 'fleet-1',
      password: 'x',
    });
    const set = await api.call('replaceAuthChain', {
      path: { listener: 'tcp' },
      headers: { 'if-match': made.headers.get('etag') ?? '' },
      body: { backends: ['stored'] },
    });
    expect(set).toMatchObject({ status: 200, body: { backends: ['stored'], own: true } });
    await inForce('fleet-7', false);
    expect(resident.mqtt.connected).toBe(true);

    const own = await api.call('replaceAuthChain', {
      path: { listener: 'tcp' },
      headers: { 'if-match': set.headers.get('etag') ?? '' },
      body: { backends: ['fleet'] },
    });
    await inForce('fleet-7', true);
    await inForce('ann', false, PLANTED);

    const refused = await api.call('deleteAuthBackend', {
      path: { backend_id: 'fleet' },
      headers: { 'if-match': own.headers.get('etag') ?? '' },
    });
    expect(refused.status).toBe(409);
    const back = await api.call('replaceAuthChain', {
      path: { listener: 'tcp' },
      headers: { 'if-match': own.headers.get('etag') ?? '' },
      body: { backends: null },
    });
    const deleted = await api.call('deleteAuthBackend', {
      path: { backend_id: 'fleet' },
      headers: { 'if-match': back.headers.get('etag') ?? '' },
    });
    expect(deleted.status).toBe(204);
    await inForce('fleet-7', false);
    await inForce('ann', true, PLANTED);

    const told = [tried, made, set, own, await api.call('listAuthBackends')];
    expect(JSON.stringify(told.map(({ body }) => body))).not.toContain(PLANTED);
    for (const node of nodes) expect(node.child.output).not.toContain(PLANTED);
  });

  it('is refused when a node lacks what it names', async () => {
    const headers = { authorization: { file: join(secrets, 'none') } };
    const refused = await api.call('createAuthBackend', { body: backend({ headers }) });
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/settings/headers/authorization' }] },
    });
    const outside = { authorization: { file: '/etc/hostname' } };
    const foreign = await api.call('createAuthBackend', { body: backend({ headers: outside }) });
    expect(foreign.status).toBe(422);
    const { body } = await api.call('listAuthBackends');
    expect(body).toMatchObject({ items: [{ id: 'stored' }] });
  });

  it('stays as it was set when a node starts again', async () => {
    const made = await api.call('createAuthBackend', { body: backend() });
    await inForce('fleet-7', true);
    const [node] = nodes;
    if (node === undefined) throw new Error('there are two');
    await node.stop();
    await node.start();
    await inForce('fleet-7', true);
    const deleted = await api.call('deleteAuthBackend', {
      path: { backend_id: 'fleet' },
      headers: { 'if-match': made.headers.get('etag') ?? '' },
    });
    expect(deleted.status).toBe(204);
    await inForce('fleet-7', false);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ScramClient, until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const NOT_AUTHORIZED = 0x87;
const WRONG_PASSWORD = 0x86;
const KEY = 'open-sesame-open-sesame';
const METHOD = 'SCRAM-SHA-256';
const PLANTED = 'planted-secret-of-a-user';
const SETTINGS = {
  AUTH_CHAIN: '[{ kind: stored }]',
  AUTH_SALT_SECRET: 'planted-secret-of-salts',
  AUTH_ITERATIONS: 4096,
  AUTH_HASH_COST: 10,
};
const ALLOW = { effect: 'allow', topics: ['plant/${username}/#'] };

jest.setTimeout(90_000);

const scope = new Scope();
afterEach(() => scope.close());

describe('stored users of a cluster', () => {
  const shared = new Scope();
  let cluster: Cluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await startCluster(shared, SETTINGS);
    api = await Api.start(shared, { ...cluster.redis, ...SETTINGS }, KEY);
  });
  afterAll(() => shared.close());

  const url = (node: number): string => cluster.nodes[node]?.url ?? '';
  const connect = (node: number, username: string, password: string): Promise<Client> =>
    Client.connect(scope, url(node), { username, password });

  /** The code of a CONNACK that refuses; undefined for one that does not. */
  async function refusal(node: number, username: string, password: string) {
    const { mqtt } = new Client(scope, url(node), { username, password });
    const code = await new Promise<number | undefined>((resolve) => {
      mqtt.once('connect', () => resolve(undefined));
      mqtt.once('error', (error) => resolve((error as { readonly code?: number }).code ?? -1));
    });
    await mqtt.endAsync(true);
    return code;
  }

  async function create(name: string, own: object = {}): Promise<string> {
    const body = { name, password: PLANTED, acl: [ALLOW], ...own };
    const made = await api.call('createUser', { body });
    expect(made.status).toBe(201);
    return made.headers.get('etag') ?? '';
  }

  async function patch(name: string, etag: string, body: object): Promise<string> {
    const call = { path: { user_name: name }, headers: { 'if-match': etag }, body };
    const changed = await api.call('patchUser', call);
    expect(changed.status).toBe(200);
    return changed.headers.get('etag') ?? '';
  }

  it('are listed by name and group, and a login is tried without a client', async () => {
    for (const name of ['crew-1', 'crew-2', 'guest-1']) {
      await create(name, { groups: [name.slice(0, -2)] });
    }
    const namesOf = async (query: Readonly<Record<string, string>>) => {
      const { body } = await api.call('listUsers', { query });
      return (body as { items: { name: string }[] }).items.map(({ name }) => name);
    };
    expect(await namesOf({ 'username[like]': 'crew-' })).toEqual(['crew-1', 'crew-2']);
    expect(await namesOf({ 'username[like]': 'crew-1' })).toEqual(['crew-1']);
    expect(await namesOf({ group: 'guest' })).toEqual(['guest-1']);
    expect(await namesOf({ 'username[in]': 'guest-1,nobody' })).toEqual(['guest-1']);
    const test = async (username: string, password: string) => {
      const body = { client_id: 'trial', username, password };
      const call = { path: { backend_id: 'stored' }, body };
      return (await api.call('testAuthBackend', call)).body;
    };
    const allowed = { decision: 'allowed', user: 'crew-1', groups: ['crew'], rule_count: 1 };
    expect(await test('crew-1', PLANTED)).toMatchObject(allowed);
    expect(await test('crew-1', 'wrong')).toMatchObject({ decision: 'denied' });
    expect(await test('nobody', PLANTED)).toMatchObject({ decision: 'not_mine' });
    const chains = await api.call('listAuthChains');
    expect(chains.body).toMatchObject({ items: [{ backends: ['stored'] }, {}] });
  });

  it('log in at every node, and their clients are held to what is changed', async () => {
    const etag = await create('ann');
    const clients = [await connect(0, 'ann', PLANTED), await connect(1, 'ann', PLANTED)];
    const [first] = clients;
    expect(await first?.subscribe('plant/ann/#')).toEqual([1]);
    await clients[1]?.publish('plant/ann/a', 'before');
    expect((await first?.receives(1))?.[0]?.payload).toBe('before');
    expect(await refusal(2, 'ann', 'wrong')).toBe(WRONG_PASSWORD);
    expect(await refusal(2, 'nobody', PLANTED)).toBe(WRONG_PASSWORD);

    const narrowed = await patch('ann', etag, { acl: [] });
    for (const client of clients)
      await until(() => refused(client.publish('plant/ann/a', 'x')), WAIT_MS);
    expect(clients.map(({ closes }) => closes)).toEqual([0, 0]);

    const changed = await patch('ann', narrowed, { password: 'another one' });
    await until(() => clients.every(({ closes }) => closes === 1), WAIT_MS);
    expect(clients.map(({ disconnects }) => disconnects)).toEqual([
      [NOT_AUTHORIZED],
      [NOT_AUTHORIZED],
    ]);
    for (const node of [0, 1, 2]) {
      await until(async () => (await refusal(node, 'ann', PLANTED)) === WRONG_PASSWORD, WAIT_MS);
      expect(await refusal(node, 'ann', 'another one')).toBeUndefined();
    }

    const last = await connect(2, 'ann', 'another one');
    const call = { path: { user_name: 'ann' }, headers: { 'if-match': changed } };
    expect((await api.call('deleteUser', call)).status).toBe(204);
    await until(() => last.closes === 1, WAIT_MS);
    expect(last.disconnects).toEqual([NOT_AUTHORIZED]);
    expect(await refusal(2, 'ann', 'another one')).toBe(WRONG_PASSWORD);
  });

  it('prove themselves by SCRAM where that was wanted, and nowhere else', async () => {
    await create('carol', { scram: true });
    await create('dave');
    expect(await proves('carol', PLANTED)).toBe(true);
    expect(await proves('carol', 'wrong')).toBe(false);
    expect(await proves('dave', PLANTED)).toBe(false);
  });

  /** Whether MQTT.js gets in by SCRAM. */
  async function proves(user: string, password: string): Promise<boolean> {
    const scram = new ScramClient(METHOD, { user, password });
    const client = new Client(scope, url(1), {
      properties: { authenticationMethod: METHOD, authenticationData: scram.first() },
    });
    client.mqtt.handleAuth = ({ properties }, answer) => {
      const data = scram.final(properties?.authenticationData ?? Buffer.of());
      const own = { authenticationMethod: METHOD, authenticationData: data };
      answer(undefined, { cmd: 'auth', reasonCode: 0x18, properties: own });
    };
    await until(() => client.isConnected || client.closes > 0, WAIT_MS);
    return client.isConnected;
  }

  it('are shown in pages, under names of all kinds, and no secret of theirs is anywhere', async () => {
    const names = ['a/+#', 'é 😀', 'q?&%2F', 'o\u00adne'];
    for (const name of names) await create(name, { scram: true });
    const seen: string[] = [];
    let query: Record<string, string> = { limit: '2' };
    for (;;) {
      const { body } = await api.call('listUsers', { query });
      const { items, page } = body as {
        readonly items: readonly { readonly name: string }[];
        readonly page: { readonly next_cursor?: string };
      };
      seen.push(...items.map(({ name }) => name));
      if (page.next_cursor === undefined) break;
      query = { ...query, cursor: page.next_cursor };
    }
    expect(seen).toEqual(expect.arrayContaining(['a/+#', 'é 😀', 'q?&%2F', 'one']));
    expect(new Set(seen).size).toBe(seen.length);
    for (const name of names) {
      const shown = await api.call('getUser', { path: { user_name: name } });
      expect([shown.status, Object.keys(shown.body as object).toSorted()]).toEqual([
        200,
        ['acl', 'groups', 'name', 'password_set_at', 'scram'],
      ]);
    }
    const outputs = [api.child.output, ...cluster.nodes.map(({ child }) => child.output)].join('');
    expect(outputs).not.toContain(PLANTED);
    expect(outputs).not.toContain('$scrypt$');
  });

  it('are asked for as those of simulations', async () => {
    await create('erin', { groups: ['crew'] });
    const checks = [{ action: 'publish', topic: 'plant/erin/a' }];
    const body = { client_id: 'c', username: 'erin', checks };
    expect((await api.call('simulateAcl', { body })).body).toMatchObject({
      results: [{ allowed: true, rule: { source: 'user', index: 0 } }],
    });
  });
});

describe('stored users of a single node', () => {
  it('are there after a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skein-e2e-'));
    scope.add(() => rm(directory, { recursive: true, force: true }));
    const node = await Broker.start(scope, { ...SETTINGS, DATA_DIR: directory });
    const api = await Api.start(scope, node.settings);
    const body = { name: 'ann', password: PLANTED, acl: [ALLOW] };
    expect((await api.call('createUser', { body })).status).toBe(201);
    const login = { username: 'ann', password: PLANTED };
    await (await Client.connect(scope, node.url, login)).publish('plant/ann/a', 'x');
    await node.stop();
    await node.start();
    await (await Client.connect(scope, node.url, login)).publish('plant/ann/a', 'x');
    expect((await api.call('getUser', { path: { user_name: 'ann' } })).status).toBe(200);
  });
});

/** Whether the broker has said no. */
async function refused(answer: Promise<void>): Promise<boolean> {
  try {
    await answer;
    return false;
  } catch {
    return true;
  }
}

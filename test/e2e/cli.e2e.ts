import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { Scope } from './harness/scope.ts';
import { Skein } from './harness/skein.ts';

jest.setTimeout(120_000);

const WAIT_MS = 20_000;
const KEY = 'open-sesame-open-sesame';
const ADMINISTRATIVE_ACTION = 0x98;
const SETTINGS = {
  AUTH_CHAIN: '[{ kind: stored }]',
  AUTH_SALT_SECRET: 'salts-of-this-test-alone',
  AUTH_HASH_COST: 10,
};

const scope = new Scope();
afterEach(() => scope.close());

describe('skein', () => {
  const shared = new Scope();
  let node: Broker;
  let skein: Skein;
  let directory: string;

  const file = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const connect = (clientId: string): Promise<Client> =>
    Client.connect(scope, node.url, { clientId, username: 'sensor-7', password: 'tide table' });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'skein-cli-'));
    shared.add(() => rm(directory, { recursive: true }));
    node = await Broker.start(shared, SETTINGS);
    const api = await Api.start(shared, node.settings, KEY);
    skein = new Skein(scope, { server: api.origin, key: KEY });
    const password = await file('password', 'tide table\n');
    const topics = ['--publish', '#', '--subscribe', '#'];
    const made = await skein.run([
      'users',
      'add',
      'sensor-7',
      '--password-file',
      password,
      ...topics,
    ]);
    if (made.code !== 0) throw new Error(made.notes);
  });
  afterAll(() => shared.close());

  it('shows the cluster and its nodes to people and to programs', async () => {
    const { code, out } = await skein.run(['nodes']);

    expect(code).toBe(0);
    expect(out).toMatch(/^ID +STATE +REACHABLE/);
    expect(out).toContain(node.id);
    expect(await skein.json(['status'])).toMatchObject({ mode: 'embedded', nodes: { alive: 1 } });
    expect(await skein.json(['nodes'])).toMatchObject({
      items: [{ id: node.id }],
      has_more: false,
    });
    const top = await skein.run(['top', '--count', '2', '--interval', '1', '--json']);
    const lines = top.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ received_per_second: expect.any(Number) });
  });

  it('publishes words, files and what it reads, with properties', async () => {
    const client = await connect('reader');
    await client.subscribe('out/#', 1);
    const bytes = await file('payload', '\u0000binary');
    await skein.run(['pub', 'out/word', 'reboot', '--qos', '1', '--user-property', 'by=me']);
    await skein.run(['pub', 'out/file', '--file', bytes, '--content-type', 'x/y']);
    await skein.run(['pub', 'out/input', '--file', '-', '--retain'], {}, 'piped');
    await until(() => client.received.length === 3, WAIT_MS);

    expect(client.received.map(({ topic, payload }) => [topic, payload])).toEqual([
      ['out/word', 'reboot'],
      ['out/file', '\u0000binary'],
      ['out/input', 'piped'],
    ]);
    expect(client.packets[0]).toMatchObject({
      qos: 1,
      properties: { userProperties: { by: 'me' } },
    });
    expect(client.packets[1]).toMatchObject({ properties: { contentType: 'x/y' } });
    const { out } = await skein.run(['retained', '--filter', 'out/#', '--payload', 'text']);
    expect(out).toMatch(/out\/input +0 +5 B +piped/);
    expect(await skein.run(['retained', 'clear', 'out/input'])).toMatchObject({
      code: 0,
      notes: 'cleared\n',
    });
    expect(await skein.json(['retained'])).toMatchObject({ items: [] });
  });

  it('finds a client by any id, disconnects and bans it', async () => {
    const id = 'press/+#%?é😀';
    const client = await connect(id);
    expect(await skein.json(['clients', '--client-id-like', 'press/'])).toMatchObject({
      items: [{ client_id: id, state: 'connected' }],
    });
    expect((await skein.run(['clients', 'disconnect', id])).notes).toBe('disconnected\n');
    await until(() => client.closes === 1, WAIT_MS);
    expect(client.disconnects).toEqual([ADMINISTRATIVE_ACTION]);

    const { code, out } = await skein.run(['bans', 'add', 'client_id', id, '--for', '1h']);
    const [, ban = ''] = /^id +(.+)$/m.exec(out) ?? [];
    expect(code).toBe(0);
    await expect(connect(id)).rejects.toThrow('not connected');
    expect((await skein.run(['bans', 'remove', ban])).notes).toBe('lifted\n');
    await until(
      async () =>
        connect(id).then(
          () => true,
          () => false,
        ),
      WAIT_MS,
    );
  });

  it('walks a list to the number that is asked for, or to its end', async () => {
    for (const id of ['walk-1', 'walk-2', 'walk-3']) await connect(id);
    const walk = ['clients', '--client-id-like', 'walk-'];
    const two = await skein.run([...walk, '--limit', '2']);

    expect(two.out.trimEnd().split('\n')).toHaveLength(3);
    expect(two.notes).toBe('the first 2; --all shows all, --limit N more\n');
    expect(await skein.json([...walk, '--limit', '2'])).toMatchObject({ has_more: true });
    expect(await skein.json([...walk, '--limit', '3'])).toMatchObject({ has_more: false });
    expect(await skein.json([...walk, '--all'])).toMatchObject({
      items: [{ client_id: 'walk-1' }, { client_id: 'walk-2' }, { client_id: 'walk-3' }],
    });
  });

  it('says who may do what, and changes rules and users on what they are now', async () => {
    const rules = await file('rules.yaml', '{ id: secrets, effect: deny, topics: [secret/#] }\n');
    expect((await skein.run(['acl', 'add', '--file', rules])).code).toBe(0);
    const check = ['acl', 'simulate', 'x', 'publish', 'secret/1'];
    await until(async () => {
      const answer = (await skein.json(check)) as {
        readonly results: readonly { allowed: boolean; rule: unknown }[];
      };
      return answer.results[0]?.allowed === false && answer.results[0].rule !== null;
    }, WAIT_MS);
    const password = await file('new', 'low water\n');
    expect(
      (await skein.run(['users', 'set-password', 'sensor-7', '--password-file', password])).code,
    ).toBe(0);
    expect(
      (
        await skein.run([
          'users',
          'set-password',
          'sensor-7',
          '--password-file',
          password,
          '--if-match',
          '"1"',
        ])
      ).code,
    ).toBe(5);
    await file('password', 'tide table\n');
    await skein.run([
      'users',
      'set-password',
      'sensor-7',
      '--password-file',
      join(directory, 'password'),
    ]);
  });

  it('subscribes a client, looks at what it may do, and keeps its session', async () => {
    const client = await connect('desk');
    const subscribed = await skein.run(['clients', 'subscribe', 'desk', 'calls/#', '--qos', '1']);
    expect(subscribed.code).toBe(0);
    await skein.run(['pub', 'calls/1', 'ring', '--qos', '1']);
    await until(() => client.received.length === 1, WAIT_MS);
    expect(await skein.json(['clients', 'check', 'desk', 'publish', 'calls/1'])).toMatchObject({
      allowed: true,
    });
    expect((await skein.run(['clients', 'inflight', 'desk'])).code).toBe(0);
    expect((await skein.run(['clients', 'verdicts', 'desk'])).code).toBe(0);
    const unsubscribe = ['clients', 'unsubscribe', 'desk', 'calls/#'];
    expect((await skein.run(unsubscribe)).notes).toBe('ended\n');
    expect((await skein.run(unsubscribe)).code).toBe(3);
    // A session that ends with its connection is no session that could be kept.
    expect((await skein.run(['sessions', 'keep', 'desk', '2h'])).code).toBe(5);
    expect((await skein.run(['sessions', 'keep', 'desk', 'soon'])).notes).toMatch(/length: write/);
  });

  it('puts messages off, and publishes many at once', async () => {
    const delayed = ['delayed', 'add', 'later/1', 'reboot', '--qos', '1'];
    const { id } = (await skein.json([...delayed, '--in', '2h'])) as { readonly id: string };
    expect(await skein.json(['delayed', 'show', id])).toMatchObject({ topic: 'later/1' });
    expect((await skein.run(['delayed', 'cancel', id])).notes).toBe('cancelled\n');
    expect((await skein.run(delayed)).code).toBe(2);
    const many = await file(
      'many.yaml',
      '[{ topic: a/1, payload: x, retain: true }, { topic: "#" }]',
    );
    expect(await skein.json(['pub-many', '--file', many])).toMatchObject({
      items: [{ index: 0 }, { index: 1, status: 400 }],
    });
    const shown = await skein.run(['retained', 'show', 'a/1', '--payload', 'text']);
    expect(shown.out).toMatch(/^payload +x$/m);
  });

  it('imports and exports users and definitions, and orders rules', async () => {
    const users = await file('users.yaml', '[{ name: imported, password: low tide }]');
    const imported = await skein.run(['users', 'import', '--file', users]);
    expect(imported.code).toBe(0);
    expect(await skein.json(['users', 'export', '--username-like', 'imp'])).toMatchObject({
      result: { count: 1, users: [{ name: 'imported' }] },
    });
    for (const id of ['one', 'two']) {
      const rule = await file(id, `{ id: ${id}, effect: deny, topics: [${id}/#] }`);
      expect((await skein.run(['acl', 'add', '--file', rule])).code).toBe(0);
    }
    const before = (await skein.json(['acl'])) as { readonly items: readonly { id: string }[] };
    const ids = before.items.map(({ id }) => id).toReversed();
    expect((await skein.run(['acl', 'order', ids.join(',')])).code).toBe(0);
    expect(await skein.json(['acl'])).toMatchObject({ items: ids.map((id) => ({ id })) });
    const out = join(directory, 'definitions.json');
    expect((await skein.run(['definitions', 'export', '--out', out])).notes).toMatch(/\d+ bytes/);
    expect((await skein.run(['users', 'remove', 'imported'])).code).toBe(0);
    const import_ = ['definitions', 'import', '--file', out];
    const dry = await skein.json([...import_, '--dry-run']);
    expect(dry).toMatchObject({ dry_run: true });
    expect(await skein.run(['users', 'show', 'imported'])).toMatchObject({ code: 3 });
    expect((await skein.run(import_)).code).toBe(0);
    expect(await skein.run(['users', 'show', 'imported'])).toMatchObject({ code: 0 });
  });

  it('gives roles to keys, and takes them back', async () => {
    const key = (await skein.json(['keys', 'add', 'night', '--scope', 'stats:read'])) as {
      readonly id: string;
    };
    const add = ['role-bindings', 'add', 'viewer', 'api_key', key.id];
    const { id } = (await skein.json(add)) as { readonly id: string };
    expect((await skein.run(['role-bindings', 'remove', id])).notes).toBe('removed\n');
    expect((await skein.run(['role-bindings', 'show', id])).code).toBe(3);
    expect((await skein.run(['health', 'show', 'listeners'])).code).toBe(0);
    expect(await skein.json(['version'])).toMatchObject({ api: 'v1' });
  });

  it('calls any operation by its name', async () => {
    await connect('by-name');
    const { out } = await skein.run(['api', 'call', 'getClient', '--path', 'client_id=by-name']);

    expect(JSON.parse(out)).toMatchObject({ client_id: 'by-name' });
    expect((await skein.run(['api', 'call', 'getNothing'])).code).toBe(2);
  });

  it.each([
    { args: ['clients', 'show', 'nobody'], code: 3, notes: /^skein: not-found: / },
    { args: ['clients', 'show'], code: 2, notes: /<client_id> is missing/ },
    { args: ['clients', 'show', '..'], code: 2, notes: /cannot stand in a path/ },
    {
      args: ['status'],
      env: { SKEINCTL_KEY: 'wrong' },
      code: 4,
      notes: /unauthenticated: .*\nfix: give a key/,
    },
    {
      args: ['status'],
      env: { SKEINCTL_SERVER: 'http://127.0.0.1:1' },
      code: 6,
      notes: /no answer from http.*\nfix: /,
    },
    { args: ['bans', 'add', 'colour', 'red'], code: 2, notes: /\/kind: / },
    {
      args: ['users', 'add', 'x'],
      code: 2,
      notes: /password cannot be asked for without a terminal/,
    },
    { args: ['nothing'], code: 2, notes: /there is no command 'nothing'/ },
  ])('ends $args with $env by code $code and says why', async ({ args, env, code, notes }) => {
    const said = await skein.run(args, env ?? {});

    expect(said.code).toBe(code);
    expect(said.notes).toMatch(notes);
    expect(said.out).toBe('');
    expect(said.notes).not.toContain(KEY);
  });

  it('shows messages and events as they come, and ends without a word when it is told to', async () => {
    const messages = skein.start(['sub', 'live/#', '--json', '--count', '2']);
    const plain = skein.start(['sub', 'live/#']);
    const events = skein.start(['events', '--type', 'client.connected', '--client-id', 'lively']);
    const client = await connect('publisher');
    let sent = 0;
    // Until both streams have begun: what is published before is not theirs.
    await until(async () => {
      await client.publish('live/state', `number ${String((sent += 1))}`, { qos: 1 });
      return messages.stdout !== '' && plain.stdout !== '';
    }, WAIT_MS);
    await client.publish('live/last', 'the last', { qos: 1 });
    await plain.says('live/last the last\n', WAIT_MS);
    await until(async () => {
      await (await connect('lively')).leave();
      return events.stdout !== '';
    }, WAIT_MS);

    expect(await messages.exit()).toBe(0);
    const lines = messages.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ topic: 'live/state', qos: 1 });
    expect(events.stdout).toMatch(/^\S+Z {2}client\.connected {2}\S+ {2}lively {2}/);
    for (const child of [plain, events]) expect(await child.stop()).toBe(0);
    expect(plain.stderr + events.stderr).toBe('');
  });

  it('ends a view at once when it is told to', async () => {
    const top = skein.start(['top', '--interval', '60']);
    await top.says(node.id, WAIT_MS);

    expect(await top.stop()).toBe(0);
  });
});

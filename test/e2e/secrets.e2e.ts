import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { stringify } from 'yaml';
import { OPERATIONS } from '#libs/api-contracts';
import { TestAuthority, freePort, startRedis, until } from '#libs/testkit';
import { Ops, spawnApp, type AppOptions } from './harness/app.ts';
import type { Child } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { PlantedSecrets } from './harness/planted-secrets.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 20_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Throws what nobody catches when the process gets the signal. */
const CRASH = "process.on('SIGUSR2', () => { throw new Error('nobody catches this'); });";
const CRASHING = ['--import', `data:text/javascript,${encodeURIComponent(CRASH)}`];

jest.setTimeout(120_000);

const scope = new Scope();
let planted: PlantedSecrets;
/** Everything that anybody was told. */
let told: string[];

beforeEach(() => {
  planted = new PlantedSecrets(scope);
  told = [];
});
afterEach(() => scope.close());

const nothingFound = (): void => expect(planted.foundIn(told.join('\n'))).toEqual([]);

/** Bridges of every kind with every secret that they take, to where nobody is, and a rule for each. */
async function bridges(): Promise<{
  readonly variables: Record<string, string>;
  settings: object;
}> {
  const [port, other] = [String(await freePort()), String(await freePort())];
  const brokers = [`127.0.0.1:${port}`];
  const kafka = { kind: 'kafka', brokers };
  const file = planted.plantFile('kafka-password');
  const registry = planted.plantFile('registry-password');
  const connectors = [
    {
      ...{ id: 'kafka', ...kafka },
      sasl: { mechanism: 'plain', username: 'skein', password: { file } },
      schemaRegistry: {
        ...{ url: `http://127.0.0.1:${other}`, username: 'skein', password: { file: registry } },
      },
    },
    {
      ...{ id: 'oauth', ...kafka },
      sasl: { mechanism: 'oauthbearer', token: { env: 'KAFKA_TOKEN' } },
    },
    {
      ...{ id: 'hook', kind: 'webhook' },
      url: {
        file: planted.plantFile('hook-url', (secret) => `http://127.0.0.1:${other}/${secret}`),
      },
      headers: { authorization: { env: 'HOOK_TOKEN' } },
    },
    {
      ...{ id: 'rabbit', kind: 'rabbitmq' },
      url: {
        file: planted.plantFile('amqp-url', (secret) => `amqp://skein:${secret}@127.0.0.1:${port}`),
      },
    },
  ];
  const rule = { filter: 'out/#', ack: 'none' };
  const rules = [
    { ...{ id: 'a', bridge: 'kafka', direction: 'mqtt-to-kafka', topic: 't' }, ...rule },
    { ...{ id: 'b', bridge: 'oauth', direction: 'mqtt-to-kafka', topic: 't' }, ...rule },
    { ...{ id: 'c', bridge: 'hook', direction: 'mqtt-to-webhook' }, ...rule },
    {
      ...{ id: 'd', bridge: 'rabbit', direction: 'mqtt-to-rabbitmq', exchange: 'e' },
      ...{ ...rule, routingKey: 'k' },
    },
  ];
  return {
    variables: {
      KAFKA_TOKEN: planted.plant('kafka-token'),
      HOOK_TOKEN: planted.plant('hook-token'),
    },
    settings: { bridges: connectors, bridgeRules: rules },
  };
}

/** Waits until an app is ready. */
async function ready(app: 'broker' | 'api', ops: number, options: AppOptions): Promise<Child> {
  const child = spawnApp(scope, app, options);
  await new Ops(ops).ready(child);
  return child;
}

/** Asks everything that can be asked, with a key or without, and keeps the answers. */
async function ask(origin: string, key: string | undefined): Promise<void> {
  const places = new Map([
    ['bridge_id', ['kafka', 'oauth', 'hook', 'rabbit']],
    ['rule_id', ['a']],
    ['client_id', ['ann']],
    ['user_name', ['eve']],
    ['node_id', ['n1']],
  ]);
  for (const { method, path } of Object.values(OPERATIONS)) {
    if (method !== 'get' && !path.endsWith('/{bridge_id}/connectivity-tests')) continue;
    const [, name = ''] = /\{(\w+)\}/.exec(path) ?? [];
    for (const value of places.get(name) ?? ['x']) {
      const response = await fetch(`${origin}${path.replace(/\{\w+\}/, value)}`, {
        method: method.toUpperCase(),
        ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      told.push(JSON.stringify([...response.headers]), await beginningOf(response));
    }
  }
}

/** The body of a reply; of a stream, which has no end, what comes first. */
async function beginningOf(response: Response): Promise<string> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream !== true || response.body === null) return response.text();
  const reader = response.body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return Buffer.from(value ?? []).toString();
}

/** Makes a user, or does not, and keeps the answer. */
async function createUser(origin: string, key: string, user: object): Promise<number> {
  const response = await fetch(`${origin}/api/v1/users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(user),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  told.push(JSON.stringify([...response.headers]), await response.text());
  return response.status;
}

/** Has a bundle of diagnostics made, and keeps it. */
async function gatherDiagnostics(origin: string, key: string): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const begun = await fetch(`${origin}/api/v1/diagnostics`, {
    ...{ method: 'POST', headers, body: '{}', signal: AbortSignal.timeout(DEADLINE_MS) },
  });
  expect(begun.status).toBe(202);
  const place = begun.headers.get('location') ?? '';
  await until(async () => {
    const response = await fetch(`${origin}${place}`, { headers });
    const text = await response.text();
    const { ended_at: endedAt, result } = JSON.parse(text);
    if (endedAt === null) return false;
    // All of it was gathered, the log included.
    expect(result.nodes).toMatchObject([{ node: 'n1', missing: [], left_out: [] }]);
    expect(result.nodes[0].diagnosis.log.lines.join('\n')).toContain('debug');
    told.push(text);
    return true;
  }, DEADLINE_MS);
}

/** Makes a process crash by an error that nobody catches, and keeps all it has said. */
async function crash(child: Child): Promise<void> {
  process.kill(child.pid, 'SIGUSR2');
  await child.exit();
  expect(child.stderr).toContain('nobody catches this');
  told.push(child.output);
}

describe('secrets', () => {
  it('of a node and its API are in no log, answer, metric or crash', async () => {
    const authority = await TestAuthority.create();
    scope.add(() => authority.remove());
    const server = await authority.issue({ commonName: 'localhost', names: 'IP:127.0.0.1' });
    const keyLine = readFileSync(server.keyFile, 'utf8').split('\n')[2] ?? '';
    const ports = await Promise.all(Array.from({ length: 7 }, freePort));
    const [tcp = 0, tls = 0, ops = 0, commands = 0, api = 0, apiOps = 0, ws = 0] = ports;
    const { variables, settings } = await bridges();
    const key = planted.plant('api-key');
    const password = planted.plant('password-of-ann');
    const configuration = planted.write(
      'skein.yaml',
      stringify({
        node: { id: 'n1' },
        log: { level: 'debug' },
        listeners: {
          tcp: { port: tcp },
          ws: { port: ws },
          tls: {
            ...{ enabled: true, port: tls },
            tls: { certFile: server.certFile, keyFile: server.keyFile },
          },
        },
        tls: { ticketSecret: { env: 'TICKETS' } },
        ops: { port: ops },
        commands: { port: commands },
        api: { port: api, opsPort: apiOps, key },
        acl: { default: 'allow' },
        auth: {
          saltSecret: planted.plant('salts'),
          iterations: 4_096,
          users: [
            { name: 'ann', password },
            { name: 'bob', passwordFile: planted.plantFile('password-of-bob') },
          ],
          chain: [{ kind: 'jwt', secret: { file: planted.plantFile('jwt') } }, { kind: 'users' }],
        },
        ...settings,
      }),
    );
    const options = {
      args: ['--config', configuration],
      variables: { ...variables, TICKETS: planted.plant('tickets') },
      nodeArgs: CRASHING,
    };
    const node = await ready('broker', ops, options);
    const admin = await ready('api', apiOps, options);

    const url = `mqtt://127.0.0.1:${String(tcp)}`;
    const client = await Client.connect(scope, url, {
      ...{ username: 'ann', password, clientId: 'ann' },
    });
    await client.publish('out/a', planted.plant('payload'));
    const token = `e30.${planted.plant('token')}.e30`;
    for (const wrong of [planted.plant('wrong-password'), token]) {
      const refused = new Client(scope, url, { username: 'ann', password: wrong });
      await until(() => refused.closes > 0, DEADLINE_MS);
    }
    const origin = `http://127.0.0.1:${String(api)}`;
    for (const each of [key, planted.plant('wrong-key'), undefined]) await ask(origin, each);
    await gatherDiagnostics(origin, key);
    for (const port of [ops, apiOps]) told.push(await new Ops(port).metrics());
    const isTrying = (rule: string): boolean => node.output.includes(` rule=${rule} `);
    await until(() => ['a', 'b'].every(isTrying), DEADLINE_MS);

    for (const child of [admin, node]) await crash(child);
    expect(node.stdout).toMatch(/ debug /);
    nothingFound();
    expect(told.join('\n')).not.toContain(keyLine);
  });

  it('of a Redis are in no log, answer, metric or crash, whether it takes them or not', async () => {
    const password = planted.plant('redis-password');
    const redis = await startRedis({ args: ['--requirepass', password] });
    scope.add(() => redis.stop());
    const [tcp, ws, ops, api, apiOps] = await Promise.all(Array.from({ length: 5 }, freePort));
    const settings = {
      ...{ LOG_LEVEL: 'debug', NODE_ID: 'n1', AUTH_ANONYMOUS: 'true' },
      ...{ LISTENERS_TCP_PORT: tcp ?? 0, LISTENERS_WS_PORT: ws ?? 0, OPS_PORT: ops ?? 0 },
      ...{ API_PORT: api ?? 0, API_OPS_PORT: apiOps ?? 0 },
    };
    const at = `127.0.0.1:${String(redis.port)}`;
    const byValue = { ...settings, REDIS_URL: `redis://:${password}@${at}` };
    const key = planted.plant('api-key');
    const node = await ready('broker', ops ?? 0, { settings: byValue, nodeArgs: CRASHING });
    const admin = await ready('api', apiOps ?? 0, {
      settings: { ...byValue, API_KEY: key },
      nodeArgs: CRASHING,
    });
    const origin = `http://127.0.0.1:${String(api)}`;
    const statuses = [
      await createUser(origin, key, { name: 'eve', password: planted.plant('password-of-eve') }),
      await createUser(origin, key, { name: 'eve', password: planted.plant('password-again') }),
      await createUser(origin, key, { name: 'eva', pasword: planted.plant('misspelt-password') }),
    ];
    expect(statuses).toEqual([201, 409, 400]);
    await ask(origin, key);
    await gatherDiagnostics(origin, key);
    for (const port of [ops ?? 0, apiOps ?? 0]) told.push(await new Ops(port).metrics());
    for (const child of [admin, node]) await crash(child);

    const wrong = [
      { REDIS_URL: `redis://skein:${planted.plant('wrong-in-url')}@${at}` },
      { REDIS_URL: `redis://${at}`, REDIS_PASSWORD: planted.plant('wrong-password') },
      { REDIS_URL: `redis://${at}`, REDIS_PASSWORD_FILE: planted.plantFile('wrong-in-file') },
      {
        ...{ REDIS_SENTINELS: `["${at}"]`, REDIS_SENTINEL_MASTER: 'm' },
        REDIS_SENTINEL_PASSWORD: planted.plant('wrong-for-sentinels'),
      },
    ];
    for (const own of wrong) {
      const child = spawnApp(scope, 'broker', { settings: { ...settings, ...own } });
      await until(() => /redis/i.test(child.output) || !child.isRunning, DEADLINE_MS);
      await child.kill();
      expect(child.output).toMatch(/redis/i);
      told.push(child.output);
    }
    nothingFound();
  });

  it('in the wrong place, or in a file that is no YAML, are not repeated', async () => {
    const broken = planted.write('broken.yaml', `api:\n  key: "${planted.plant('broken')}\n :`);
    const misplaced: readonly AppOptions[] = [
      { settings: { LISTENERS_TCP_PORT: planted.plant('port') } },
      { settings: { API_KEY: `${planted.plant('key-with-space')} ` } },
      { settings: { REDIS_URL: `http://:${planted.plant('url')}@localhost` } },
      { settings: { AUTH_USERS: `[{"name": "x", "pasword": "${planted.plant('user')}"}]` } },
      { settings: { AUTH_USERS: `[{"name": "x", "password": "${planted.plant('json')}"]` } },
      { settings: { BRIDGES: `[{"id": "x", "url": "http://u:${planted.plant('hook')}@h"}]` } },
      { args: ['--config', broken] },
    ];
    // Both apps read it in the same way.
    for (const [index, options] of misplaced.entries()) {
      const child = spawnApp(scope, index % 2 === 0 ? 'broker' : 'api', options);
      expect(await child.exit()).toBe(2);
      told.push(child.output);
    }
    nothingFound();
  });

  it('are not printed with what is in force', async () => {
    const { variables, settings } = await bridges();
    const file = planted.write(
      'skein.yaml',
      stringify({
        api: { key: planted.plant('api-key') },
        auth: {
          saltSecretFile: planted.plantFile('salts', (secret) => secret),
          users: [{ name: 'ann', password: planted.plant('password') }],
        },
        redis: {
          url: `redis://skein:${planted.plant('redis-url')}@127.0.0.1`,
        },
        ...settings,
      }),
    );
    const argv = ['--conditions=source', 'tools/start.mjs', '--config', file, '--print-config'];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      ...{ cwd: ROOT, encoding: 'utf8' as const },
      env: { ...variables, SKEIN_AUTH_ITERATIONS: '4096' },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('iterations: 4096');
    told.push(stdout);
    nothingFound();
  });
});

it('would be found, as they are or encoded', () => {
  const secret = planted.plant('x');
  for (const text of [
    secret,
    `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`,
    Buffer.from(`\0u\0${secret}`).toString('base64'),
    Buffer.from(secret).toString('hex'),
  ]) {
    expect(planted.foundIn(`before ${text} after`)).toEqual(['x']);
  }
  expect(planted.foundIn(secret.slice(1))).toEqual([]);
});

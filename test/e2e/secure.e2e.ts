import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, jest } from '@jest/globals';
import { connectAsync } from 'mqtt';
import { freePort } from '#libs/testkit';
import { Ops, spawnApp } from './harness/app.ts';
import { run } from './harness/child.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

jest.setTimeout(90_000);

const FIXTURES = fileURLToPath(new URL('../../docs/fixtures/', import.meta.url));
const NAMES = ['tls', 'wss', 'ops', 'apiOps', 'api', 'commands'] as const;

type Ports = Readonly<Record<(typeof NAMES)[number], number>>;

const scope = new Scope();
afterEach(() => scope.close());

/** The files of docs/fixtures/secure.yaml in a directory of their own. */
async function makeSecrets(): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'skein-secure-'));
  scope.add(() => rm(cwd, { recursive: true }));
  await run(scope, { command: 'sh', args: [`${FIXTURES}secure.sh`], cwd });
  return cwd;
}

/** The node and the API as `npm start -- --config docs/fixtures/secure.yaml` runs them, on free ports. */
async function start(cwd: string): Promise<Ports> {
  const free = await Promise.all(NAMES.map(async (name) => [name, await freePort()] as const));
  const ports = Object.fromEntries(free) as Ports;
  const settings = {
    LISTENERS_TLS_PORT: ports.tls,
    LISTENERS_WSS_PORT: ports.wss,
    OPS_PORT: ports.ops,
    COMMANDS_PORT: ports.commands,
    API_PORT: ports.api,
    API_OPS_PORT: ports.apiOps,
  };
  const args = ['--config', `${FIXTURES}secure.yaml`];
  const broker = spawnApp(scope, 'broker', { settings, args, cwd });
  const api = spawnApp(scope, 'api', { settings, args, cwd });
  await new Ops(ports.ops).ready(broker);
  await new Ops(ports.apiOps).ready(api);
  return ports;
}

it('lets in who is meant to, by certificate, password and key, and nobody else', async () => {
  const cwd = await makeSecrets();
  const ports = await start(cwd);
  const secret = async (name: string) =>
    (await readFile(join(cwd, 'secure', name), 'utf8')).trimEnd();
  const cafile = ['--cafile', join(cwd, 'secure/ca.crt')];
  const certificate = ['--cert', 'device-7.crt', '--key', 'device-7.key'].map((word) =>
    word.startsWith('--') ? word : join(cwd, 'secure', word),
  );
  const sensor = ['-u', 'sensor-8', '-P', await secret('sensor-8.password')];
  const publish = (args: readonly string[]) =>
    mosquittoPub(scope, ports.tls, [...cafile, '-q', '1', ...args]);

  const login = ['-u', 'dashboard', '-P', await secret('dashboard.password')];
  const watch = ['-t', 'devices/#', '-q', '1'];
  const dashboard = await MosquittoSub.open(scope, ports.tls, [...cafile, ...login, ...watch]);
  await publish([...sensor, '-V', '5', '-t', 'devices/device-7/telemetry/t', '-m', 'forged']);
  await publish([...certificate, '-t', 'devices/device-7/telemetry/t', '-m', '21.5']);
  await publish([...sensor, '-t', 'devices/sensor-8/telemetry/level', '-m', '4']);
  const browser = await connectAsync(`wss://127.0.0.1:${String(ports.wss)}/mqtt`, {
    ca: await secret('ca.crt'),
    clientId: 'dashboard:browser',
    username: 'dashboard',
    password: await secret('dashboard.password'),
  });
  scope.add(() => browser.endAsync(true));
  await expect(browser.subscribeAsync('other/#')).rejects.toThrow('Subscribe error');
  expect(await dashboard.receives(2)).toEqual([
    'devices/device-7/telemetry/t q1 r0 21.5',
    'devices/sensor-8/telemetry/level q1 r0 4',
  ]);

  await expect(publish(['-t', 'devices/x', '-m', 'x'])).rejects.toThrow('Connection Refused');
  const wrong = ['-u', 'sensor-8', '-P', 'wrong', '-t', 'devices/x', '-m', 'x'];
  await expect(publish(wrong)).rejects.toThrow('Connection Refused');
  const foreign = [...sensor, '-i', 'device-7', '-t', 'devices/sensor-8/telemetry/level'];
  await expect(publish([...foreign, '-m', 'x'])).rejects.toThrow('identifier rejected');
  const status = async (headers: Record<string, string>) =>
    (await fetch(`http://127.0.0.1:${String(ports.api)}/api/v1/clients`, { headers })).status;
  expect(await status({})).toBe(401);
  expect(await status({ authorization: `Bearer ${await secret('api.key')}` })).toBe(200);
});

it('makes files for their owner alone, other ones each time, and leaves those that are there', async () => {
  const [cwd, other] = [await makeSecrets(), await makeSecrets()];
  const key = (directory: string) => readFile(join(directory, 'secure/api.key'), 'utf8');
  const before = await key(cwd);

  expect((await stat(join(cwd, 'secure/server.key'))).mode & 0o077).toBe(0);
  expect(await key(other)).not.toBe(before);
  await run(scope, { command: 'sh', args: [`${FIXTURES}secure.sh`], cwd });
  expect(await key(cwd)).toBe(before);
});

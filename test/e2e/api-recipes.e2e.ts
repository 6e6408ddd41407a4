import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { run } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { Scope } from './harness/scope.ts';
import { Skein } from './harness/skein.ts';

jest.setTimeout(120_000);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KEY = 'open-sesame-open-sesame';
const WAIT_MS = 20_000;
const ADMINISTRATIVE_ACTION = 0x98;

const scope = new Scope();
afterEach(() => scope.close());

/** The recipes of docs/api.md by name, as they are printed. */
async function readRecipes(): Promise<ReadonlyMap<string, string>> {
  const page = await readFile(`${ROOT}docs/api.md`, 'utf8');
  const blocks = page.matchAll(/^```sh recipe=([\w-]+)\n([^]*?)^```/gm);
  return new Map([...blocks].map(([, name = '', text = '']) => [name, text]));
}

describe('the recipes of docs/api.md', () => {
  const shared = new Scope();
  const done = new Set<string>();
  let recipes: ReadonlyMap<string, string>;
  let node: Broker;
  let skein: Skein;
  let cwd: string;
  let origin: string;

  /** Runs a recipe as it is printed, after that of the variables, with the API on another port. */
  const follow = async (name: string): Promise<string> => {
    done.add('setup').add(name);
    const setup = (recipes.get('setup') ?? '').replace('http://127.0.0.1:8080', origin);
    const script = `set -eu\n${setup}\n${recipes.get(name) ?? 'exit 99'}`;
    const env = { ...skein.env, PATH: `${cwd}/bin:${skein.env['PATH'] ?? ''}` };
    return run(scope, { command: 'bash', args: ['-c', script], cwd, env });
  };
  const connect = (username: string, password: string, clean = true): Promise<Client> =>
    Client.connect(scope, node.url, {
      clientId: username,
      username,
      password,
      clean,
      properties: { sessionExpiryInterval: clean ? 0 : 3600 },
    });

  const publish = async (topic: string, payload: string): Promise<void> => {
    const target = { SKEINCTL_SERVER: origin, SKEINCTL_KEY: KEY };
    const { code } = await skein.run(['pub', topic, payload, '--qos', '1'], target);
    expect(code).toBe(0);
  };

  beforeAll(async () => {
    recipes = await readRecipes();
    cwd = await mkdtemp(join(tmpdir(), 'skein-recipes-'));
    shared.add(() => rm(cwd, { recursive: true }));
    await mkdir(join(cwd, 'bin'));
    await symlink(`${ROOT}tools/skein.mjs`, join(cwd, 'bin/skein'));
    await writeFile(join(cwd, 'api.key'), `${KEY}\n`);
    const settings = { CONFIG: `${ROOT}docs/fixtures/api.yaml` };
    node = await Broker.start(shared, settings);
    const api = await Api.start(shared, node.settings, KEY);
    origin = api.origin;
    skein = new Skein(scope, { server: 'unused', key: 'unused' });
  });
  afterAll(() => shared.close());

  it('provision a device, which may use its own topics only', async () => {
    await follow('provision-curl');
    await follow('provision-skein');

    for (const [name, password] of [
      ['sensor-7', 'tide table'],
      ['sensor-8', 'low water'],
    ] as const) {
      const device = await connect(name, password);
      await device.subscribe(`devices/${name}/commands`, 1);
      await expect(device.subscribe('devices/other/commands', 1)).rejects.toThrow('Not authorized');
      await device.mqtt.endAsync();
    }
  });

  it('say why a client was refused', async () => {
    expect(await follow('refused-curl')).toMatch(/"allowed":false,"rule":null/);
    expect(await follow('refused-skein')).toMatch(/^ALLOWED.*\nno /);
  });

  it('send a command to a device and get its answer', async () => {
    await follow('command-rule');
    const device = await connect('sensor-7', 'tide table');
    await device.subscribe('devices/sensor-7/commands', 1);
    device.mqtt.on('message', (_topic, _payload, { properties = {} }) => {
      const { responseTopic = '', correlationData } = properties;
      device.mqtt.publish(responseTopic, 'on', {
        qos: 1,
        properties: { ...(correlationData && { correlationData }) },
      });
    });

    expect(JSON.parse(await follow('command-curl'))).toMatchObject({ payload: 'on' });
    expect(await follow('command-skein')).toMatch(/^payload +on$/m);
  });

  it('empty the queue of a session, which stays, or end the session', async () => {
    for (const [name, password, tool] of [
      ['sensor-7', 'tide table', 'curl'],
      ['sensor-8', 'low water', 'skein'],
    ] as const) {
      const topic = `devices/${name}/commands`;
      const device = await connect(name, password, false);
      await device.subscribe(topic, 1);
      await device.mqtt.endAsync();
      await publish(topic, 'stale');
      expect(await follow(`queue-${tool}`)).toContain(topic);

      const back = await connect(name, password, false);
      expect(back.sessionPresent).toBe(true);
      await publish(topic, 'fresh');
      await until(() => back.payloads.length > 0, WAIT_MS);
      expect(back.payloads).toEqual(['fresh']);
      await back.mqtt.endAsync();
      await follow(`session-${tool}`);
      expect((await connect(name, password, false)).sessionPresent).toBe(false);
    }
  });

  it('trace what becomes of a client', async () => {
    const lines = await follow('trace-curl');
    expect(lines).toMatch(/^\{"kind":"trace",.*"client_id":"sensor-7"/);
    expect(await follow('trace-skein')).toMatch(/"kind":"end"/);
  });

  it('find what is wrong, and who takes messages late', async () => {
    const late = await connect('sensor-7', 'tide table', false);
    await late.subscribe('devices/sensor-7/alarms', 1);
    await late.leave();

    expect(await follow('wrong-curl')).toMatch(/"items":.*"client_id":"sensor-7"/s);
    expect(await follow('wrong-skein')).toContain('sensor-7');
    const bundle = JSON.parse(await readFile(join(cwd, 'diagnostics.json'), 'utf8'));
    expect(bundle).toMatchObject({ state: 'succeeded', result: { nodes: [{ missing: [] }] } });
    expect(JSON.stringify(bundle)).not.toContain(KEY);
  });

  it('keep somebody out', async () => {
    const devices = [
      await connect('sensor-7', 'tide table'),
      await connect('sensor-8', 'low water'),
    ];
    await follow('ban-curl');
    await follow('ban-skein');

    await until(() => devices.every(({ closes }) => closes === 1), WAIT_MS);
    expect(devices.map(({ disconnects }) => disconnects)).toEqual([
      [ADMINISTRATIVE_ACTION],
      [ADMINISTRATIVE_ACTION],
    ]);
  });

  it('find in the audit log who made a user and banned it', async () => {
    const { items } = JSON.parse(await follow('audit-curl')) as {
      readonly items: readonly Record<string, unknown>[];
    };
    expect(items).toMatchObject([
      { action: 'createUser', actor: 'bootstrap', resource: '/api/v1/users/sensor-7' },
    ]);
    expect(await follow('audit-skein')).toMatch(
      /createBan +\/api\/v1\/bans\/username:sensor-8 +done/,
    );
  });

  it('make keys that may do less', async () => {
    const { secret } = JSON.parse(await follow('key-curl')) as { readonly secret: string };
    const shown = await follow('key-skein');
    const asViewer = (method: string) =>
      fetch(`${origin}/api/v1/bans/username:sensor-7`, {
        method,
        headers: { authorization: `Bearer ${secret}` },
      });

    expect((await asViewer('GET')).status).toBe(200);
    expect((await asViewer('DELETE')).status).toBe(403);
    expect(shown).toMatch(/^secret +skn_/m);
    expect(shown.slice(shown.indexOf('ID '))).not.toContain(secret);
  });

  it('have all been followed', () => {
    expect([...done].toSorted()).toEqual([...recipes.keys()].toSorted());
  });
});

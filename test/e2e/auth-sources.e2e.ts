import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SignJWT } from 'jose';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { TestAuthority, freePort, until, type TestCertificate } from '#libs/testkit';
import { Ops, spawnApp } from './harness/app.ts';
import { run, type Child } from './harness/child.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

jest.setTimeout(120_000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WAIT_MS = 40_000;
const SECRET = randomBytes(32).toString('base64');

const scope = new Scope();
let authority: TestAuthority;
let device: TestCertificate;

/** The certificates of docs/tls.md, and the secret of docs/auth.md. */
beforeAll(async () => {
  authority = await TestAuthority.create();
  const server = await authority.issue({ commonName: 'localhost', names: 'IP:127.0.0.1' });
  device = await authority.issue({ commonName: 'device-7' });
  const certs = authority.path('certs');
  await mkdir(certs);
  await copyFile(authority.caFile, join(certs, 'ca.crt'));
  await copyFile(server.certFile, join(certs, 'server.crt'));
  await copyFile(server.keyFile, join(certs, 'server.key'));
  await writeFile(join(certs, 'token.secret'), `${SECRET}\n`);
});
afterEach(() => scope.close());
afterAll(() => authority.remove());

/** A node with docs/fixtures/tokens.yaml, whose paths are those of the test. */
async function startNode(): Promise<{
  readonly tcp: number;
  readonly tls: number;
  readonly wss: string;
  readonly ops: Ops;
  readonly child: Child;
}> {
  const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const [tcp = 0, ws = 0, tls = 0, wss = 0, ops = 0, commands = 0] = ports;
  const example = await readFile(`${ROOT}docs/fixtures/tokens.yaml`, 'utf8');
  const config = authority.path('tokens.yaml');
  await writeFile(config, example.replaceAll('certs/', `${authority.path('certs')}/`));
  const settings = {
    LISTENERS_TCP_PORT: tcp,
    LISTENERS_WS_PORT: ws,
    LISTENERS_TLS_PORT: tls,
    LISTENERS_WSS_PORT: wss,
    OPS_PORT: ops,
    COMMANDS_PORT: commands,
    CONFIG: config,
  };
  const child = spawnApp(scope, 'broker', { settings });
  const node = { tcp, tls, wss: `wss://127.0.0.1:${String(wss)}/mqtt`, ops: new Ops(ops), child };
  await node.ops.ready(child);
  return node;
}

const tokenOf = async (claims: object, secret = SECRET): Promise<string> =>
  await new SignJWT({ sub: 'browser-1', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

async function connect(url: string, options: IClientOptions): Promise<MqttClient> {
  const ca = await readFile(authority.caFile);
  return await connectAsync(url, { ca, reconnectPeriod: 0, ...options });
}

describe('docs/auth.md', () => {
  it('lets in a certificate, a token over wss and a password side by side', async () => {
    const { tcp, tls, wss } = await startNode();
    const own = ['--cafile', authority.caFile];
    const login = [...own, '-u', 'dashboard', '-P', 'low water'];
    const receiver = await MosquittoSub.open(scope, tls, [...login, '-t', 'demo/#', '-q', '1']);
    const files = ['--cert', device.certFile, '--key', device.keyFile];
    const hello = ['-q', '1', '-m', 'hello'];
    await mosquittoPub(scope, tls, [...own, ...files, '-t', 'demo/device-7', ...hello]);
    const certs = authority.path('certs');
    const args = [wss, join(certs, 'ca.crt'), join(certs, 'token.secret')];
    const example = `${ROOT}docs/fixtures/token-client.mjs`;
    await run(scope, { command: process.execPath, args: [example, ...args] });
    expect(await receiver.receives(2)).toEqual([
      'demo/device-7 q1 r0 hello',
      'demo/token q1 r0 hello, flock',
    ]);
    await expect(mosquittoPub(scope, tcp, ['-t', 'demo/x', ...hello])).rejects.toThrow(
      'mosquitto_pub',
    );
    // A certificate is not the other user's.
    const other = [...own, ...files, '-u', 'dashboard', '-P', 'low water', '-t', 'demo/x'];
    await expect(mosquittoPub(scope, tls, [...other, ...hello])).rejects.toThrow('mosquitto_pub');
  });
});

describe('a token', () => {
  it('ends its connection when it ends, and 5.0 is told why', async () => {
    const { wss, ops, child } = await startNode();
    const seconds = 10;
    // The leeway is the clock's, and the connection's as well.
    const password = await tokenOf({ exp: inSeconds(seconds - 30) });
    // MQTT.js sends no password without a user name.
    const login = { username: 'browser-1', password };
    const client = await connect(wss, { ...login, protocolVersion: 5 });
    let reasonCode: number | undefined;
    client.on('disconnect', (packet) => (reasonCode = packet.reasonCode));
    const older = await connect(wss, { ...login, clientId: 'old' });
    let isClosed = false;
    older.on('close', () => (isClosed = true));
    await until(() => reasonCode !== undefined && isClosed, WAIT_MS);
    expect(reasonCode).toBe(0x87);
    const ended = 'skein_broker_disconnects_total';
    expect(await ops.metric(ended, 'reason="credential_expired"')).toBe(2);
    expect(`${child.output}${await ops.metrics()}`).not.toContain(password);
    client.end(true);
    older.end(true);
  });

  it.each([
    ['of another secret', () => tokenOf({ exp: inSeconds(300) }, 'x'.repeat(32))],
    ['that is over', () => tokenOf({ exp: inSeconds(-60) })],
    ['that is to come', () => tokenOf({ exp: inSeconds(300), nbf: inSeconds(100) })],
    ['without an end', () => tokenOf({})],
    ['with a bad rule', () => tokenOf({ exp: inSeconds(300), acl: [{ effect: 'allow' }] })],
    [
      'without a signature',
      () => {
        const part = (value: object): string =>
          Buffer.from(JSON.stringify(value)).toString('base64url');
        const claims = { sub: 'browser-1', exp: inSeconds(300) };
        return Promise.resolve(`${part({ alg: 'none' })}.${part(claims)}.`);
      },
    ],
  ])('%s is refused with 0x86', async (_, makeToken) => {
    const { wss } = await startNode();
    const options = { protocolVersion: 5, username: 'browser-1' } as const;
    const password = await makeToken();
    await expect(connect(wss, { ...options, password })).rejects.toMatchObject({ code: 0x86 });
  });
});

describe('a node that nobody has told who may connect', () => {
  it.each([
    ['beyond loopback', { LISTENERS_TCP_HOST: '0.0.0.0' }],
    ['in a cluster', { REDIS_URL: 'redis://127.0.0.1:1', AUTH_ANONYMOUS: 'false' }],
  ])('%s does not start, and says in one line what to set', async (_, settings) => {
    const child = spawnApp(scope, 'broker', { settings });
    expect(await child.exit()).toBe(2);
    const lines = child.stderr.split('\n').filter((line) => line.includes('auth: says not who'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('auth.anonymous: true');
  });
});

import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { IAuthPacket, IConnackPacket } from 'mqtt-packet';
import { ScramClient, freePort, until } from '#libs/testkit';
import { Ops, spawnApp } from './harness/app.ts';
import { Broker } from './harness/broker.ts';
import { Child, run } from './harness/child.ts';
import { Client } from './harness/client.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { RawClient } from './harness/raw-client.ts';
import { Scope } from './harness/scope.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONNECT_TIMEOUT_MS = 2_000;
const WAIT_MS = 10_000;
const CONTINUE = 0x18;
const RE_AUTHENTICATE = 0x19;
const ANN = { user: 'ann', password: 'planted-secret-of-ann' };
const BOB = { user: 'bob', password: 'planted-secret-of-bob' };
const SALT_SECRET = 'planted-secret-of-salt';
const METHODS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

const scope = new Scope();
afterEach(() => scope.close());

/** What the tool prints for a password, as the configuration takes it. */
async function scramOf(own: Scope, password: string): Promise<readonly string[]> {
  const args = ['--conditions=source', `${ROOT}tools/scram.mjs`, '--iterations', '4096'];
  const tool = new Child(own, { command: process.execPath, args, input: `${password}\n` });
  if ((await tool.exit()) !== 0) throw new Error(tool.output);
  return [...tool.stdout.matchAll(/^ {2}- (.+)$/gm)].map(([, credential = '']) => credential);
}

/** MQTT.js that answers challenges by SCRAM. */
class ScramMqtt {
  readonly client: Client;
  readonly auths: IAuthPacket[] = [];
  readonly #method: (typeof METHODS)[number];
  #scram: ScramClient;

  constructor(url: string, method: (typeof METHODS)[number], login = ANN) {
    this.#method = method;
    this.#scram = new ScramClient(method, login);
    const properties = { authenticationMethod: method, authenticationData: this.#scram.first() };
    this.client = new Client(scope, url, { properties, clientId: `scram-${login.user}` });
    this.client.mqtt.handleAuth = (packet, answer) => {
      this.auths.push(packet);
      const data = packet.properties?.authenticationData ?? Buffer.of();
      if (packet.reasonCode !== CONTINUE) return answer();
      answer(undefined, this.#auth(CONTINUE, this.#scram.final(data)));
    };
  }

  /** Connects and tells whether the broker has proven itself. */
  async connect(): Promise<boolean> {
    let connack: IConnackPacket | undefined;
    this.client.mqtt.on('connect', (packet) => (connack = packet));
    await this.client.connected();
    return this.#scram.isProven(connack?.properties?.authenticationData);
  }

  /** The reason code of the refusal. */
  async refusal(): Promise<number> {
    let code: number | undefined;
    this.client.mqtt.on('error', (error) => (code = Number((error as { code?: number }).code)));
    await until(() => code !== undefined, WAIT_MS);
    return code ?? -1;
  }

  /** Re-authenticates; tells whether the broker has proven itself again. */
  async renew(login = ANN): Promise<boolean> {
    this.#scram = new ScramClient(this.#method, login);
    this.auths.length = 0;
    // MQTT.js has no public way to send AUTH 0x19.
    this.client.mqtt['_sendPacket'](this.#auth(RE_AUTHENTICATE, this.#scram.first()));
    const isOver = () => this.auths.at(-1)?.reasonCode === 0 || this.client.closes > 0;
    await until(isOver, WAIT_MS);
    return this.#scram.isProven(this.auths.at(-1)?.properties?.authenticationData);
  }

  #auth(reasonCode: number, authenticationData: Buffer): IAuthPacket {
    const properties = { authenticationMethod: this.#method, authenticationData };
    return { cmd: 'auth', reasonCode, properties };
  }
}

describe('a node with users', () => {
  const shared = new Scope();
  let node: Broker;

  beforeAll(async () => {
    const scram = await scramOf(shared, BOB.password);
    const users = [
      { name: ANN.user, password: ANN.password },
      { name: BOB.user, scram },
    ];
    node = await Broker.start(shared, {
      AUTH_USERS: JSON.stringify(users),
      ACL_DEFAULT: 'allow',
      AUTH_ITERATIONS: 4096,
      AUTH_SALT_SECRET: SALT_SECRET,
      LIMITS_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
      LOG_LEVEL: 'debug',
    });
  });
  afterAll(() => shared.close());

  describe.each(METHODS)('and MQTT.js with %s', (method) => {
    it.each([ANN, BOB])('serves $user', async (login) => {
      const { client } = new ScramMqtt(node.url, method, login);
      await client.connected();
      await client.subscribe(`auth/${method}/#`);
      await client.publish(`auth/${method}/hello`, login.user);
      expect((await client.receives(1)).map(({ payload }) => payload)).toEqual([login.user]);
    });

    it('proves itself to the client, at once and again, while messages flow', async () => {
      const peer = new ScramMqtt(node.url, method);
      expect(await peer.connect()).toBe(true);
      const publishing = peer.client.publish('auth/again', 'x');
      expect(await peer.renew()).toBe(true);
      expect(await peer.renew()).toBe(true);
      await publishing;
      expect(peer.client.closes).toBe(0);
    });

    it('denies a wrong password and a user who does not exist, at once and again', async () => {
      const wrong = new ScramMqtt(node.url, method, { user: 'ann', password: 'wrong' });
      expect(await wrong.refusal()).toBe(0x87);
      const nobody = new ScramMqtt(node.url, method, { user: 'nobody', password: 'wrong' });
      expect(await nobody.refusal()).toBe(0x87);
      const live = new ScramMqtt(node.url, method);
      await live.connect();
      await live.renew({ user: 'ann', password: 'wrong' });
      await live.client.closed();
      expect(live.client.disconnects).toEqual([0x87]);
    });
  });

  it('serves mosquitto with user name and password in every version', async () => {
    for (const version of ['31', '311', '5']) {
      const topic = `auth/mosquitto/${version}`;
      const as = ['-V', version === '31' ? 'mqttv31' : version, '-q', '1'];
      const login = ['-u', ANN.user, '-P', ANN.password];
      const sub = await MosquittoSub.open(scope, node.port, [...as, ...login, '-t', topic]);
      const bob = ['-u', BOB.user, '-P', BOB.password];
      await mosquittoPub(scope, node.port, [...as, ...bob, '-t', topic, '-m', 'x']);
      expect(await sub.receives(1)).toEqual([`${topic} q1 r0 x`]);
    }
  });

  it.each([
    { version: 4, login: {}, code: 5 },
    { version: 4, login: { username: 'ann', password: Buffer.from('wrong') }, code: 4 },
    { version: 4, login: { username: 'nobody', password: Buffer.from('x') }, code: 4 },
    { version: 5, login: {}, code: 0x87 },
    { version: 5, login: { username: 'ann', password: Buffer.from('wrong') }, code: 0x86 },
    { version: 5, login: { username: 'nobody', password: Buffer.from('x') }, code: 0x86 },
  ] as const)('answers $code to a wrong login with version $version: $login', async (row) => {
    const client = await RawClient.open(scope, node.port, row.version);
    client.send({ cmd: 'connect', clientId: 'wrong', clean: true, keepalive: 0, ...row.login });
    await until(() => client.isClosed, WAIT_MS);
    const [connack] = client.packets as IConnackPacket[];
    expect(row.version === 5 ? connack?.reasonCode : connack?.returnCode).toBe(row.code);
  });

  const begin = async (method: string): Promise<RawClient> => {
    const client = await RawClient.open(scope, node.port);
    const authenticationData = new ScramClient('SCRAM-SHA-256', ANN).first();
    const properties = { authenticationMethod: method, authenticationData };
    client.send({ cmd: 'connect', clientId: 'raw', clean: true, keepalive: 0, properties });
    return client;
  };
  const codes = (client: RawClient): readonly string[] =>
    client.packets.map((packet) => `${packet.cmd} ${String((packet as IAuthPacket).reasonCode)}`);

  it('answers 0x8C to a method that it does not offer', async () => {
    const client = await begin('GS2-KRB5');
    await until(() => client.isClosed, WAIT_MS);
    expect(codes(client)).toEqual([`connack ${String(0x8c)}`]);
  });

  it('answers 0x82 to anything but AUTH before CONNACK', async () => {
    const client = await begin('SCRAM-SHA-256');
    await until(() => client.packets.length > 0, WAIT_MS);
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] });
    await until(() => client.isClosed, WAIT_MS);
    expect(codes(client)).toEqual([`auth ${String(CONTINUE)}`, `connack ${String(0x82)}`]);
  });

  it('does not wait for a client that goes silent', async () => {
    const client = await begin('SCRAM-SHA-256');
    await until(() => client.isClosed, WAIT_MS);
    expect(codes(client)).toEqual([`auth ${String(CONTINUE)}`, `connack ${String(0x87)}`]);
  });

  it('counts who was let in, and tells no secret anywhere', async () => {
    const metric = 'skein_broker_authentications_total';
    const count = (backend: string, outcome: string) =>
      node.ops.metric(metric, `backend="${backend}",outcome="${outcome}"`);
    expect(await count('scram', 'allowed')).toBeGreaterThan(0);
    expect(await count('scram', 'denied')).toBeGreaterThan(0);
    expect(await count('password', 'allowed')).toBeGreaterThan(0);
    expect(await count('password', 'denied')).toBeGreaterThan(0);
    expect(await count('anonymous', 'denied')).toBeGreaterThan(0);
    expect(node.child.output).toContain('connect-refused');
    expect(`${node.child.output}${await node.ops.metrics()}`).not.toMatch(
      /planted-secret|SCRAM-SHA-\d+\$/,
    );
  });
});

describe('docs/auth.md', () => {
  it('shows a configuration and a client that work', async () => {
    const [port = 0, ws = 0, ops = 0, commands = 0] = await Promise.all(
      Array.from({ length: 4 }, () => freePort()),
    );
    const settings = {
      LISTENERS_TCP_PORT: port,
      LISTENERS_WS_PORT: ws,
      OPS_PORT: ops,
      COMMANDS_PORT: commands,
    };
    const args = ['--config', `${ROOT}docs/fixtures/users.yaml`];
    await new Ops(ops).ready(spawnApp(scope, 'broker', { settings, args }));
    const login = ['-u', 'dashboard', '-P', 'low water'];
    const sub = await MosquittoSub.open(scope, port, [...login, '-t', 'demo/#', '-q', '1']);
    const url = `mqtt://127.0.0.1:${String(port)}`;
    const example = `${ROOT}docs/fixtures/scram-client.mjs`;
    await run(scope, { command: process.execPath, args: [example, url] });
    expect(await sub.receives(1)).toEqual(['demo/scram q1 r0 hello, flock']);
    const wrong = new Child(scope, {
      command: process.execPath,
      args: [example, url, 'sensor-7', 'ebb'],
    });
    expect(await wrong.exit()).toBe(1);
    expect(wrong.stderr).toContain('Not authorized');
  });
});

describe('a node whose users are wrong', () => {
  it('does not start and says what to correct, without the secret', async () => {
    const users = [
      { name: 'ann', passwordFile: '/does/not/exist' },
      { name: 'bob', password: 'planted-secret\u0007' },
    ];
    const settings = { AUTH_USERS: JSON.stringify(users) };
    const child = spawnApp(scope, 'broker', { settings });
    expect(await child.exit()).toBe(2);
    expect(child.stderr).toContain('auth.users[0].passwordFile: cannot be read');
    expect(child.stderr).toContain('auth.users[1].password: holds a control');
    expect(child.output).not.toContain('planted-secret');
  });
});

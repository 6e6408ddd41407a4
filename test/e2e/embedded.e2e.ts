import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { spawnApp } from './harness/app.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { RawClient } from './harness/raw-client.ts';
import { Scope } from './harness/scope.ts';

const SESSION_TAKEN_OVER = 0x8e;
const SERVER_SHUTTING_DOWN = 0x8b;
const KEEP_ALIVE_TIMEOUT = 0x8d;
const WAIT_MS = 10_000;

const scope = new Scope();
afterEach(() => scope.close());

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-e2e-'));
  scope.add(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

describe('one node without Redis', () => {
  const shared = new Scope();
  let node: Broker;

  beforeAll(async () => {
    node = await Broker.start(shared);
  });
  afterAll(() => shared.close());

  describe.each(['311', '5'])('with mosquitto and MQTT %s', (version) => {
    it.each(['0', '1', '2'])('carries QoS %s through a wildcard', async (qos) => {
      const as = ['-V', version, '-q', qos];
      const topic = `v${version}/q${qos}`;
      const sub = await MosquittoSub.open(scope, node.port, [...as, '-t', `${topic}/+/telemetry`]);

      await mosquittoPub(scope, node.port, [...as, '-t', `${topic}/a/telemetry`, '-m', '21']);
      await mosquittoPub(scope, node.port, [...as, '-t', `${topic}/a/other`, '-m', 'no']);
      await mosquittoPub(scope, node.port, [...as, '-t', `${topic}/b/telemetry`, '-m', '22']);

      expect(await sub.receives(2)).toEqual([
        `${topic}/a/telemetry q${qos} r0 21`,
        `${topic}/b/telemetry q${qos} r0 22`,
      ]);
    });

    it('keeps the last retained message for those who come later, until an empty one', async () => {
      const topic = `v${version}/retained`;
      const publish = ['-V', version, '-q', '1', '-r', '-t', `${topic}/state`];
      const early = await MosquittoSub.open(scope, node.port, ['-V', version, '-t', `${topic}/#`]);
      await mosquittoPub(scope, node.port, [...publish, '-m', 'off']);
      await mosquittoPub(scope, node.port, [...publish, '-m', 'on']);
      const late = await MosquittoSub.open(scope, node.port, ['-V', version, '-t', `${topic}/#`]);
      expect(await late.receives(1)).toEqual([`${topic}/state q0 r1 on`]);
      expect(await early.receives(2)).toEqual([
        `${topic}/state q0 r0 off`,
        `${topic}/state q0 r0 on`,
      ]);

      await mosquittoPub(scope, node.port, [...publish, '-n']);
      const last = await MosquittoSub.open(scope, node.port, ['-V', version, '-t', `${topic}/#`]);
      await mosquittoPub(scope, node.port, ['-V', version, '-t', `${topic}/end`, '-m', 'x']);

      expect(await last.receives(1)).toEqual([`${topic}/end q0 r0 x`]);
    });

    it('publishes the will of a client that is killed, and not of one that leaves', async () => {
      const topic = `v${version}/will`;
      const sub = await MosquittoSub.open(scope, node.port, ['-q', '1', '-t', `${topic}/#`]);
      const open = (name: string, args: readonly string[]): Promise<MosquittoSub> => {
        const will = ['--will-topic', `${topic}/${name}`, '--will-qos', '1', '--will-payload', 'x'];
        return MosquittoSub.open(scope, node.port, ['-V', version, ...args, ...will]);
      };
      const leaving = await open('leaving', ['-t', `${topic}-leave`, '-C', '1']);
      const killed = await open('killed', ['-t', 'nothing']);
      await mosquittoPub(scope, node.port, ['-t', `${topic}-leave`, '-m', 'now']);
      expect(await leaving.child.exit()).toBe(0);
      await killed.child.kill();

      expect(await sub.receives(1)).toEqual([`${topic}/killed q1 r0 x`]);
    });

    it('resumes a persistent session with what was queued meanwhile', async () => {
      const id = `resume-${version}`;
      const expiry = version === '5' ? ['-x', '3600'] : [];
      const session = ['-V', version, '-c', '-i', id, ...expiry, '-q', '1', '-t', `${id}/#`];
      const before = await MosquittoSub.open(scope, node.port, session);
      await before.child.stop();
      for (const payload of ['1', '2', '3']) {
        await mosquittoPub(scope, node.port, ['-q', '1', '-t', `${id}/t`, '-m', payload]);
      }

      const after = await MosquittoSub.open(scope, node.port, session);

      expect(await after.receives(3)).toEqual(['1', '2', '3'].map((n) => `${id}/t q1 r0 ${n}`));
    });
  });

  describe.each([4, 5] as const)('with MQTT.js over WebSocket and protocol level %s', (level) => {
    it.each([0, 1, 2] as const)('carries QoS %s', async (qos) => {
      const options = { protocolVersion: level };
      const [receiver, sender] = await Promise.all([
        Client.connect(scope, node.wsUrl, options),
        Client.connect(scope, node.wsUrl, options),
      ]);
      const topic = `ws${String(level)}/${String(qos)}`;
      expect(await receiver.subscribe(`${topic}/+/telemetry`, qos)).toEqual([qos]);

      await sender.publish(`${topic}/d1/telemetry`, 'hello', { qos });

      expect(await receiver.receives(1)).toEqual([
        { topic: `${topic}/d1/telemetry`, payload: 'hello', qos, retain: false },
      ]);
    });
  });

  it('carries between WebSocket and TCP, 100 KB too', async () => {
    const ws = await Client.connect(scope, node.wsUrl);
    const tcp = await Client.connect(scope, node.url, { protocolVersion: 4 });
    await ws.subscribe('both/ways/#');
    const payload = 'x'.repeat(100_000);
    await tcp.publish('both/ways/large', payload);

    expect((await ws.receives(1))[0]?.payload).toBe(payload);
  });

  it('tells a v5 client that another one has taken its session', async () => {
    const first = await Client.connect(scope, node.url, { clientId: 'twin' });
    const second = await Client.connect(scope, node.wsUrl, { clientId: 'twin' });
    await first.closed();

    expect(first.disconnects).toEqual([SESSION_TAKEN_OVER]);
    expect(second.isConnected).toBe(true);
  });

  it('ends a client that is silent for longer than its keep-alive, and no other', async () => {
    const pinging = await Client.connect(scope, node.url, { keepalive: 1 });
    const watcher = await Client.connect(scope, node.url);
    await watcher.subscribe('silent/gone');
    const silent = await RawClient.open(scope, node.port);
    silent.send({
      cmd: 'connect',
      clientId: 'silent',
      clean: true,
      keepalive: 1,
      will: { topic: 'silent/gone', payload: Buffer.from('x'), qos: 1, retain: false },
    });
    await until(() => silent.isClosed, WAIT_MS);

    expect(silent.packets.map(({ cmd }) => cmd)).toEqual(['connack', 'disconnect']);
    expect(silent.packets[1]).toMatchObject({ reasonCode: KEEP_ALIVE_TIMEOUT });
    await watcher.receives(1);
    expect(pinging.isConnected).toBe(true);
  });
});

describe('a client that is gone before its SUBSCRIBE is done', () => {
  it.each([4, 5] as const)('leaves no subscription behind (protocol level %s)', async (level) => {
    const node = await Broker.start(scope);
    for (let count = 0; count < 20; count += 1) {
      const client = await RawClient.open(scope, node.port, level);
      const subscribe = {
        cmd: 'subscribe' as const,
        subscriptions: [{ topic: 'gone/+', qos: 1 as const }],
      };
      client.send(
        { cmd: 'connect', clientId: `hasty-${String(count)}`, clean: true, keepalive: 0 },
        { ...subscribe, messageId: 1 },
        { ...subscribe, messageId: 2 },
        { cmd: 'disconnect' },
      );
      await until(() => client.isClosed, WAIT_MS);
    }

    expect(await node.ops.metric('skein_broker_connections')).toBe(0);
    expect(await node.ops.metric('skein_broker_subscriptions')).toBe(0);
  });

  it('leaves none when the same filter came twice and was unsubscribed', async () => {
    const node = await Broker.start(scope);
    const client = await Client.connect(scope, node.url);
    await Promise.all([client.subscribe('twice/+'), client.subscribe('twice/+')]);
    expect(await node.ops.metric('skein_broker_subscriptions')).toBe(1);

    await client.mqtt.unsubscribeAsync('twice/+');

    expect(await node.ops.metric('skein_broker_subscriptions')).toBe(0);
  });
});

describe('a data directory', () => {
  it.each(['stop', 'kill'] as const)(
    'keeps queues, retained messages and subscriptions over %s and start',
    async (end) => {
      const node = await Broker.start(scope, { DATA_DIR: await temporaryDirectory() });
      const session = { clientId: 'keeper', clean: false, protocolVersion: 4 as const };
      const before = await Client.connect(scope, node.url, session);
      await before.subscribe('kept/#');
      await before.leave();
      const publisher = await Client.connect(scope, node.url);
      await publisher.publish('state/door', 'open', { qos: 1, retain: true });
      for (const payload of ['1', '2', '3']) await publisher.publish('kept/t', payload);

      await node[end]();
      await node.start();

      const next = await Client.connect(scope, node.url);
      await next.publish('kept/t', '4');
      const after = await Client.connect(scope, node.url, session);
      expect(after.sessionPresent).toBe(true);
      await after.receives(4);
      expect(after.payloads).toEqual(['1', '2', '3', '4']);
      await next.subscribe('state/#');
      expect(await next.receives(1)).toEqual([
        { topic: 'state/door', payload: 'open', qos: 1, retain: true },
      ]);
    },
  );

  it('loses nothing acknowledged when the node is killed under load', async () => {
    const settings = { LIMITS_QUEUE_MESSAGES_MAX: 1_000_000 };
    const node = await Broker.start(scope, { DATA_DIR: await temporaryDirectory(), ...settings });
    const session = { clientId: 'keeper', clean: false, protocolVersion: 4 as const };
    const before = await Client.connect(scope, node.url, session);
    await before.subscribe('kept/#');
    await before.leave();
    const publisher = await Client.connect(scope, node.url, { protocolVersion: 4 });
    const acknowledged: string[] = [];
    let count = 0;
    const publish = (): void => {
      const payload = String((count += 1));
      publisher.mqtt.publish('kept/t', payload, { qos: 1 }, (error) => {
        if (error !== undefined && error !== null) return;
        acknowledged.push(payload);
        if (publisher.closes === 0) publish();
      });
    };
    for (let inFlight = 0; inFlight < 500; inFlight += 1) publish();
    await until(() => acknowledged.length >= 500, WAIT_MS);
    await node.kill();
    await publisher.closed();
    const promised = [...acknowledged];
    await node.start();

    const after = await Client.connect(scope, node.url, session);
    await until(() => {
      const received = new Set(after.payloads);
      return promised.every((payload) => received.has(payload));
    }, WAIT_MS);

    expect(promised.length).toBeGreaterThanOrEqual(500);
    expect(after.received.length).toBeGreaterThanOrEqual(promised.length);
  });
});

describe('the process', () => {
  it('ends with code 0 on SIGTERM and tells its v5 clients why', async () => {
    const node = await Broker.start(scope);
    const [tcp, ws] = [
      await Client.connect(scope, node.url),
      await Client.connect(scope, node.wsUrl),
    ];
    await node.stop();
    await Promise.all([tcp.closed(), ws.closed()]);

    expect([tcp.disconnects, ws.disconnects]).toEqual([
      [SERVER_SHUTTING_DOWN],
      [SERVER_SHUTTING_DOWN],
    ]);
    expect(node.child.stderr).toBe('');
  });

  it.each([
    ['LISTENERS_TCP_PORT', 'listeners.tcp.port'],
    ['LISTENERS_WS_PORT', 'listeners.ws.port'],
    ['OPS_PORT', 'ops.port'],
    ['COMMANDS_PORT', 'commands.port'],
  ])('names the setting when the port of %s is taken', async (variable, field) => {
    const other = createServer().listen(0, '127.0.0.1');
    scope.add(() => other.close());
    await once(other, 'listening');
    const taken = (other.address() as { port: number }).port;
    const chosen = { LISTENERS_TCP_PORT: 0, LISTENERS_WS_PORT: 0, OPS_PORT: 0, COMMANDS_PORT: 0 };
    const child = spawnApp(scope, 'broker', { settings: { ...chosen, [variable]: taken } });

    expect(await child.exit()).toBe(2);
    expect(child.stderr).toBe(
      `${field}: 127.0.0.1:${String(taken)} is in use; choose another port or stop the program that has it\n`,
    );
  });

  it.each([
    ['an unknown flag', ['--dat', 'x'], /^--dat: is not a known flag; the nearest is --data.*\n$/],
    [
      'a missing file',
      ['--config', '/nowhere/skein.yaml'],
      /^\/nowhere\/skein\.yaml: cannot be read; .*\n$/,
    ],
  ])('tells %s in one line and ends with code 2', async (_what, args, line) => {
    const child = spawnApp(scope, 'broker', { args });

    expect(await child.exit()).toBe(2);
    expect(child.stderr).toMatch(line);
  });

  it.each([
    [
      'a wrong value',
      'listeners:\n  tcp: { port: mqtt }\n',
      /^listeners\.tcp\.port: must be .*; .*\n$/,
    ],
    ['an unknown key', 'listeners:\n  tpc: { port: 1 }\n', /^listeners\.tpc\.transport: .*\n$/],
    ['broken YAML', 'listeners: [\n', /^.*skein\.yaml.*: .*\n$/],
  ])('tells %s of the file in one line and ends with code 2', async (_what, text, line) => {
    const file = join(await temporaryDirectory(), 'skein.yaml');
    await writeFile(file, text);
    const child = spawnApp(scope, 'broker', { settings: { CONFIG: file } });

    expect(await child.exit()).toBe(2);
    expect(child.stderr).toMatch(line);
  });
});

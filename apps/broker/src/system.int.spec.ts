import 'reflect-metadata';
import { copyFile, writeFile } from 'node:fs/promises';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { connectAsync, type MqttClient } from 'mqtt';
import type { CommandOf, NodeAnswers, NodeCommand, NodeReply } from '#libs/api-contracts';
import { loadConfig } from '#libs/config';
import { NodeCommandClient, commandChannel } from '#libs/nest-support';
import { RecordingLog, TestAuthority, freePort, until } from '#libs/testkit';
import { BrokerModule } from './broker.module.ts';
import type { BrokerProcess } from './broker-process.ts';
import { BASE_CONFIG, LOG, PROCESS } from './wiring/tokens.ts';

const DEADLINE_MS = 20_000;
const DAY_MS = 86_400_000;

let authority: TestAuthority;
let broker: BrokerProcess;
let client: NodeCommandClient<NodeCommand, NodeReply>;
let port: number;
let file: string;
const guests: MqttClient[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
});
afterAll(() => authority.remove());

beforeEach(async () => {
  port = await freePort();
  const issued = await authority.issue({ commonName: 'broker.test' });
  file = authority.path('in-use.crt');
  await copyFile(issued.certFile, file);
  const config = loadConfig({
    env: {
      SKEIN_NODE_ID: 'n1',
      SKEIN_API_KEY: 'planted-secret-key',
      SKEIN_LISTENERS_TCP_PORT: String(port),
      SKEIN_LISTENERS_WS_ENABLED: 'false',
      SKEIN_LISTENERS_TLS_ENABLED: 'true',
      SKEIN_LISTENERS_TLS_PORT: '0',
      SKEIN_LISTENERS_TLS_TLS_CERT_FILE: file,
      SKEIN_LISTENERS_TLS_TLS_KEY_FILE: issued.keyFile,
      SKEIN_OPS_PORT: '0',
      SKEIN_COMMANDS_PORT: String(await freePort()),
    },
  });
  const log = new RecordingLog();
  const module = await Test.createTestingModule({ imports: [BrokerModule] })
    .overrideProvider(BASE_CONFIG)
    .useValue(config)
    .overrideProvider(LOG)
    .useValue(log)
    .compile();
  broker = module.get<BrokerProcess>(PROCESS);
  await broker.start();
  client = new NodeCommandClient({ channel: commandChannel(config), log });
});

afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.endAsync(true);
  await client.close();
  await broker.stop();
});

async function ask<K extends NodeCommand['kind']>(command: CommandOf<K>): Promise<NodeAnswers[K]> {
  const result = await client.ask('n1', command, DEADLINE_MS);
  if (result.kind !== 'reply' || result.reply.kind !== 'done') throw new Error(result.kind);
  return result.reply.answer as NodeAnswers[K];
}

async function connect(): Promise<MqttClient> {
  const options = { reconnectPeriod: 0, connectTimeout: 2_000 };
  const guest = await connectAsync(`mqtt://127.0.0.1:${String(port)}`, options, false);
  guests.push(guest);
  return guest;
}

const failing = async (withinMs = DAY_MS): Promise<readonly string[]> => {
  const { checks } = await ask({ kind: 'node-health', certificatesWithinMs: withinMs });
  return checks.filter(({ ok }) => !ok).map(({ name }) => name);
};

it('stops a listener, whose clients stay, and starts it again', async () => {
  const guest = await connect();
  await ask({ kind: 'switch-listener', name: 'tcp', action: 'stop' });

  await expect(connect()).rejects.toThrow('ECONNREFUSED');
  const { listeners } = await ask({ kind: 'listeners' });
  expect(listeners).toMatchObject([
    { name: 'tcp', type: 'tcp', state: 'stopped', connections: 1 },
    { name: 'tls', type: 'tls', state: 'listening', connections: 0 },
  ]);
  expect(await failing()).toEqual(['listeners']);
  await guest.subscribeAsync('t');

  const { listener } = await ask({ kind: 'switch-listener', name: 'tcp', action: 'start' });
  expect(listener).toMatchObject({ state: 'listening' });
  await connect();
  await ask({ kind: 'switch-listener', name: 'tls', action: 'restart' });
  expect(await failing()).toEqual([]);
});

it('sends the clients of a listener away when it is to', async () => {
  const guest = await connect();
  const { listener } = await ask({
    ...{ kind: 'switch-listener', name: 'tcp', action: 'stop', drain: true },
  });
  expect(['stopping', 'stopped']).toContain(listener?.state);
  await until(() => !guest.connected, DEADLINE_MS);
  await until(async () => {
    const { listeners } = await ask({ kind: 'listeners' });
    expect(listeners[0]).toMatchObject({ state: 'stopped', connections: 0 });
  }, DEADLINE_MS);
  expect(await failing()).toEqual(['listeners']);
});

it('says why a listener cannot be started, and has none of another name', async () => {
  await ask({ kind: 'switch-listener', name: 'tls', action: 'stop' });
  await writeFile(file, 'no certificate');
  const { listener } = await ask({ kind: 'switch-listener', name: 'tls', action: 'start' });

  expect(listener).toMatchObject({
    state: 'failed',
    lastError: expect.stringContaining('certFile'),
  });
  expect(await ask({ kind: 'switch-listener', name: 'no', action: 'start' })).toEqual({});
});

it('shows certificates, reads them anew, and finds those that end soon', async () => {
  const before = await ask({ kind: 'certificates' });
  expect(before.certificates).toMatchObject([{ listener: 'tls', subject: 'CN=broker.test' }]);
  expect(await failing(7 * DAY_MS)).toEqual(['certificate-expiration']);
  expect(await ask({ kind: 'reload-certificates' })).toEqual({ results: [{ listener: 'tls' }] });

  await writeFile(file, 'no certificate');
  const { results } = await ask({ kind: 'reload-certificates' });
  expect(results).toMatchObject([{ fault: expect.stringContaining('certFile') }]);
  expect(await ask({ kind: 'certificates' })).toEqual(before);
});

it('shows itself in figures, metrics, features and settings, without secrets', async () => {
  await connect();
  await until(async () => {
    const { connections } = await ask({ kind: 'node-stats' });
    expect(connections).toEqual([{ listener: 'tcp', version: 4, count: 1 }]);
  }, DEADLINE_MS);
  const { metrics } = await ask({ kind: 'node-metrics' });
  const listening = metrics.find(({ name }) => name === 'skein_broker_connections');
  expect(
    listening?.samples.some(({ labels, value }) => labels['listener'] === 'tcp' && value === 1),
  ).toBe(true);
  const { features, version } = await ask({ kind: 'node-features' });
  expect(version).toMatch(/^\d/);
  expect(features).toContainEqual({ name: 'tls', enabled: true });
  expect(features).toContainEqual({ name: 'cluster', enabled: false });
  const { settings } = await ask({ kind: 'node-config' });
  expect(settings).toContainEqual(
    expect.objectContaining({ path: 'node.id', value: 'n1', source: 'environment' }),
  );
  expect(JSON.stringify({ settings, features, metrics })).not.toContain('planted');
});

it('has nothing to forget of a node that never was, and does not forget itself', async () => {
  expect(await ask({ kind: 'forget-node', nodeId: 'ghost' })).toEqual({ kind: 'absent' });
  expect(await ask({ kind: 'forget-node', nodeId: 'n1' })).toEqual({ kind: 'alive' });
});

import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { afterEach, expect, it } from '@jest/globals';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { loadConfig } from '#libs/config';
import { RecordingLog, freePort, until } from '#libs/testkit';
import { BrokerModule } from './broker.module.ts';
import type { BrokerProcess } from './broker-process.ts';
import { BASE_CONFIG, LOG, PROCESS } from './wiring/tokens.ts';

const DEADLINE_MS = 20_000;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** A node of this process with some of its limits set; returns its port. */
async function startNode(limits: Readonly<Record<string, number>>): Promise<number> {
  const port = await freePort();
  const config = loadConfig({
    env: {
      SKEIN_LISTENERS_TCP_PORT: String(port),
      SKEIN_LISTENERS_WS_ENABLED: 'false',
      SKEIN_OPS_PORT: '0',
      SKEIN_COMMANDS_PORT: '0',
      ...Object.fromEntries(
        Object.entries(limits).map(([name, value]) => [`SKEIN_LIMITS_${name}`, String(value)]),
      ),
    },
  });
  const module = await Test.createTestingModule({ imports: [BrokerModule] })
    .overrideProvider(BASE_CONFIG)
    .useValue(config)
    .overrideProvider(LOG)
    .useValue(new RecordingLog())
    .compile();
  const broker = module.get<BrokerProcess>(PROCESS);
  cleanups.push(() => broker.stop());
  await broker.start();
  return port;
}

/** Connects; resolves with the client or rejects with the refusal. */
function open(port: number, options: IClientOptions): Promise<MqttClient> {
  const client = connect({ host: '127.0.0.1', port, reconnectPeriod: 0, ...options });
  cleanups.push(() => client.endAsync(true));
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('error', reject);
  });
}

it('refuses one session too many, in the words of each version, but never one that exists', async () => {
  const port = await startNode({ SESSIONS_MAX: 1 });
  const durable = { clientId: 'one', clean: false } as const;
  const first = await open(port, { ...durable, protocolVersion: 4 });

  await expect(open(port, { clientId: 'two', protocolVersion: 4 })).rejects.toMatchObject({
    code: 3,
  });
  await expect(open(port, { clientId: 'two', protocolVersion: 5 })).rejects.toMatchObject({
    code: 0x97,
  });
  const second = await open(port, { ...durable, protocolVersion: 4 });
  await until(() => !first.connected, DEADLINE_MS);
  await second.endAsync();
  const third = await open(port, { ...durable, protocolVersion: 4 });
  expect(third.connected).toBe(true);
});

it('goes on with QoS 1 when a receiver reads again, with the smallest socket buffer that may be set', async () => {
  const port = await startNode({ SOCKET_BUFFER_BYTES_MAX: 65_536 });
  const receiver = await open(port, { clientId: 'receiver' });
  await receiver.subscribeAsync('t', { qos: 1 });
  const received: string[] = [];
  receiver.on('message', (_topic, payload) => received.push(String(payload.subarray(0, 3))));
  receiver.stream.pause();
  const publisher = await open(port, { clientId: 'publisher' });
  // More than the system takes for a receiver that does not read.
  const payload = Buffer.alloc(8_192, 'x');
  for (let count = 0; count < 2_000; count += 1) {
    await publisher.publishAsync('t', payload, { qos: 0 });
  }
  await publisher.publishAsync('t', 'one', { qos: 1 });
  expect(received).not.toContain('one');
  receiver.stream.resume();
  await until(() => received.includes('one'), DEADLINE_MS);
  expect(received.length).toBeLessThan(2_001);
});

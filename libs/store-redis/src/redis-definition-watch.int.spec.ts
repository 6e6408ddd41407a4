import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  openTcpGate,
  silentLog,
  startRedis,
  until,
  type RedisServer,
  type TcpGate,
} from '#libs/testkit';
import type { Meter } from '#libs/broker-ports';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisDefinitionStore } from './redis-definition-store.ts';

const DEADLINE_MS = 20_000;
const PREFIX = 'watch';
const ignored = () => undefined;

interface Sample {
  readonly id: string;
  readonly value: number;
}

let redis: RedisServer;
let gate: TcpGate;
const connections: RedisConnection[] = [];

beforeEach(async () => {
  redis = await startRedis();
  gate = await openTcpGate(redis.port);
});

afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close();
  await gate.close();
  await redis.stop();
});

async function connect(port: number, ended: (outcome: string) => void = () => undefined) {
  const redisCommand: Meter['redisCommand'] = (_, outcome) => ended(outcome);
  const meter = new Proxy(
    { redisCommand },
    { get: (of, name) => Reflect.get(of, name) ?? ignored },
  );
  const connection = await connectRedis({
    ...{ url: `redis://127.0.0.1:${String(port)}`, keyPrefix: PREFIX, commandTimeoutMs: 500 },
    ...{ log: silentLog, meter: meter as unknown as Meter },
  });
  connections.push(connection);
  return connection;
}

it('a watcher hears what a master holds that has lost its latest writes and counted to the same revision again', async () => {
  const failed: string[] = [];
  const behindGate = await connect(
    gate.port,
    (outcome) => outcome === 'error' && failed.push(outcome),
  );
  const direct = await connect(redis.port);
  const store = new RedisDefinitionStore<Sample>(direct, 'listeners');
  await store.put({ id: 'a', value: 1 }, undefined);
  const watching = new RedisDefinitionStore<Sample>(behindGate, 'listeners');
  const told: number[] = [];
  watching.watch((items) => told.push(...items.map(({ item }) => item.value)));
  await until(() => told.length === 1, DEADLINE_MS);

  gate.shut();
  await until(() => !behindGate.isUp, DEADLINE_MS);
  await direct.run('rules', '', (client) => client.flushall());
  const again = await store.put({ id: 'a', value: 2 }, undefined);
  expect(again).toMatchObject({ kind: 'stored', stored: { revision: 1 } });
  // One look has found nobody.
  await until(() => failed.length > 0, DEADLINE_MS);
  gate.open();
  await until(() => told.at(-1) === 2, DEADLINE_MS);
  await watching.close();
});

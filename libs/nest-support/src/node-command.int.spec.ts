import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import {
  freePort,
  RecordingLog,
  startRedis,
  startRedisCluster,
  until,
  type RedisServer,
} from '#libs/testkit';
import { NodeCommandClient, NodeCommandServer, type CommandChannel } from './index.ts';

interface Echo {
  readonly text: string;
}

const DEADLINE_MS = 20_000;
const cleanups: (() => unknown)[] = [];
let log = new RecordingLog();

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
  log = new RecordingLog();
});

async function redisChannel(): Promise<{ redis: RedisServer; channel: CommandChannel }> {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  return { redis, channel: { scope: 's', transport: { kind: 'redis', url: redis.url } } };
}

async function serve(channel: CommandChannel, nodeId: string) {
  const server = new NodeCommandServer<Echo, Echo>({
    channel,
    nodeId,
    handle: ({ text }) => Promise.resolve({ text: `${nodeId} ${text}` }),
    answersAny: ({ text }) => text === 'who',
    log,
  });
  await server.open();
  cleanups.push(() => server.close());
  return server;
}

/** A client whose calls may take so long. */
function connect(channel: CommandChannel, withinMs = 2_000) {
  const client = new NodeCommandClient<Echo, Echo>({ channel, log });
  cleanups.push(() => client.close());
  return {
    ask: (nodeId: string, command: Echo) => client.ask(nodeId, command, withinMs),
    askAny: (command: Echo) => client.askAny(command, withinMs),
    close: () => client.close(),
  };
}

it('carries a command to the embedded node by TCP, and says so when it is gone', async () => {
  const server = await serve(
    { scope: 's', transport: { kind: 'tcp', host: '127.0.0.1', port: 0 } },
    'n1',
  );
  const transport = { kind: 'tcp', host: '127.0.0.1', port: server.port } as const;
  const client = connect({ scope: 's', transport });

  expect(await client.ask('n1', { text: 'é' })).toEqual({ kind: 'reply', reply: { text: 'n1 é' } });
  expect(await client.askAny({ text: 'who' })).toEqual({
    kind: 'reply',
    reply: { text: 'n1 who' },
  });
  expect(await client.askAny({ text: 'change' })).toMatchObject({ kind: 'unreachable' });
  expect(await client.ask('n2', { text: 'x' })).toMatchObject({ kind: 'unreachable' });

  await server.close();
  await until(
    async () => (await client.ask('n1', { text: 'x' })).kind === 'unreachable',
    DEADLINE_MS,
  );
  expect(await client.ask('n1', { text: 'x' })).toEqual({ kind: 'unreachable', sent: false });
});

it('does not warn of a connection by TCP that it has closed itself', async () => {
  const channel = { scope: 's', transport: { kind: 'tcp', host: '127.0.0.1', port: 0 } } as const;
  const { port } = await serve(channel, 'n1');
  const there = { scope: 's', transport: { ...channel.transport, port } };
  const client = connect(there);
  expect(await client.ask('n1', { text: 'x' })).toMatchObject({ kind: 'reply' });
  await client.close();

  // Its socket is gone by the time that another has connected and has had an answer.
  expect(await connect(there).ask('n1', { text: 'x' })).toMatchObject({ kind: 'reply' });
  expect(log.of('commands-disconnected')).toEqual([]);
});

it('rejects a TCP port that is taken', async () => {
  const first = await serve(
    { scope: 's', transport: { kind: 'tcp', host: '127.0.0.1', port: 0 } },
    'n1',
  );
  const transport = { kind: 'tcp', host: '127.0.0.1', port: first.port } as const;

  await expect(serve({ scope: 's', transport }, 'n2')).rejects.toThrow(/EADDRINUSE/);
});

/** Through whatever master of three the channel belongs to. */
async function clusterChannel(): Promise<{ channel: CommandChannel }> {
  const cluster = await startRedisCluster();
  cleanups.push(() => cluster.stop());
  return { channel: { scope: 's', transport: { kind: 'redis', nodes: cluster.nodes } } };
}

it.each([
  ['Redis', redisChannel],
  ['a Redis Cluster', clusterChannel],
])(
  'carries many commands at once to each of two nodes through %s',
  async (_, open) => {
    const { channel } = await open();
    const servers = [await serve(channel, 'n1'), await serve(channel, 'n2')];
    const client = connect(channel);
    await until(() => servers.every(({ connected }) => connected), DEADLINE_MS);
    await until(async () => (await client.askAny({ text: 'who' })).kind === 'reply', DEADLINE_MS);

    const asked = Array.from({ length: 200 }, (_, i) =>
      client.ask(`n${1 + (i % 2)}`, { text: `${i}` }),
    );
    const replies = await Promise.all(asked);

    expect(replies).toEqual(
      asked.map((_, i) => ({ kind: 'reply', reply: { text: `n${1 + (i % 2)} ${i}` } })),
    );
  },
  30_000,
);

it('starts without Redis, answers within the deadline, and works once Redis comes, goes and returns', async () => {
  const { redis, channel } = await redisChannel();
  await redis.kill();
  const server = await serve(channel, 'n1');
  const client = connect(channel, 500);

  expect(await client.ask('n1', { text: 'x' })).toEqual({ kind: 'unreachable', sent: false });
  // Long enough for several attempts to connect, of which only the first may be logged.
  await delay(600);
  expect(log.of('commands-disconnected')).toHaveLength(2);

  await redis.restart();
  await until(async () => (await client.ask('n1', { text: 'x' })).kind === 'reply', DEADLINE_MS);
  await redis.kill();
  await until(
    async () => (await client.ask('n1', { text: 'x' })).kind === 'unreachable',
    DEADLINE_MS,
  );
  await until(() => !server.connected, DEADLINE_MS);

  await redis.restart();
  await until(async () => (await client.ask('n1', { text: 'x' })).kind === 'reply', DEADLINE_MS);
  expect(log.of('commands-disconnected')).toHaveLength(4);
  expect(log.of('commands-connected')).toHaveLength(4);
});

it('does not hang on a Redis that is frozen', async () => {
  const { redis, channel } = await redisChannel();
  const server = await serve(channel, 'n1');
  const client = connect(channel, 500);
  await until(async () => (await client.ask('n1', { text: 'x' })).kind === 'reply', DEADLINE_MS);
  redis.pause();

  expect(await client.ask('n1', { text: 'x' })).toEqual({ kind: 'unreachable', sent: true });
  await client.close();
  await server.close();
});

it('logs no warning when it starts with its Redis, or before its embedded node', async () => {
  const { channel } = await redisChannel();
  const server = await serve(channel, 'n1');
  const client = connect(channel);
  await until(async () => (await client.ask('n1', { text: 'x' })).kind === 'reply', DEADLINE_MS);
  await until(() => server.connected, DEADLINE_MS);
  const transport = { kind: 'tcp', host: '127.0.0.1', port: await freePort() } as const;
  const early = connect({ scope: 's', transport });
  expect(await early.ask('n2', { text: 'x' })).toEqual({ kind: 'unreachable', sent: false });
  await serve({ scope: 's', transport }, 'n2');
  await until(async () => (await early.ask('n2', { text: 'x' })).kind === 'reply', DEADLINE_MS);

  expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  expect(log.of('commands-connected')).toHaveLength(3);
});

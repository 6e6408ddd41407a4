import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { RecordingLog, startRedis, until, type RedisServer } from '#libs/testkit';
import { NodeCommandClient, NodeCommandServer, type CommandChannel } from './index.ts';

const DEADLINE_MS = 20_000;
const WITHIN_MS = 2_000;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** A way to Redis; of the connections made after cut(), one gets its first answers only after a while. */
async function slowGate(redis: RedisServer, slowOne: number) {
  const sockets = new Set<Socket>();
  let made = -Infinity;
  const gate = createServer((client) => {
    const target = connectTcp(redis.port, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
    client.pipe(target);
    if (made++ === slowOne) setTimeout(() => target.pipe(client), 300);
    else target.pipe(client);
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  const cut = (): void => {
    made = 0;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  cleanups.push(() => {
    cut();
    gate.close();
  });
  return { cut, url: `redis://127.0.0.1:${(gate.address() as AddressInfo).port}` };
}

it.each([0, 1])(
  'hears answers when connection %i is the last to come back',
  async (slowOne) => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const log = new RecordingLog();
    const through = (url: string): CommandChannel => ({
      scope: 's',
      transport: { kind: 'redis', url },
    });
    const server = new NodeCommandServer<string, string>({
      channel: through(redis.url),
      nodeId: 'n1',
      handle: (text) => Promise.resolve(text),
      answersAny: () => true,
      log,
    });
    await server.open();
    cleanups.push(() => server.close());
    const { cut, url } = await slowGate(redis, slowOne);
    const client = new NodeCommandClient<string, string>({
      channel: through(url),
      log,
    });
    cleanups.push(() => client.close());
    await until(async () => (await client.askAny('who', WITHIN_MS)).kind === 'reply', DEADLINE_MS);
    cut();
    await until(() => log.of('commands-disconnected').length === 1, DEADLINE_MS);

    // The first question to the node, asked as soon as one of the two connections is back.
    await until(async () => {
      const result = await client.ask('n1', 'x', WITHIN_MS);
      return result.kind === 'reply' || result.sent;
    }, DEADLINE_MS);
    await until(async () => (await client.ask('n1', 'x', WITHIN_MS)).kind === 'reply', DEADLINE_MS);
    expect(await client.ask('n1', 'x', WITHIN_MS)).toMatchObject({ kind: 'reply' });
  },
  20_000,
);

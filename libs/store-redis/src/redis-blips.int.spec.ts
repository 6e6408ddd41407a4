import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openTcpGate, startRedis, until, type RedisServer, type TcpGate } from '#libs/testkit';

const TIMEOUT_MS = 500;
const DEADLINE_MS = 20_000;

/**
 * A process that always has calls outstanding, alone and in pipelines, on database 3. It prints `up` and `down`; a line on
 * its standard input lets it stop, print how its calls ended, close and end by itself.
 */
const CALLER = `
import { createInterface } from 'node:readline';
import { connectRedis } from '#libs/store-redis';

const quiet = () => undefined;
const redis = await connectRedis({
  url: process.argv[1] + '/3',
  keyPrefix: 'skein',
  commandTimeoutMs: ${String(TIMEOUT_MS)},
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  meter: {
    redisUp: (_, up) => console.log(up ? 'up' : 'down'),
    redisReconnected: quiet,
    redisCommandBegun: quiet,
    redisCommand: quiet,
  },
});

let calling = true;
const seen = { ok: 0, failed: 0 };

async function call(run) {
  try {
    await run();
    seen.ok += 1;
  } catch {
    seen.failed += 1;
  }
}

async function lane(run) {
  while (calling) {
    await call(run);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const one = () => redis.run('lease', 'one', (client) => client.incr('one'));
const several = () =>
  redis.pipeline('lease', [
    ['a', (to) => to.incr('a')],
    ['b', (to) => to.get('b')],
    ['c', (to) => to.incr('c')],
  ]);
const lanes = Array.from({ length: 20 }, (_, at) => lane(at % 2 === 0 ? one : several));

createInterface({ input: process.stdin }).once('line', async () => {
  calling = false;
  await Promise.all(lanes);
  console.log(JSON.stringify(seen));
  await redis.close();
  console.log('closed');
  process.stdin.unref();
});
`;

interface Seen {
  readonly ok: number;
  readonly failed: number;
}

let server: RedisServer;
let gate: TcpGate;
let caller: ChildProcess;
let lines: string[];
let complaints: string;

beforeEach(async () => {
  server = await startRedis();
  gate = await openTcpGate(server.port);
  lines = [];
  complaints = '';
  caller = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      CALLER,
      `redis://127.0.0.1:${String(gate.port)}`,
    ],
    { stdio: 'pipe' },
  );
  if (caller.stdout === null) throw new Error('no output');
  createInterface({ input: caller.stdout }).on('line', (line) => lines.push(line));
  caller.stderr?.on('data', (chunk) => (complaints += String(chunk)));
  await until(() => lines.at(-1) === 'up', DEADLINE_MS);
});

afterEach(async () => {
  if (caller.exitCode === null && caller.signalCode === null) {
    caller.kill('SIGKILL');
    await once(caller, 'exit');
  }
  await gate.close();
  await server.stop();
});

/** Lets the process stop calling and end by itself. */
async function end(): Promise<Seen> {
  const ended = once(caller, 'exit');
  caller.stdin?.write('end\n');
  await until(() => lines.at(-1) === 'closed' || caller.exitCode !== null, DEADLINE_MS);
  const late = AbortSignal.timeout(DEADLINE_MS);
  await Promise.race([ended, once(late, 'abort')]);
  expect({ code: caller.exitCode, complaints }).toEqual({ code: 0, complaints: '' });
  const seen = lines.find((line) => line.startsWith('{')) ?? '';
  return JSON.parse(seen) as Seen;
}

async function isDown(): Promise<void> {
  await until(() => lines.at(-1) === 'down', DEADLINE_MS);
}

async function isUp(): Promise<void> {
  await until(() => lines.at(-1) === 'up', DEADLINE_MS);
}

describe('a process with calls outstanding', () => {
  it('settles every call in time and lives on, however often Redis goes away', async () => {
    for (let blip = 0; blip < 3; blip += 1) {
      gate.shut();
      await isDown();
      gate.open();
      await isUp();
      await server.kill();
      await isDown();
      await server.restart();
      await isUp();
      server.pause();
      await isDown();
      server.resume();
      await isUp();
    }
    const { ok, failed } = await end();
    expect(ok).toBeGreaterThan(0);
    expect(failed).toBeGreaterThan(0);
  }, 60_000);

  it('lives on when each connection is cut in the moment of its making', async () => {
    for (let blip = 0; blip < 30; blip += 1) {
      gate.shut();
      await isDown();
      gate.open();
      await isUp();
    }
    expect((await end()).ok).toBeGreaterThan(0);
  }, 60_000);

  it.each([
    ['away', () => server.kill()],
    ['frozen', async () => server.pause()],
  ])('ends at once while Redis is %s', async (_, fault) => {
    await fault();
    await isDown();
    expect((await end()).failed).toBeGreaterThan(0);
  });
});

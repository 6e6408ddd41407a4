import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

const START_DEADLINE_MS = 20_000;
const ATTEMPTS = 5;

/** A Redis that runs already, from REDIS_URL; undefined when tests must start one. Nothing but their own keys is theirs. */
// oxlint-disable-next-line node/no-process-env
export const GIVEN_REDIS = process.env['REDIS_URL'];

/** How a Redis server for a test is to run. */
export interface RedisServerOptions {
  /** True logs each command and syncs it before it is answered, so a kill loses nothing acknowledged. @defaultValue false */
  readonly appendOnly?: boolean;
  /** Further arguments of redis-server, for example `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[];
  /** What its configuration file holds, for modes that want one. @defaultValue no file */
  readonly file?: string;
}

/** A Redis server of its own process, on a free loopback port, with its files in a temporary folder. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Of the process at hand: restart() makes another one. */
  readonly pid: number;
  /** Shuts it down in order and removes its folder; nothing happens when that is done. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. Its folder stays for restart(). */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void;
  /** SIGCONT: what came meanwhile is answered. */
  resume(): void;
  /** Starts it again on the same port and folder, after kill() or instead of it; resolves when it answers. */
  restart(): Promise<void>;
}

const FIRST_PORT = 10_240;
/** Below the ports that systems give to connections: a client's end must not take what is meant for a server. */
const PORTS = 32_768 - FIRST_PORT;
let portsTried = Math.floor(Math.random() * PORTS);

/**
 * A loopback port that was free a moment ago. Test files run side by side: each process goes on from a place of its own,
 * so that what one was given another does not get until it listens.
 *
 * @throws Error when none is free.
 */
export function freePort(): Promise<number> {
  return freePorts(1);
}

/**
 * The first of so many loopback ports in a row that were free a moment ago.
 *
 * @throws Error when there are none.
 */
export async function freePorts(count: number): Promise<number> {
  let inARow = 0;
  for (let attempt = 0; attempt < PORTS; attempt += 1) {
    portsTried += 1;
    const place = portsTried % PORTS;
    const isNext = place >= inARow && (await isFree(FIRST_PORT + place));
    inARow = isNext ? inARow + 1 : 0;
    if (inARow === count) return FIRST_PORT + place - count + 1;
  }
  throw new Error(`no ${String(count)} ports in a row are free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/**
 * Starts a redis-server and waits until it answers PING.
 *
 * @throws Error when redis-server is not installed or does not start.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-redis-'));
  for (let attempt = 1; ; attempt += 1) {
    // Another process may take the port between the look and the start.
    const server = new RedisProcess(await freePort(), directory, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.kill();
      if (attempt === ATTEMPTS || isMissing(error)) {
        await rm(directory, { recursive: true, force: true });
        throw error;
      }
    }
  }
}

class RedisProcess implements RedisServer {
  readonly url: string;
  readonly port: number;
  readonly #directory: string;
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;
  #failure: Error | undefined;

  constructor(port: number, directory: string, options: RedisServerOptions) {
    this.url = `redis://127.0.0.1:${String(port)}`;
    this.port = port;
    this.#directory = directory;
    this.#options = options;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('redis-server is not running');
    return pid;
  }

  async stop(): Promise<void> {
    this.resume();
    await this.#end('SIGTERM');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#failure = undefined;
    const { file } = this.#options;
    // The server writes into its file what it learns; that is kept over a restart.
    if (file !== undefined && !existsSync(this.#file)) await writeFile(this.#file, file);
    const child = spawn('redis-server', this.#args(), { stdio: 'ignore' });
    this.#child = child;
    child.once('error', (cause) => {
      this.#failure = isMissing(cause)
        ? Object.assign(new Error('redis-server is not installed: apt-get install redis-server'), {
            code: 'ENOENT',
          })
        : cause;
    });
    child.once('exit', () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#failure ??= new Error('redis-server ended');
    });
    let answered = false;
    await until(async () => {
      answered = this.#failure === undefined && (await answersPing(this.port));
      return answered || this.#failure !== undefined;
    }, START_DEADLINE_MS);
    if (!answered) throw this.#failure ?? new Error('redis-server did not start');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  get #file(): string {
    return join(this.#directory, 'redis.conf');
  }

  #args(): string[] {
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    return [
      ...(this.#options.file === undefined ? [] : [this.#file]),
      ...['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.#directory],
      ...['--save', '', '--daemonize', 'no'],
      ...(this.#options.appendOnly === true ? durable : []),
      ...(this.#options.args ?? []),
    ];
  }
}

/** Whether a Redis that has loaded its data answers at the port; one that wants a password has. */
async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const answer: Promise<unknown[]> = once(socket, 'data');
    socket.write('PING\r\n');
    const [reply] = await answer;
    return /^(?:\+PONG|-NOAUTH)/.test(String(reply));
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

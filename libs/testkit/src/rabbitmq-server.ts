import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis-server.ts';
import { until } from './until.ts';

const SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_DEADLINE_MS = 120_000;

/** A RabbitMQ node of its own, on free loopback ports, with files, name and cookie in a temporary folder. */
export interface RabbitmqServer {
  /** With the user that a new node has. */
  readonly url: string;
  /** SIGKILL; resolves when the node is gone. Its folder stays for restart(). */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void;
  /** SIGCONT: what came meanwhile is answered. */
  resume(): void;
  /** Starts it again on the same ports and folder; resolves when it takes connections. */
  restart(): Promise<void>;
  /** Ends the node and removes its folder. */
  stop(): Promise<void>;
}

/**
 * Starts a RabbitMQ node and waits until it takes connections.
 *
 * @param settings - further lines of rabbitmq.conf.
 * @throws Error when Debian's rabbitmq-server is not installed or does not start.
 */
export async function startRabbitmq(settings: readonly string[] = []): Promise<RabbitmqServer> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-rabbitmq-'));
  const ports = { amqp: await freePort(), node: await freePort(), names: await freePort() };
  await mkdir(join(directory, 'log'));
  await writeFile(join(directory, 'plugins'), '[].\n');
  await writeFile(join(directory, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
  const server = new RabbitmqProcess(directory, ports);
  try {
    await server.restart();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

interface Ports {
  readonly amqp: number;
  /** Of the Erlang node. */
  readonly node: number;
  /** Of its name server, which would else stay behind for all of the machine. */
  readonly names: number;
}

class RabbitmqProcess implements RabbitmqServer {
  readonly url: string;
  readonly #directory: string;
  readonly #ports: Ports;
  #names: ChildProcess | undefined;
  #node: ChildProcess | undefined;

  constructor(directory: string, ports: Ports) {
    this.url = `amqp://guest:guest@127.0.0.1:${ports.amqp}`;
    this.#directory = directory;
    this.#ports = ports;
  }

  async restart(): Promise<void> {
    await this.kill();
    const env = this.#environment();
    this.#names ??= start('epmd', ['-port', String(this.#ports.names)], env);
    const node = start(SCRIPT, [], env);
    this.#node = node;
    await Promise.race([
      once(node, 'exit').then(() => {
        if (this.#node === node) throw new Error('rabbitmq-server ended');
      }),
      until(() => takesConnections(this.#ports.amqp), START_DEADLINE_MS),
    ]);
  }

  async kill(): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    await end(node);
  }

  pause(): void {
    this.#node?.kill('SIGSTOP');
  }

  resume(): void {
    this.#node?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await end(this.#names);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    const file = (name: string): string => join(this.#directory, name);
    const { amqp, node, names } = this.#ports;
    return {
      // oxlint-disable-next-line node/no-process-env
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      // The cookie is written here.
      HOME: this.#directory,
      ERL_EPMD_PORT: String(names),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      // The script becomes the node, instead of staying beside it.
      RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_NODENAME: `skein-${amqp}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(amqp),
      RABBITMQ_DIST_PORT: String(node),
      RABBITMQ_MNESIA_BASE: file('data'),
      RABBITMQ_LOG_BASE: file('log'),
      RABBITMQ_LOGS: file('log/node.log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins'),
      RABBITMQ_CONFIG_FILE: file('rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: file('none.conf'),
      RABBITMQ_PID_FILE: file('pid'),
      // One scheduler that does not spin: tests share the machine.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none',
    };
  }
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(program, args, { env, stdio: 'ignore' });
  // One that cannot be started says so by never answering.
  child.once('error', () => undefined);
  return child;
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** A node that has recovered its queues answers a client's first words. */
async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const answer: Promise<unknown[]> = once(socket, 'data');
    socket.write('AMQP\0\0\u0009\u0001');
    const [reply] = (await answer) as [Buffer];
    return reply[0] === 1;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

// The brokers that are compared, each a process of its own on a core of its own.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening, until } from '../tools/ports.mjs';

const START_DEADLINE_MS = 30_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Names of the peers that --against may list. */
export const PEERS = ['mosquitto', 'limit'];

/** A server that is ready: where it listens, and how it is asked for its metrics, if it has any. */
export async function startProcess(group, { name, core, command, ports, env = {} }) {
  const output = [];
  const pinned = ['-c', String(core), ...command];
  const options = { cwd: root, env: { PATH, ...env }, output: (line) => output.push(line) };
  const { child, ended } = group.start('taskset', pinned, options);
  let isOver = false;
  void ended.then(() => (isOver = true));
  await until(
    name,
    async () => {
      if (isOver) throw new Error(`${name} has ended:\n${output.join('\n')}`);
      return listening(ports.mqtt ?? ports.redis ?? ports.http);
    },
    { deadlineMs: START_DEADLINE_MS },
  );
  return {
    name,
    ports,
    pid: child.pid,
    /** SIGTERM; resolves when it is gone. */
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
    get isOver() {
      return isOver;
    },
    get output() {
      return output.join('\n');
    },
  };
}

/** Skein as it is built, embedded, with its defaults but for ports, log, and the bounds on how fast connections are opened. */
export async function startSkein(group, { name = 'skein', core, build, nodeArgs = [], env = {} }) {
  const [mqtt, ops, commands] = await Promise.all([freePort(), freePort(), freePort()]);
  const main = join(build, 'apps/broker/src/main.js');
  return startProcess(group, {
    name,
    core,
    command: [process.execPath, ...nodeArgs, main],
    ports: { mqtt, ops },
    env: {
      SKEIN_LISTENERS_TCP_PORT: String(mqtt),
      SKEIN_LISTENERS_TCP_CONNECTS_PER_SECOND: '0',
      SKEIN_LISTENERS_TCP_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      SKEIN_FLAPPING_CONNECTIONS_MAX: '0',
      SKEIN_LISTENERS_WS_ENABLED: 'false',
      SKEIN_OPS_PORT: String(ops),
      SKEIN_COMMANDS_PORT: String(commands),
      SKEIN_LOG_LEVEL: 'warn',
      ...env,
    },
  });
}

/** Debian's mosquitto with its defaults, open to all and without a log line per connection. */
export async function startMosquitto(group, { core, directory }) {
  const mqtt = await freePort();
  const file = join(directory, `mosquitto-${mqtt}.conf`);
  writeFileSync(file, `listener ${mqtt} 127.0.0.1\nallow_anonymous true\nlog_dest none\n`);
  return startProcess(group, {
    name: 'mosquitto',
    core,
    command: ['mosquitto', '-c', file],
    ports: { mqtt },
  });
}

/** What a process on Node.js can reach at best: see peers/node-limit.mjs. */
async function startLimit(group, { core }) {
  const mqtt = await freePort();
  const script = fileURLToPath(new URL('peers/node-limit.mjs', import.meta.url));
  const command = [process.execPath, script, String(mqtt)];
  return startProcess(group, { name: 'limit', core, command, ports: { mqtt } });
}

/** Starts a server by the name that scenarios and --against use; a directory is another build of Skein. */
export function startServer(group, name, options) {
  switch (name) {
    case 'skein':
      return startSkein(group, options);
    case 'mosquitto':
      return startMosquitto(group, options);
    case 'limit':
      return startLimit(group, options);
    default:
      return startSkein(group, { ...options, name, build: name });
  }
}

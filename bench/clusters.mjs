// Several processes that are one broker: nodes, and a Redis of their own that keeps everything in memory.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../tools/ports.mjs';
import { startProcess, startSkein } from './servers.mjs';

/** Kinds of nodes by the names that a bench uses. */
const NODES = { skein: startSkeinNode, naive: startNaiveNode };

function startSkeinNode(group, { redis, number, core, build, settings }) {
  const env = {
    SKEIN_NODE_ID: `node${number}`,
    SKEIN_REDIS_URL: urlOf(redis),
    SKEIN_AUTH_ANONYMOUS: 'true',
    ...settings,
  };
  return startSkein(group, { name: `skein ${number}`, core, build, env });
}

const urlOf = ({ ports }) => `redis://127.0.0.1:${ports.redis}`;

/** See peers/aedes-redis.mjs. */
async function startNaiveNode(group, { redis, number, core }) {
  const mqtt = await freePort();
  const script = fileURLToPath(new URL('peers/aedes-redis.mjs', import.meta.url));
  const command = [process.execPath, script, String(mqtt), String(redis.ports.redis)];
  return startProcess(group, { name: `naive ${number}`, core, command, ports: { mqtt } });
}

async function startRedis(group, { core, directory }) {
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory];
  const command = ['redis-server', ...args, '--save', '', '--loglevel', 'warning'];
  return startProcess(group, { name: 'Redis', core, command, ports: { redis: port } });
}

/** The admin API of a cluster that startCluster has started: its server, and where it is. */
export async function startApi(group, { redis, core, build, settings }) {
  const [http, ops] = await Promise.all([freePort(), freePort()]);
  const server = await startProcess(group, {
    name: 'the API',
    core,
    command: [process.execPath, join(build, 'apps/api/src/main.js')],
    ports: { http },
    env: {
      SKEIN_REDIS_URL: redis,
      SKEIN_API_PORT: String(http),
      SKEIN_API_OPS_PORT: String(ops),
      SKEIN_LOG_LEVEL: 'warn',
      ...settings,
    },
  });
  return { server, origin: `http://127.0.0.1:${http}` };
}

/**
 * Starts nodes and their Redis.
 *
 * @param settings - variables of the nodes besides those that make them a cluster.
 * @returns a server for runMqttload: publishers connect to the first node, subscribers to the last one; `pids` begin
 * with the nodes and end with Redis.
 */
export async function startCluster(
  group,
  { kind, nodes: count, core, build, directory, settings = {} },
) {
  const redis = await startRedis(group, { core, directory });
  const nodes = [];
  for (let number = 1; number <= count; number += 1) {
    nodes.push(await NODES[kind](group, { redis, number, core, build, settings }));
  }
  const all = [...nodes, redis];
  return {
    name: kind,
    ports: { mqtt: nodes[0].ports.mqtt, subscribers: nodes.at(-1).ports.mqtt },
    nodes,
    redis: urlOf(redis),
    pids: all.map(({ pid }) => pid),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      await redis.stop();
    },
    get output() {
      return all.map(({ output }) => output).join('\n');
    },
  };
}

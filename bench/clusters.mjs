// Several processes that are one broker: nodes, and a Redis of their own that keeps everything in memory.
import { fileURLToPath } from 'node:url';
import { freePort } from '../tools/ports.mjs';
import { startProcess, startSkein } from './servers.mjs';

/** Kinds of nodes by the names that a bench uses. */
const NODES = { skein: startSkeinNode, naive: startNaiveNode };

function startSkeinNode(group, { redis, number, core, build }) {
  const env = {
    SKEIN_NODE_ID: `node${number}`,
    SKEIN_REDIS_URL: `redis://127.0.0.1:${redis.ports.redis}`,
    SKEIN_AUTH_ANONYMOUS: 'true',
  };
  return startSkein(group, { name: `skein ${number}`, core, build, env });
}

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

/**
 * Starts one or two nodes and their Redis.
 *
 * @returns a server for runMqttload: publishers connect to the first node, subscribers to the last one; `pids` begin
 * with the nodes and end with Redis.
 */
export async function startCluster(group, { kind, nodes: count, core, build, directory }) {
  const redis = await startRedis(group, { core, directory });
  const nodes = [];
  for (let number = 1; number <= count; number += 1) {
    nodes.push(await NODES[kind](group, { redis, number, core, build }));
  }
  const all = [...nodes, redis];
  return {
    name: kind,
    ports: { mqtt: nodes[0].ports.mqtt, subscribers: nodes.at(-1).ports.mqtt },
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

// A real node that joins a cluster of 49 others, whose routes are in a real Redis: how long it takes and what the node holds then.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { RouteTable } from '#libs/cluster';
import { RedisClusterBus } from '#libs/cluster-redis';
import { KINDS, deviceOf } from './filters.mjs';
import { World, cpuUsOf, report, rounded, threadUsOf, usedBytes } from './world.mjs';

const { countingMeter, silentLog } = await import('#libs/testkit');

const OTHERS = 49;
const PER_COMMAND = 1_000;
const LOOKUPS = 200_000;
const INCARNATION = 1_732_000_000_000;
const BUS = 'skein:{skein:bus}';

const total = Number(process.argv[2]);
const perNode = Math.ceil(total / OTHERS);
const world = await World.open();

/** Writes down a member that lives, with its routes, as announce.lua and join.lua leave them. */
async function writeMember(number) {
  const nodeId = `node-${String(number)}`;
  const key = `${nodeId}#${String(INCARNATION)}`;
  const lease = {
    incarnation: INCARNATION,
    version: '1.0.0',
    startedAtMs: INCARNATION,
    state: 'alive',
  };
  const sent = [];
  for (let first = 0; first < perNode; first += PER_COMMAND) {
    const count = Math.min(PER_COMMAND, perNode - first);
    const filters = Array.from({ length: count }, (_, index) =>
      KINDS.mix(number * perNode + first + index),
    );
    sent.push(world.redis.sadd(`${BUS}:routes:${key}`, filters));
    if (sent.length === 32) await Promise.all(sent.splice(0));
  }
  await Promise.all(sent);
  await world.redis.hset(`${BUS}:members`, key, '1');
  await world.redis.set(`${BUS}:node:${nodeId}`, JSON.stringify(lease), 'PX', 3_600_000);
}

for (let number = 0; number < OTHERS; number += 1) await writeMember(number);
const inRedis = await world.bytesOf(`${BUS}:routes:node-0#${String(INCARNATION)}`);

const table = new RouteTable();
const handler = {
  nodeJoined: (node, filters) => table.replace(node, filters),
  nodeLeft: () => undefined,
  routesChanged: (node, changes) => table.apply(node, changes),
  nodeForgotten: (node) => table.dropNode(node),
};
const bus = new RedisClusterBus({
  self: { nodeId: 'joiner', version: '1.0.0' },
  redis: {
    ...{ url: world.server.url, keyPrefix: 'skein', leaseMs: 10_000, commandTimeoutMs: 5_000 },
    ...{ routeDeadlineMs: 2_000, requestTimeoutMs: 3_000, inboxBatchesMax: 100_000 },
  },
  clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
  ...{ log: silentLog, meter: countingMeter().meter },
});
const before = usedBytes();
const turns = monitorEventLoopDelay({ resolution: 1 });
turns.enable();
const begunAt = performance.now();
let spent;
const cpuUs = await cpuUsOf(async () => {
  spent = await world.spentBy(() => bus.open(handler));
});
const seconds = (performance.now() - begunAt) / 1_000;
turns.disable();
const bytes = usedBytes() - before;

const found = [];
const topics = Array.from(
  { length: LOOKUPS },
  (_, index) => `devices/${deviceOf((index * 7_919) % total)}/cmd/reboot`,
);
const matchUs = threadUsOf(() => {
  for (const topic of topics) {
    found.length = 0;
    table.match(topic, found);
  }
});
report({
  filters: table.size,
  routesPerNode: perNode,
  joinSeconds: rounded(seconds),
  nodeCpuSeconds: rounded(cpuUs / 1e6),
  redisCpuSeconds: rounded(spent.cpuUs / 1e6),
  longestTurnMs: rounded(turns.max / 1e6),
  tableMB: Math.round(bytes / 1e6),
  bytesPerRoute: rounded(bytes / (OTHERS * perNode)),
  redisBytesPerRoute: rounded(inRedis / perNode),
  matchUs: rounded(matchUs / LOOKUPS),
});
await bus.close();
await world.close();
process.exit(0);

// Many real buses in this one process, on one real Redis: what it costs that a filter becomes known to all of them.
import { setTimeout as delay } from 'node:timers/promises';
import { RedisClusterBus } from '#libs/cluster-redis';
import { World, cpuUsOf, percentile, report, rounded } from './world.mjs';
import { RouteTable } from '#libs/cluster';

const { countingMeter, silentLog, until } = await import('#libs/testkit');

const CHANGES = 400;
const STORM_CHANGES = 6_400;
const STORM_BATCH = 64;
/** How often, and how many times, each node has a change. */
const RUSH_MS = 5;
const RUSH_ROUNDS = 200;
const LEASE_MS = 10_000;
/** Each node looks after its lease and at the others once in this time. */
const IDLE_MS = LEASE_MS / 3;

class Node {
  static async open(world, number) {
    const node = new Node(world, number);
    await node.bus.open(node);
    return node;
  }

  constructor(world, number) {
    this.routes = new RouteTable();
    this.name = `node-${String(number)}`;
    this.bus = new RedisClusterBus({
      self: { nodeId: this.name, version: '1.0.0' },
      redis: {
        url: world.server.url,
        keyPrefix: 'skein',
        leaseMs: LEASE_MS,
        commandTimeoutMs: 60_000,
        routeDeadlineMs: 60_000,
        requestTimeoutMs: 3_000,
        inboxBatchesMax: 100_000,
      },
      clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
      log: silentLog,
      meter: countingMeter().meter,
    });
  }

  nodeJoined(node, filters) {
    this.routes.replace(node, filters);
  }

  routesChanged(node, changes) {
    this.routes.apply(node, changes);
  }

  nodeForgotten(node) {
    this.routes.dropNode(node);
  }

  nodeLeft() {}

  durableReceived(_batch, done) {
    done();
  }

  leaseLost() {
    throw new Error(`${this.name} has lost its lease`);
  }
}

let filters = 0;
const addition = () => ({ kind: 'add', filter: `devices/device-${String((filters += 1))}/cmd/#` });

/** Waits until whatever goes on has ended, to the last confirmation. */
const settled = () => delay(200);

/** Changes of random nodes one after the other, each known to all before the next: nothing is shared. */
async function oneByOne(nodes, took) {
  for (let index = 0; index < CHANGES; index += 1) {
    const begunAt = performance.now();
    await nodes[(index * 7) % nodes.length].bus.announceRoutes([addition()]);
    took.push(performance.now() - begunAt);
  }
  await settled();
}

/** All nodes at once, each with many changes in a turn: clients come as fast as they are taken. */
async function storm(nodes, took) {
  const each = async (bus) => {
    for (let done = 0; done * nodes.length < STORM_CHANGES; done += STORM_BATCH) {
      const begunAt = performance.now();
      await bus.announceRoutes(Array.from({ length: STORM_BATCH }, addition));
      took.push(performance.now() - begunAt);
    }
  };
  await Promise.all(nodes.map(({ bus }) => each(bus)));
  await settled();
}

/** Each node has a change every few milliseconds, whether or not those before are known: clients that come back after a fault. */
async function rush(nodes, took) {
  const known = [];
  for (let round = 0; round < RUSH_ROUNDS; round += 1) {
    for (const { bus } of nodes) {
      const begunAt = performance.now();
      known.push(
        bus.announceRoutes([addition()]).then(() => took.push(performance.now() - begunAt)),
      );
    }
    await delay(RUSH_MS);
  }
  await Promise.all(known);
  await settled();
}

async function measure(world, nodes, { name, work }) {
  const took = [];
  const before = filters;
  let spent;
  const cpuUs = await cpuUsOf(async () => {
    spent = await world.spentBy(() => work(nodes, took));
  });
  const changes = filters - before;
  const calls = Object.entries(spent.calls)
    .map(([command, count]) => [command, rounded(count / changes)])
    .filter(([, count]) => count >= 0.005);
  report({
    load: name,
    nodes: nodes.length,
    changes,
    redisUsPerChange: rounded(spent.cpuUs / changes),
    sentBytesPerChange: rounded(spent.sentBytes / changes),
    nodesUsPerChange: rounded(cpuUs / changes),
    confirmedMsP50: rounded(percentile(took, 0.5)),
    confirmedMsP99: rounded(percentile(took, 0.99)),
    perChange: Object.fromEntries(calls),
  });
}

async function idle(world, nodes) {
  const { cpuUs, calls } = await world.spentBy(() => delay(IDLE_MS));
  const seconds = IDLE_MS / 1_000;
  const commands = Object.values(calls).reduce((sum, count) => sum + count, 0);
  report({
    load: 'idle',
    nodes: nodes.length,
    redisUsPerSecond: rounded(cpuUs / seconds),
    commandsPerSecond: rounded(commands / seconds),
  });
}

const world = await World.open();
const nodes = [];
for (const count of process.argv[2].split(',').map(Number)) {
  while (nodes.length < count) nodes.push(await Node.open(world, nodes.length));
  await until(() => nodes.every(({ bus }) => bus.nodes().length === count), 30_000);
  await idle(world, nodes);
  await oneByOne(nodes.slice(0, 10), []);
  await measure(world, nodes, { name: 'one by one', work: oneByOne });
  await measure(world, nodes, { name: 'rush', work: rush });
  await measure(world, nodes, { name: 'storm', work: storm });
}
await Promise.all(nodes.map(({ bus }) => bus.close()));
await world.close();
process.exit(0);

// A node with many sessions whose store is Redis: memory of each, what connecting costs, and what an heir has to do.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { RedisClusterBus } from '#libs/cluster-redis';
import { AedesHub } from '#libs/hub-aedes';
import { encodePacket } from '#libs/mqtt-codec';
import { LocalRetainedStore } from '#libs/store-local';
import { RedisSessionStore, connectRedis } from '#libs/store-redis';
import { World, cpuUsOf, report, rounded, usedBytes } from './world.mjs';

const { MemoryNode, countingMeter, silentLog, until } = await import('#libs/testkit');

const AT_ONCE = 500;
const DEADLINE_MS = 300_000;
const EXPIRY_S = 3_600;
/** Longer than anything of the last writes is under way. */
const SETTLE_MS = 3_000;

/** A client's stream that takes whatever comes: nothing of it is counted but what the node keeps. */
class Sink {
  listener = 'memory';
  remoteAddress = '192.0.2.1';
  bufferedBytes = 0;
  static chunks = 0;

  send(chunks) {
    Sink.chunks += chunks.length;
  }

  hold() {}

  end() {}
}

const world = await World.open();

async function openNode(nodeId) {
  const { meter } = countingMeter();
  const url = world.server.url;
  const connection = await connectRedis({
    ...{ url, keyPrefix: 'skein', commandTimeoutMs: 60_000, log: silentLog, meter },
  });
  const bus = new RedisClusterBus({
    self: { nodeId, version: '1.0.0' },
    redis: {
      ...{ url, keyPrefix: 'skein', leaseMs: 10_000, commandTimeoutMs: 60_000 },
      ...{ routeDeadlineMs: 60_000, requestTimeoutMs: 3_000, inboxBatchesMax: 100_000 },
    },
    clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
    ...{ log: silentLog, meter },
  });
  const memory = new MemoryNode({
    sessions: new RedisSessionStore(connection),
    retained: new LocalRetainedStore({ clock: Date.now }),
    hub: await AedesHub.open({ id: nodeId, log: silentLog }),
    bus,
    limits: { sessionsMax: 10_000_000 },
  });
  await memory.node.start();
  return { memory, bus, node: memory.node };
}

const sessionsAt = ({ node }) => node.admin.status().sessions;

const clientIdOf = (index) => `device-${String(index).padStart(8, '0')}`;

/** The bytes with which a device comes. */
function arrivalOf(index) {
  const clientId = clientIdOf(index);
  const properties = { sessionExpiryInterval: EXPIRY_S };
  const connect = {
    kind: 'connect',
    version: 5,
    cleanStart: false,
    keepAlive: 60,
    clientId,
    properties,
  };
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  const subscriptions = [{ filter: `devices/${clientId}/cmd/#`, ...options }];
  const subscribe = { kind: 'subscribe', packetId: 1, subscriptions };
  return { connect: encodePacket(connect, 5), subscribe: encodePacket(subscribe, 5) };
}

/** Connects devices and waits until each has its CONNACK; then the same for their SUBACK. */
async function connectAll(own, count) {
  const clients = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => {
      const events = own.node.accept(new Sink());
      const { connect, subscribe } = arrivalOf(first + index);
      return { events, connect, subscribe };
    });
    for (const kind of ['connect', 'subscribe']) {
      const awaited = Sink.chunks + some.length;
      for (const client of some) client.events.received(client[kind]);
      await until(() => Sink.chunks >= awaited, DEADLINE_MS);
    }
    clients.push(...some.map(({ events }) => events));
  }
  return clients;
}

/** The longest turn of the event loop while something goes on. */
async function longestTurnMs(work) {
  const turns = monitorEventLoopDelay({ resolution: 1 });
  turns.enable();
  await work();
  turns.disable();
  return turns.max / 1e6;
}

async function measure(count) {
  const owner = await openNode('owner');
  const heir = await openNode('heir');
  await connectAll(owner, 1_000);
  const before = usedBytes();
  let clients;
  let spent;
  const cpuUs = await cpuUsOf(async () => {
    spent = await world.spentBy(async () => {
      clients = await connectAll(owner, count);
    });
  });
  report({
    connect: 'CONNECT and SUBSCRIBE of a new durable session',
    sessions: count,
    nodesUs: rounded(cpuUs / count),
    redisUs: rounded(spent.cpuUs / count),
  });
  await delay(SETTLE_MS);
  const online = usedBytes() - before;
  for (const client of clients.splice(0)) client.ended();
  const last = `skein:s:{${clientIdOf(count - 1)}}`;
  await until(async () => (await world.redis.hget(last, 'c')) === '0', DEADLINE_MS);
  await delay(SETTLE_MS);
  const offline = usedBytes() - before;
  report({
    sessions: count,
    onlineBytes: rounded(online / (count - 1_000)),
    offlineBytes: rounded(offline / (count - 1_000)),
    note: 'the route of each at the other node included',
  });
  await inheritance({ owner, heir, count });
  await heir.bus.close();
}

/** The owner says goodbye; the other node takes what it had. */
async function inheritance({ owner, heir, count }) {
  await owner.bus.close();
  const begunAt = performance.now();
  let spent;
  let longest;
  const cpuUs = await cpuUsOf(async () => {
    spent = await world.spentBy(async () => {
      longest = await longestTurnMs(() =>
        until(() => heir.memory.log.of('inherit-finished').length > 0, DEADLINE_MS),
      );
    });
  });
  const seconds = (performance.now() - begunAt) / 1_000;
  report({
    inherited: sessionsAt(heir),
    seconds: rounded(seconds),
    perSecond: Math.round(count / seconds),
    heirUs: rounded(cpuUs / count),
    redisUs: rounded(spent.cpuUs / count),
    longestTurnMs: rounded(longest),
  });
}

await measure(Number(process.argv[2]));
await world.close();
process.exit(0);

// What a session, a queued message, a retained message and a frame cost Redis: bytes, commands, processor time.
import { RedisClusterBus } from '#libs/cluster-redis';
import { RedisRetainedStore, RedisSessionStore, connectRedis } from '#libs/store-redis';
import { World, report, rounded, settledBytes } from './world.mjs';

const { countingMeter, messageOf, queuedOf, silentLog, until } = await import('#libs/testkit');

const SESSIONS = 10_000;
/** What a turn of a busy node writes at once. */
const AT_ONCE = 100;
const NODE = { nodeId: 'node-1', incarnation: 1_732_000_000_000 };
const PAYLOAD = Buffer.alloc(100, 'p');
/** Retained messages enough for what they take on a node to stand out. */
const INDEXED = 200_000;
const EXPIRY_S = 3_600;
const settings = { commandTimeoutMs: 60_000, keyPrefix: 'skein', log: silentLog };

const world = await World.open();
const { meter } = countingMeter();
const connection = await connectRedis({ url: world.server.url, ...settings, meter });
const sessions = new RedisSessionStore(connection);
const retained = new RedisRetainedStore(connection);

const clientIds = Array.from(
  { length: SESSIONS },
  (_, index) => `device-${String(index).padStart(8, '0')}`,
);
const keyOf = (clientId, part = '') => `skein:s:{${clientId}}${part}`;
const epochs = new Map();

const message = (sequence, topic) =>
  messageOf({ topic, payload: PAYLOAD, source: NODE, sequence, qos: 1, publisher: 'publisher-1' });

/** Does something for each session, so many at once, and tells what it cost Redis each time. */
async function each(name, work, count = SESSIONS) {
  const { cpuUs, sentBytes, calls } = await world.spentBy(async () => {
    for (let first = 0; first < count; first += AT_ONCE) {
      await work(clientIds.slice(first, first + AT_ONCE), first);
    }
  });
  const perUnit = Object.entries(calls)
    .map(([command, number]) => [command, rounded(number / count)])
    .filter(([command, number]) => number >= 0.005 && command !== 'eval|script');
  report({
    call: name,
    redisUs: rounded(cpuUs / count),
    sentBytes: rounded(sentBytes / count),
    commands: Object.fromEntries(perUnit),
  });
}

const taken = (clientId, more) => ({
  clientId,
  node: NODE,
  nowMs: Date.now(),
  cleanStart: false,
  durable: true,
  expiryIntervalSeconds: EXPIRY_S,
  connected: true,
  ...more,
});

async function take(some, more = {}) {
  const results = await Promise.all(some.map((clientId) => sessions.take(taken(clientId, more))));
  results.forEach(({ record }, index) => epochs.set(some[index], record.epoch));
}

const write = (some, operation) =>
  sessions.write(
    some.map((clientId, index) => ({ clientId, epoch: epochs.get(clientId), ...operation(index) })),
  );

const subscription = (filter) => ({
  filter,
  ...{ qos: 1, noLocal: false, retainAsPublished: false },
  ...{ retainHandling: 0, subscriptionIdentifier: 0 },
});

/** An append as the only one of its turn for its session. */
const append = (first, sequence, { qos = 1, once = false } = {}) => ({
  operation: (index) => {
    const epoch = epochs.get(clientIds[first + index]);
    const topic = `devices/${clientIds[first + index]}/cmd/set`;
    const source = sequence * SESSIONS + first + index;
    const queued = {
      ...queuedOf(
        { epoch, sequence },
        { topic, payload: PAYLOAD, source: NODE, publisher: 'publisher-1' },
      ),
      qos,
    };
    return {
      kind: 'append',
      once,
      queued: { ...queued, message: { ...queued.message, sequence: source } },
    };
  },
});

const positions = (some, sequence) => (index) => ({
  kind: 'settle',
  positions: [{ epoch: epochs.get(some[index]), sequence }],
});

async function sessionCalls() {
  await each('a new durable session (take)', (some) => take(some));
  await each('its subscription', (some) =>
    write(some, (index) => ({
      kind: 'subscribe',
      subscriptions: [subscription(`devices/${some[index]}/cmd/#`)],
    })),
  );
  await each('its client goes away (disconnect)', (some) =>
    write(some, () => ({ kind: 'disconnect', nowMs: Date.now(), expiryIntervalSeconds: EXPIRY_S })),
  );
  await each('it is resumed (take)', (some) => take(some));
  await each('QoS 1 append, one of its session in a turn', (some, first) =>
    write(some, append(first, 1).operation),
  );
  await each('its settle', (some) => write(some, positions(some, 1)));
  await each('QoS 2 append, identity remembered', (some, first) =>
    write(some, append(first, 2, { qos: 2, once: true }).operation),
  );
}

/** Appends one more message to all queues, so that each has so many. */
async function fill(from, to) {
  for (let sequence = from; sequence <= to; sequence += 1) {
    for (let first = 0; first < SESSIONS; first += AT_ONCE) {
      await write(clientIds.slice(first, first + AT_ONCE), append(first, sequence).operation);
    }
  }
}

async function mean(part) {
  let bytes = 0;
  for (let index = 0; index < SESSIONS; index += 97)
    bytes += await world.bytesOf(keyOf(clientIds[index], part));
  return Math.round(bytes / Math.ceil(SESSIONS / 97));
}

async function sessionBytes() {
  const tell = (what, bytes) => report({ what, bytes: rounded(bytes) });
  tell('record of a durable session', await mean());
  tell('its subscription', await mean(':filters'));
  const owned = await world.bytesOf(`skein:owned:${NODE.nodeId}#${String(NODE.incarnation)}`);
  tell('its place in the list of its owner', owned / SESSIONS);
  tell('remembered identity, the first', await mean(':had'));
  tell('queue of 1 message of 100 bytes', await mean(':queue'));
  await fill(3, 20);
  tell('queue of 19 messages of 100 bytes', await mean(':queue'));
  const one = clientIds[0];
  const epoch = epochs.get(one);
  for (let first = 0; first < 10_000; first += 500) {
    const operations = Array.from({ length: 500 }, (_, index) => ({
      ...{ clientId: one, epoch, kind: 'append', once: true },
      queued: {
        ...queuedOf({ epoch, sequence: first + index + 21 }, message(first + index + 1e6, 't')),
        qos: 2,
      },
    }));
    await sessions.write(operations);
  }
  tell(
    'each of 10,000 messages in one queue',
    (await world.bytesOf(keyOf(one, ':queue'))) / 10_019,
  );
  tell('each of 10,000 remembered identities', (await world.bytesOf(keyOf(one, ':had'))) / 10_001);
  await write([one], () => ({
    kind: 'subscribe',
    subscriptions: Array.from({ length: 450 }, (_, index) =>
      subscription(`sites/site-${index}/+/alarms/#`),
    ),
  }));
  tell(
    'each of 450 subscriptions of one session',
    (await world.bytesOf(keyOf(one, ':filters'))) / 451,
  );
}

async function retainedCosts() {
  const before = await world.usedBytes();
  await each('a retained message of 100 bytes', (some, first) =>
    retained.store(
      some.map((clientId, index) => message(first + index, `devices/${clientId}/state`)),
    ),
  );
  report({
    what: 'retained message of 100 bytes',
    bytes: rounded(((await world.usedBytes()) - before) / SESSIONS),
  });
  for (let first = 0; first < INDEXED; first += AT_ONCE) {
    const topics = Array.from({ length: AT_ONCE }, (_, index) => `devices/${first + index}/info`);
    await retained.store(topics.map((topic, index) => message(first + index, topic)));
  }
  // The first to read has done all that is done once.
  await retained.list({ filter: '#', limit: 1 });
  const empty = await settledBytes();
  const another = new RedisRetainedStore(connection);
  await another.list({ filter: '#', limit: 1 });
  const bytes = (await settledBytes()) - empty;
  report({
    what: 'the same in the index of a node',
    bytes: rounded(bytes / another.size().messages),
  });
}

async function frames() {
  const open = async (nodeId, handler) => {
    const bus = new RedisClusterBus({
      self: { nodeId, version: '1.0.0' },
      redis: {
        ...{ url: world.server.url, keyPrefix: 'skein', leaseMs: 10_000, commandTimeoutMs: 60_000 },
        ...{ routeDeadlineMs: 2_000, requestTimeoutMs: 3_000, inboxBatchesMax: 100_000 },
      },
      clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
      ...{ log: silentLog, meter },
    });
    await bus.open({
      routesChanged: () => undefined,
      nodeJoined: () => undefined,
      nodeLeft: () => undefined,
      ...handler,
    });
    return bus;
  };
  let received = 0;
  const sender = await open('sender', {});
  const receiver = await open('receiver', {
    durableReceived: (_batch, done) => {
      received += 1;
      done();
    },
    liveReceived: () => (received += 1),
  });
  const frame = Buffer.alloc(200, 'f');
  const arrived = (count) => until(() => received >= count, 30_000);
  await each(
    'a frame of QoS 1 and 2, alone',
    async () => {
      for (let sent = 0; sent < AT_ONCE; sent += 1) {
        const awaited = received + 1;
        await sender.sendDurable(receiver.self, frame);
        await arrived(awaited);
      }
    },
    2_000,
  );
  await each('the same, 100 under way', async () => {
    const awaited = received + AT_ONCE;
    await Promise.all(
      Array.from({ length: AT_ONCE }, () => sender.sendDurable(receiver.self, frame)),
    );
    await arrived(awaited);
  });
  await each('a frame of QoS 0, 100 under way', async () => {
    const awaited = received + AT_ONCE;
    for (let sent = 0; sent < AT_ONCE; sent += 1) sender.sendLive('receiver', frame, 1);
    await arrived(awaited);
  });
  await Promise.all([sender.close(), receiver.close()]);
}

/** What the routes of a node take in Redis. */
async function routeBytes() {
  const key = 'skein:{skein:bus}:routes:node-1#1732000000000';
  for (let first = 0; first < 200_000; first += 1_000) {
    const filters = Array.from(
      { length: 1_000 },
      (_, index) => `devices/device-${String(first + index).padStart(8, '0')}/cmd/#`,
    );
    await world.redis.sadd(key, filters);
  }
  report({
    what: 'route, in the set of its node',
    bytes: rounded((await world.bytesOf(key)) / 200_000),
  });
}

await sessionCalls();
await sessionBytes();
await retainedCosts();
await frames();
await routeBytes();
await connection.close();
await world.close();
process.exit(0);

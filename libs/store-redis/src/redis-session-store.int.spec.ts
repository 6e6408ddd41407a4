import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  REMEMBERED_MESSAGES,
  StoreUnavailableError,
  type Meter,
  type SessionOperation,
  type SessionRecord,
  type StoredSubscription,
  type TakeRequest,
} from '#libs/broker-ports';
import { queuedOf, RecordingLog, startRedis, type RedisServer } from '#libs/testkit';
import { EXPIRY_SLACK_MS } from './keys.ts';
import { connectRedis, type RedisConnection } from './redis-connection.ts';
import { RedisSessionStore } from './redis-session-store.ts';

const silentMeter = new Proxy({}, { get: () => () => undefined }) as Meter;
const NODE_A = { nodeId: 'a', incarnation: 1 };
const NODE_B = { nodeId: 'b', incarnation: 1 };
const CLIENT = 'client';
/** As many as a script takes at once without making others wait. */
const PIECE = 8_192;
const LONG_MS = 60_000;

/** Two nodes on one Redis. */
let server: RedisServer;
let redisA: RedisConnection;
let redisB: RedisConnection;
let log: RecordingLog;
let a: RedisSessionStore;
let b: RedisSessionStore;

async function connect(): Promise<RedisConnection> {
  return connectRedis({
    url: server.url,
    keyPrefix: 'skein',
    commandTimeoutMs: 5_000,
    log,
    meter: silentMeter,
  });
}

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

beforeEach(async () => {
  log = new RecordingLog();
  redisA = await connect();
  redisB = await connect();
  await redisA.client.flushall();
  a = new RedisSessionStore(redisA);
  b = new RedisSessionStore(redisB);
});

afterEach(async () => {
  await redisA.close();
  await redisB.close();
});

async function taken(
  store: RedisSessionStore,
  request: Partial<TakeRequest> = {},
): Promise<SessionRecord> {
  const result = await store.take({
    clientId: CLIENT,
    node: store === a ? NODE_A : NODE_B,
    nowMs: Date.now(),
    cleanStart: false,
    durable: true,
    expiryIntervalSeconds: 60,
    connected: true,
    ...request,
  });
  if (result.kind !== 'taken') throw new Error(result.kind);
  return result.record;
}

function appends(record: SessionRecord, from: number, count: number): SessionOperation[] {
  const { clientId, epoch } = record;
  return Array.from({ length: count }, (_, index) => {
    const sequence = from + index;
    const queued = queuedOf({ epoch, sequence }, { sequence });
    return { clientId, epoch, kind: 'append', queued, once: false };
  });
}

function once(operations: readonly SessionOperation[]): SessionOperation[] {
  return operations.map((each) => (each.kind === 'append' ? { ...each, once: true } : each));
}

/** Every key of the server with its time to live in milliseconds; -1 for ever. */
async function keysWithTtl(): Promise<Map<string, number>> {
  const { client } = redisA;
  const found = new Map<string, number>();
  for await (const page of client.scanStream() as AsyncIterable<string[]>) {
    for (const key of page) found.set(key, await client.pttl(key));
  }
  return found;
}

/** How often each command ran in Redis while `work` did, those of scripts included. */
async function commandCalls(work: () => Promise<unknown>): Promise<Record<string, number>> {
  await redisA.client.config('RESETSTAT');
  await work();
  const text = await redisA.client.info('commandstats');
  const lines = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu)];
  return Object.fromEntries(
    lines
      .map(([, name = '', calls]): [string, number] => [name, Number(calls)])
      .filter(([name]) => name !== 'info' && !name.startsWith('config')),
  );
}

const subscription: StoredSubscription = {
  filter: 'a/#',
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
};

describe('two nodes', () => {
  it('after a take-over nothing of the former owner is written', async () => {
    const first = await taken(a);
    const by = { clientId: CLIENT, epoch: first.epoch };
    await a.write([
      ...appends(first, 1, 2),
      { ...by, kind: 'receive', packetId: 1 },
      { ...by, kind: 'release', position: { epoch: first.epoch, sequence: 2 }, packetId: 2 },
      { ...by, kind: 'subscribe', subscriptions: [subscription] },
    ]);
    await taken(b, { replacesEpoch: first.epoch });
    const before = await b.load(CLIENT);
    const position = { epoch: first.epoch, sequence: 1 };
    const stale: SessionOperation[] = [
      ...appends(first, 3, 1),
      { ...by, kind: 'release', position, packetId: 3 },
      { ...by, kind: 'complete', packetId: 2 },
      { ...by, kind: 'receive', packetId: 4 },
      { ...by, kind: 'forget', packetId: 1 },
      { ...by, kind: 'subscribe', subscriptions: [{ ...subscription, filter: 'new' }] },
      { ...by, kind: 'unsubscribe', filters: ['a/#'] },
      { ...by, kind: 'disconnect', nowMs: Date.now(), expiryIntervalSeconds: 5 },
      { ...by, kind: 'disconnect', nowMs: Date.now(), expiryIntervalSeconds: 0 },
      { ...by, kind: 'discard' },
    ];
    for (const operation of stale) expect(await a.write([operation])).toEqual(['fenced']);
    expect(await a.write(stale)).toEqual(stale.map(() => 'fenced'));
    expect(await b.load(CLIENT)).toEqual(before);
    expect(await b.read(CLIENT, undefined, 10)).toHaveLength(1);
  });

  it('a write that races a take-over is done before it or not at all', async () => {
    const first = await taken(a);
    const writes = Array.from({ length: 50 }, (_, index) => a.write(appends(first, index + 1, 1)));
    const takeOver = taken(b, { replacesEpoch: first.epoch });
    const outcomes = (await Promise.all(writes)).flat();
    const { lastSequence } = await takeOver;
    const done = outcomes.filter((outcome) => outcome === 'done').length;
    expect(lastSequence).toBe(done);
    expect(outcomes.indexOf('fenced')).toBe(done === 50 ? -1 : done);
    expect(await b.read(CLIENT, undefined, 100)).toHaveLength(done);
  });

  it('a take-over between two appends of a turn fences the second one alone', async () => {
    const first = await taken(a);
    const attempt = redisA.attempt.bind(redisA);
    redisA.attempt = async (operation, [append, ...others]) => {
      redisA.attempt = attempt;
      const before = await attempt(operation, append === undefined ? [] : [append]);
      const { queueMessages } = await taken(b, { replacesEpoch: first.epoch });
      expect(queueMessages).toBe(1);
      return [...before, ...(await attempt(operation, others))];
    };
    expect(await a.write(appends(first, 1, 2))).toEqual(['done', 'fenced']);
    expect(await b.read(CLIENT, undefined, 10)).toHaveLength(1);
  });

  it('a client that ends one session and begins another at once stays on its owner’s list', async () => {
    for (let round = 0; round < 50; round += 1) {
      const { epoch } = await taken(a);
      await Promise.all([
        a.write([{ clientId: CLIENT, epoch, kind: 'discard' }]),
        taken(a, { cleanStart: true }),
      ]);
      expect(await a.ownedBy(NODE_A)).toEqual([CLIENT]);
    }
  });
});

describe('an owner’s list', () => {
  it('keeps a client whose owner asked to replace an epoch of its own that has passed', async () => {
    const { epoch } = await taken(a);
    await taken(a);
    await expect(taken(a, { replacesEpoch: epoch })).rejects.toThrow('owned');
    expect(await a.ownedBy(NODE_A)).toEqual([CLIENT]);
  });

  it('keeps a client that has moved away until it is disowned, even if it asks for it again', async () => {
    const { epoch } = await taken(a);
    await taken(b, { replacesEpoch: epoch });
    await expect(taken(a)).rejects.toThrow('owned');
    expect(await a.ownedBy(NODE_A)).toEqual([CLIENT]);
    await a.disown(NODE_A, [CLIENT]);
    expect(await a.ownedBy(NODE_A)).toEqual([]);
    expect(await a.ownedBy(NODE_B)).toEqual([CLIENT]);
  });

  it('loses many clients at once', async () => {
    const clientIds = Array.from({ length: 2_500 }, (_, index) => `roaming-${String(index)}`);
    await Promise.all(clientIds.map((clientId) => taken(a, { clientId })));
    await taken(a);
    const calls = await commandCalls(() => a.disown(NODE_A, clientIds));
    expect(calls).toEqual({ srem: 3 });
    expect(await a.ownedBy(NODE_A)).toEqual([CLIENT]);
  });

  it('does not keep a client that another node did not give away', async () => {
    await taken(a);
    await expect(taken(b)).rejects.toThrow('owned');
    expect(await b.ownedBy(NODE_B)).toEqual([]);
    expect(await b.ownedBy(NODE_A)).toEqual([CLIENT]);
  });
});

describe('keys', () => {
  it('are gone after a discard', async () => {
    const record = await taken(a);
    const by = { clientId: CLIENT, epoch: record.epoch };
    await a.write([
      ...appends(record, 1, 10),
      { ...by, kind: 'receive', packetId: 1 },
      { ...by, kind: 'release', position: { epoch: record.epoch, sequence: 1 }, packetId: 2 },
      { ...by, kind: 'subscribe', subscriptions: [subscription] },
    ]);
    expect((await keysWithTtl()).size).toBe(7);
    await a.write([{ ...by, kind: 'discard' }]);
    expect([...(await keysWithTtl()).keys()]).toEqual(['skein:owners']);
    await a.abandon(NODE_A);
    expect((await keysWithTtl()).size).toBe(0);
  });

  it('of a disconnected session all end with it, also those made later', async () => {
    const record = await taken(a);
    const by = { clientId: CLIENT, epoch: record.epoch };
    await a.write([
      { ...by, kind: 'disconnect', nowMs: Date.now(), expiryIntervalSeconds: 60 },
      { ...by, kind: 'receive', packetId: 1 },
    ]);
    await a.write(appends(record, 1, 1));
    const queued = queuedOf({ epoch: record.epoch, sequence: 2 });
    await a.write([{ ...by, kind: 'append', queued, once: true }]);
    await a.write([
      { ...by, kind: 'release', position: { epoch: record.epoch, sequence: 1 }, packetId: 2 },
      { ...by, kind: 'subscribe', subscriptions: [subscription] },
    ]);
    const session = [...(await keysWithTtl())].filter(([key]) => key.startsWith('skein:s:'));
    expect(session).toHaveLength(6);
    for (const [, ttlMs] of session) {
      expect(ttlMs).toBeGreaterThan(60_000);
      expect(ttlMs).toBeLessThanOrEqual(60_000 + EXPIRY_SLACK_MS);
    }
    await taken(a);
    const { [`skein:s:{${CLIENT}}:had`]: remembered, ...others } = Object.fromEntries(
      await keysWithTtl(),
    );
    // For longer than the session was to stay, and not for ever.
    expect(remembered).toBeGreaterThan(3_600_000);
    for (const ttlMs of Object.values(others)) expect(ttlMs).toBe(-1);
  });

  it('of a session that dies with its node end, too', async () => {
    const { epoch } = await taken(a);
    const survivor = { replacesEpoch: epoch, connected: false };
    const record = await taken(b, survivor);
    await b.write(appends(record, 1, 1));
    const session = [...(await keysWithTtl())].filter(([key]) => key.startsWith('skein:s:'));
    expect(session).toHaveLength(2);
    for (const [, ttlMs] of session) expect(ttlMs).toBeGreaterThan(0);
  });
});

describe('the messages of QoS 2 that a session has had', () => {
  it(
    'are known for minutes, also when it gets very many',
    async () => {
      const record = await taken(a);
      const { epoch } = record;
      for (let from = 1; from < 3 * REMEMBERED_MESSAGES; from += PIECE) {
        const operations = once(appends(record, from, PIECE));
        const positions = operations.map((_, index) => ({ epoch, sequence: from + index }));
        await a.write([...operations, { clientId: CLIENT, epoch, kind: 'settle', positions }]);
      }
      expect(await a.write(once(appends(record, 1, 1)))).toEqual(['repeat']);
    },
    LONG_MS,
  );
});

describe('a queue', () => {
  it('of 20,000 messages is written in one turn, read in pages and settled at once', async () => {
    const record = await taken(a);
    const outcomes = await a.write(appends(record, 1, 20_000));
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(20_000);
    const positions = [];
    let page = await a.read(CLIENT, undefined, 500);
    while (page.length > 0) {
      positions.push(...page.map(({ position }) => position));
      page = await a.read(CLIENT, page.at(-1)?.position, 500);
    }
    expect(positions.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 20_000 }, (_, index) => index + 1),
    );
    await a.write([{ clientId: CLIENT, epoch: record.epoch, kind: 'settle', positions }]);
    expect(await a.load(CLIENT)).toMatchObject({ queueMessages: 0, lastSequence: 20_000 });
  });

  it('takes a repeated append once, and no other message at the same position', async () => {
    const record = await taken(a);
    const first = appends(record, 1, 2);
    const second = appends(record, 3, 1);
    await a.write(first);
    expect(await a.write([...first, ...second])).toEqual(['done', 'done', 'done']);
    expect(await a.read(CLIENT, undefined, 10)).toHaveLength(3);
    const { epoch } = record;
    const other = queuedOf({ epoch, sequence: 2 }, { topic: 'other' });
    const append: SessionOperation = {
      clientId: CLIENT,
      epoch,
      kind: 'append',
      queued: other,
      once: false,
    };
    expect(await a.write([append])).toEqual(['failed']);
    expect(await a.read(CLIENT, { epoch, sequence: 1 }, 1)).toMatchObject([
      { message: { topic: 'a/b' } },
    ]);
  });

  it('passes over what this version cannot read, and says so', async () => {
    const record = await taken(a);
    const { epoch } = record;
    await a.write(appends(record, 1, 1));
    await redisA.client.xadd(`skein:s:{${CLIENT}}:queue`, `${String(epoch)}-2`, '', 'later format');
    await a.write(appends(record, 3, 1));
    const read = await a.read(CLIENT, undefined, 10);
    expect(read.map(({ position }) => position.sequence)).toEqual([1, 3]);
    expect(log.of('queued-message-unreadable')).toMatchObject([{ fields: { sequence: 2 } }]);
  });

  it('finds what stands behind pages of what it cannot read', async () => {
    const record = await taken(a);
    const { epoch } = record;
    const unreadable = redisA.client.pipeline();
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      unreadable.xadd(`skein:s:{${CLIENT}}:queue`, `${String(epoch)}-${sequence}`, '', 'later');
    }
    await unreadable.exec();
    expect(await a.read(CLIENT, undefined, 10)).toEqual([]);
    await a.write(appends(record, 21, 1));
    const read = await a.read(CLIENT, undefined, 10);
    expect(read.map(({ position }) => position.sequence)).toEqual([21]);
    expect(await a.read(CLIENT, { epoch, sequence: 21 }, 10)).toEqual([]);
  });

  it('costs one command to append and one to settle, however few there are', async () => {
    const record = await taken(a);
    const { epoch } = record;
    const positions = [{ epoch, sequence: 1 }];
    expect(await commandCalls(() => a.write(appends(record, 1, 1)))).toEqual({ xadd: 1 });
    const settle: SessionOperation = { clientId: CLIENT, epoch, kind: 'settle', positions };
    expect(await commandCalls(() => a.write([settle]))).toEqual({ xdel: 1 });
  });

  it('costs one command per append, and per turn one to settle and two to check', async () => {
    const record = await taken(a);
    const { epoch } = record;
    const positions = Array.from({ length: 100 }, (_, index) => ({ epoch, sequence: index + 1 }));
    const calls = await commandCalls(() =>
      a.write([
        ...appends(record, 1, 100),
        { clientId: CLIENT, epoch, kind: 'settle', positions: positions.slice(0, 50) },
        { clientId: CLIENT, epoch, kind: 'settle', positions: positions.slice(50) },
      ]),
    );
    expect(calls).toEqual({ evalsha: 1, hmget: 1, xadd: 100, xdel: 1 });
  });
});

describe('Redis', () => {
  it('may forget its scripts: the call fails, the next one works', async () => {
    const record = await taken(a);
    await redisB.client.script('FLUSH');
    await expect(a.write(appends(record, 1, 3))).rejects.toThrow(StoreUnavailableError);
    expect(await a.write(appends(record, 1, 3))).toEqual(['done', 'done', 'done']);
  });

  it('may be full: appends are refused, what is settled makes room', async () => {
    const record = await taken(a);
    await a.write(appends(record, 1, 5));
    const { client } = redisA;
    try {
      await client.config('SET', 'maxmemory', '1');
      await expect(a.write(appends(record, 6, 1))).rejects.toThrow(StoreUnavailableError);
      const { clientId, epoch } = record;
      const positions = [{ epoch, sequence: 1 }];
      expect(await a.write([{ clientId, epoch, kind: 'settle', positions }])).toEqual(['done']);
      expect(await a.read(CLIENT, undefined, 10)).toHaveLength(4);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    expect(await a.write(appends(record, 6, 1))).toEqual(['done']);
  });
});

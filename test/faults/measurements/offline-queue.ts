import { until } from '#libs/testkit';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import { expectThat, rounded, timed, type Findings, type Measurement } from './measurement.ts';
import { Peer, type Outgoing } from './peer.ts';
import { RedisProbe } from './redis-probe.ts';

const FEW = 5_000;
const MANY = 200_000;
/** The default of limits.queueMessagesMax. */
const QUEUE_MESSAGES_MAX = 10_000;
const DEADLINE_MS = 60_000;
const SHORT_EXPIRY_S = 2;
const LONG_EXPIRY_S = 3_600;
const HELD = 20;

/** Fills queues of offline sessions within their bound and beyond it, and lets a session expire. */
export const offlineQueueMeasurement: Measurement = {
  name: 'offline-queue',
  title: 'an offline session: 5,000 queued messages, 200,000 against a bound of 10,000, expiry',
  measure: async (scope, findings) => {
    const cluster = await FaultCluster.start(scope);
    const publisher = await Peer.open(scope, cluster.node(2).port, { clientId: 'publisher' });
    const run = { scope, cluster, publisher, findings };
    await fill(run, { count: FEW, expected: FEW, name: 'few' });
    await fill(run, { count: MANY, expected: QUEUE_MESSAGES_MAX, name: 'many' });
    await expire(run);
  },
};

interface QueueRun {
  readonly scope: Scope;
  readonly cluster: FaultCluster;
  readonly publisher: Peer;
  readonly findings: Findings;
}

function* numbered(topic: string, count: number): Generator<Outgoing> {
  for (let number = 0; number < count; number += 1) {
    yield { topic, payload: Buffer.from(String(number)) };
  }
}

/** Queues messages for a session that is away, and connects it on another node. */
async function fill(
  { scope, cluster, publisher, findings }: QueueRun,
  { count, expected, name }: { count: number; expected: number; name: string },
): Promise<void> {
  const session = { clientId: name, sessionExpiryS: LONG_EXPIRY_S };
  const first = await Peer.open(scope, cluster.node(0).port, session);
  await first.subscribe([`queue/${name}`]);
  await first.leave();
  await publisher.publishAll(numbered(`queue/${name}`, count));
  const probe = new RedisProbe(scope, cluster.redis.url);
  let queued = 0;
  // What is acknowledged may lie in the inbox of the owner's node for a moment.
  await until(async () => {
    queued = await probe.redis.xlen(`skein:s:{${name}}:queue`);
    return queued >= expected;
  }, DEADLINE_MS).catch(() => undefined);
  const numbers: number[] = [];
  const catchUpMs = await timed(async () => {
    const again = await Peer.open(scope, cluster.node(1).port, { ...session, cleanStart: false });
    again.onMessage = ({ payload }) => numbers.push(Number(Buffer.from(payload).toString()));
    await until(() => numbers.length >= expected, DEADLINE_MS).catch(() => undefined);
    expectThat(findings, again.sessionPresent, `${name}: the session was not there`);
    await again.leave();
  });
  const dropped = await droppedAt(cluster);
  const isWhole = numbers.length === expected && numbers.every((number, at) => number === at);
  expectThat(findings, isWhole, `${name}: ${String(numbers.length)} of ${String(expected)} came`);
  expectThat(findings, queued <= QUEUE_MESSAGES_MAX, `${name}: ${String(queued)} were queued`);
  Object.assign(findings.figures, {
    [`${name}Published`]: count,
    [`${name}Queued`]: queued,
    [`${name}Received`]: numbers.length,
    [`${name}DroppedAsCounted`]: dropped,
    [`${name}CatchUpMs`]: rounded(catchUpMs),
  });
}

async function droppedAt({ nodes }: FaultCluster): Promise<number> {
  const name = 'skein_broker_deliveries_dropped_total';
  const counts = nodes.map(({ ops }) => ops.metric(name, 'reason="queue_full"'));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** Leaves a session with filters, a queue and open QoS 2 exchanges alone until it has expired: no key may be left. */
async function expire({ scope, cluster, publisher, findings }: QueueRun): Promise<void> {
  const probe = new RedisProbe(scope, cluster.redis.url);
  const before = await probe.keys();
  const session = { clientId: 'brief', sessionExpiryS: SHORT_EXPIRY_S };
  const brief = await Peer.open(scope, cluster.node(0).port, session);
  brief.acknowledges = false;
  await brief.subscribe(['queue/brief', 'other/+/brief', '$share/group/brief'], 2);
  await publisher.publishAll(numbered('queue/brief', HELD));
  for (let packetId = 1; packetId <= HELD; packetId += 1) {
    const payload = Buffer.from('open');
    const more = { dup: false, qos: 2, retain: false, topic: 'nobody', packetId, payload } as const;
    brief.send({ kind: 'publish', ...more });
  }
  await until(async () => (await keysOf(probe, 'brief')).length >= 4, DEADLINE_MS);
  const held = (await keysOf(probe, 'brief')).length;
  await brief.leave(false);
  const left = async (): Promise<readonly string[]> => [
    ...[...(await probe.keys())].filter((key) => !before.has(key)),
    ...(await membersOf(probe, 'brief')),
  ];
  const expiryMs = await timed(() =>
    until(async () => (await left()).length === 0, DEADLINE_MS).catch(() => undefined),
  );
  const leftOver = await left();
  expectThat(findings, leftOver.length === 0, `left after expiry: ${leftOver.join(' ')}`);
  Object.assign(findings.figures, {
    expiryKeysBefore: held,
    expiryKeysLeft: leftOver.length,
    expiryS: SHORT_EXPIRY_S,
    expiryGoneMs: rounded(expiryMs),
  });
}

const keysOf = async (probe: RedisProbe, clientId: string): Promise<readonly string[]> =>
  [...(await probe.keys())].filter((key) => key.includes(`{${clientId}}`));

/** The sets that still name a client. */
async function membersOf(probe: RedisProbe, clientId: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const key of await probe.keys()) {
    if (!key.startsWith('skein:owned:')) continue;
    if ((await probe.redis.sismember(key, clientId)) === 1) found.push(key);
  }
  return found;
}

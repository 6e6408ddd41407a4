import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import { Broker } from '../../e2e/harness/broker.ts';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import {
  expectThat,
  percentile,
  rounded,
  timed,
  type Findings,
  type Measurement,
} from './measurement.ts';
import { Peer, type Outgoing } from './peer.ts';
import { RedisProbe } from './redis-probe.ts';

const FILTERS = 50_000;
const JOIN_FILTERS = 200_000;
/** The default of limits.subscriptionsMax. */
const FILTERS_PER_CLIENT = 1_000;
/** Filters in one SUBSCRIBE. */
const FILTERS_PER_PACKET = 100;
const ROUNDS = 4;
const MESSAGES = 10_000;
/** Small, so that few messages share a batch on the way through Redis. */
const WINDOW = 4;
const RATIO_MAX = 1.1;
const IDLE_MS = 2_000;
const DEADLINE_MS = 60_000;
const PAYLOAD = Buffer.alloc(64);
/** Everything that a glob, a pattern or a regular expression would read as something else. */
const HOSTILE = 'glob/[a-z]?*\\{x,y}^$(.)|/+/[[]]**??';

/** Compares what a message costs Redis without filters and with 50,000 of them. */
export const filtersMeasurement: Measurement = {
  name: 'filters',
  title: '50,000 wildcard filters on three nodes: CPU of Redis per message, convergence, globs',
  measure: async (scope, findings) => {
    const cluster = await FaultCluster.start(scope);
    const probe = new RedisProbe(scope, cluster.redis.url);
    const publisher = await Peer.open(scope, cluster.node(0).port, { clientId: 'publisher' });
    const receiver = await Peer.open(scope, cluster.node(1).port, { clientId: 'receiver' });
    let received = 0;
    receiver.onMessage = () => (received += 1);
    await receiver.subscribe(['load/#']);
    const cost = (): Promise<Cost> => costPerMessage(probe, publisher);
    await cost();
    const before = await rounds(cost);
    const { peers, subscribeMs } = await subscribeAll(scope, cluster.nodes, FILTERS);
    const convergeMs = await timed(() => converged(cluster.nodes, FILTERS + 1));
    const withFilters = await rounds(cost);
    await Promise.all(peers.map((peer) => peer.leave()));
    await until(async () => (await routesOf(cluster.nodes)) < FILTERS, DEADLINE_MS);
    const after = await rounds(cost);
    const expected = (3 * ROUNDS + 1) * MESSAGES;
    await until(() => received >= expected, DEADLINE_MS).catch(() => undefined);
    const without = middle([...before, ...after]);
    const beside = middle(withFilters);
    const ratio = beside.cpuUs / without.cpuUs;
    expectThat(findings, ratio <= RATIO_MAX, `a message costs Redis ${ratio.toFixed(2)} as much`);
    expectThat(findings, received === expected, `${String(received)} of ${String(expected)} came`);
    Object.assign(findings.figures, {
      filters: FILTERS,
      redisUsPerMessageBefore: middle(before).cpuUs,
      redisUsPerMessageWithFilters: beside.cpuUs,
      redisUsPerMessageAfter: middle(after).cpuUs,
      ratio: rounded(ratio),
      redisCallsPerMessageWithout: without.calls,
      redisCallsPerMessageWithFilters: beside.calls,
      subackOf100FiltersP50Ms: rounded(percentile(subscribeMs, 0.5)),
      subackOf100FiltersP99Ms: rounded(percentile(subscribeMs, 0.99)),
      convergedAfterLastSubackMs: rounded(convergeMs),
    });
    await matchHostile(scope, cluster, findings);
  },
};

/** Times a fourth node that joins three which have many filters. */
export const joinMeasurement: Measurement = {
  name: 'join',
  title: 'a fourth node joins a cluster with 200,000 filters',
  measure: async (scope, findings) => {
    const cluster = await FaultCluster.start(scope);
    const settings = { REDIS_URL: cluster.redis.url, LOG_LEVEL: 'warn' };
    const idle = await Broker.prepare(scope, settings);
    const emptyMs = await timed(() => idle.start());
    await idle.stop();
    await subscribeAll(scope, cluster.nodes, JOIN_FILTERS);
    const fourth = await Broker.prepare(scope, settings);
    const readyMs = await timed(() => fourth.start());
    const entries = await fourth.ops.metric('skein_broker_route_table_entries');
    const receiver = await Peer.open(scope, cluster.node(1).port, { clientId: 'receiver' });
    let hasCome = false;
    receiver.onMessage = () => (hasCome = true);
    await receiver.subscribe(['join/now']);
    const publisher = await Peer.open(scope, fourth.port, { clientId: 'publisher' });
    await publisher.publish({ topic: 'join/now', payload: PAYLOAD });
    await until(() => hasCome, DEADLINE_MS).catch(() => undefined);
    expectThat(findings, entries >= JOIN_FILTERS, `ready with ${String(entries)} routes`);
    expectThat(findings, hasCome, 'what was published on the fourth node did not arrive');
    Object.assign(findings.figures, {
      filters: JOIN_FILTERS,
      readyAt0Ms: rounded(emptyMs),
      readyAt200000Ms: rounded(readyMs),
      routesWhenReady: entries,
    });
  },
};

/** What a message costs Redis. */
interface Cost {
  readonly cpuUs: number;
  readonly calls: number;
}

async function rounds(cost: () => Promise<Cost>): Promise<readonly Cost[]> {
  const costs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round += 1) costs.push(await cost());
  return costs;
}

function middle(costs: readonly Cost[]): Cost {
  const of = (figures: readonly number[]): number => rounded(percentile(figures, 0.5));
  return { cpuUs: of(costs.map(({ cpuUs }) => cpuUs)), calls: of(costs.map(({ calls }) => calls)) };
}

/** Of a message of QoS 1 from one node to another, less what Redis does while nothing happens. */
async function costPerMessage(probe: RedisProbe, publisher: Peer): Promise<Cost> {
  const idle = await probe.work();
  await delay(IDLE_MS);
  const before = await probe.work();
  const tookMs = await timed(() => publisher.publishAll(load(), WINDOW));
  const after = await probe.work();
  const perMessage = (figure: keyof Cost): number => {
    const meanwhile = ((before[figure] - idle[figure]) * tookMs) / IDLE_MS;
    return (after[figure] - before[figure] - meanwhile) / MESSAGES;
  };
  return { cpuUs: perMessage('cpuUs'), calls: perMessage('calls') };
}

function* load(): Generator<Outgoing> {
  for (let number = 0; number < MESSAGES; number += 1) {
    yield { topic: `load/${String(number % 100)}`, payload: PAYLOAD };
  }
}

/** Subscribes to `devices/N/cmd/#` on all nodes in turn, and tells how long each SUBSCRIBE took. */
async function subscribeAll(
  scope: Scope,
  nodes: readonly Broker[],
  count: number,
): Promise<{ peers: readonly Peer[]; subscribeMs: readonly number[] }> {
  const peers: Peer[] = [];
  const subscribeMs: number[] = [];
  for (let from = 0; from < count; from += FILTERS_PER_CLIENT) {
    const client = from / FILTERS_PER_CLIENT;
    const port = nodes[client % nodes.length]?.port ?? 0;
    const peer = await Peer.open(scope, port, { clientId: `filters-${String(client)}` });
    peers.push(peer);
    for (let at = 0; at < FILTERS_PER_CLIENT; at += FILTERS_PER_PACKET) {
      const filters = Array.from(
        { length: FILTERS_PER_PACKET },
        (_, index) => `devices/${String(from + at + index)}/cmd/#`,
      );
      subscribeMs.push(await timed(() => peer.subscribe(filters)));
    }
  }
  return { peers, subscribeMs };
}

/** Waits until each node has its own filters and a route for each of the others'. */
async function converged(nodes: readonly Broker[], filters: number): Promise<void> {
  // Each filter is on one node and thus a route of the others.
  await until(async () => (await routesOf(nodes)) >= filters * (nodes.length - 1), DEADLINE_MS);
}

/** The routes of all nodes, added up. */
async function routesOf(nodes: readonly Broker[]): Promise<number> {
  const name = 'skein_broker_route_table_entries';
  const entries = await Promise.all(nodes.map(({ ops }) => ops.metric(name)));
  return entries.reduce((sum, count) => sum + count, 0);
}

/** A filter full of characters that mean something elsewhere matches what MQTT says and nothing else. */
async function matchHostile(
  scope: Scope,
  cluster: FaultCluster,
  findings: Findings,
): Promise<void> {
  const receiver = await Peer.open(scope, cluster.node(2).port, { clientId: 'hostile' });
  const topics: string[] = [];
  receiver.onMessage = ({ topic }) => topics.push(topic);
  await receiver.subscribe([HOSTILE]);
  const publisher = await Peer.open(scope, cluster.node(0).port, { clientId: 'sender' });
  const own = HOSTILE.replace('+', 'level');
  const others = ['glob/b/level/x', 'glob/bcd\\/level/[]', 'glob/[a-z]?*/level/[[]]**??'];
  const publishMs = await timed(async () => {
    for (const topic of [...others, own]) await publisher.publish({ topic, payload: PAYLOAD });
  });
  await until(() => topics.includes(own), DEADLINE_MS).catch(() => undefined);
  const isExact = topics.length === 1 && topics[0] === own;
  expectThat(findings, isExact, `the hostile filter got ${JSON.stringify(topics)}`);
  Object.assign(findings.figures, {
    hostileFilterMatched: isExact ? 'exactly' : 'WRONG',
    hostilePublishMs: rounded(publishMs / (others.length + 1)),
  });
}

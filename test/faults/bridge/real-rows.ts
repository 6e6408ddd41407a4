import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import {
  TOPIC,
  bridgeRows,
  type BridgeFault,
  type BridgeRow,
  type BridgeRun,
} from './bridge-row.ts';
import { topicOf } from '../payload.ts';
import type { Ack } from './node-settings.ts';
import { shareOf } from './oracle.ts';
import { RealKafka } from './real-kafka.ts';

type Run = BridgeRun<RealKafka>;

const BROKERS = [1, 2, 3];
const AWAY_MS = 8_000;
/** Longer than a request may take, and than brokers wait until one of them counts as gone. */
const HUNG_MS = 15_000;
const NODE_AWAY_MS = 2_000;
const QUOTA_BYTES = 20_000;
/** Fits any record of a row, and hardly two. */
const SMALL_BYTES = '600';
const GROWN_PARTITIONS = 6;
/** Nodes ask for partitions every minute. */
const GROWTH_DEADLINE_MS = 90_000;
const OTHER_TOPIC = 'other';
/** It uses MQTT 5, so that it is told and goes on. */
const OTHER_PUBLISHER = 2;
const OTHER_ACK_TIMEOUT_MS = 2_000;
/** What a busy machine may add to a latency that nothing has changed. */
const NOISE_MS = 50;

async function leaderOf(run: Run): Promise<number> {
  const [leader] = await run.kafka.leaders(TOPIC);
  if (leader === undefined) throw new Error('no partition has a leader');
  return leader;
}

async function killLeader(run: Run): Promise<void> {
  await run.moment(0.1, 0.25);
  const broker = await leaderOf(run);
  run.fleet.fault();
  await run.kafka.cluster.kill(broker);
  await delay(AWAY_MS);
  run.fleet.fault();
  await run.kafka.cluster.restart(broker);
}

async function hangLeader(run: Run): Promise<void> {
  await run.moment(0.1, 0.25);
  const broker = await leaderOf(run);
  run.fleet.fault();
  await run.kafka.cluster.pause(broker);
  await delay(HUNG_MS);
  run.fleet.fault();
  await run.kafka.cluster.resume(broker);
}

async function restartEach({ kafka, fleet, moment }: Run): Promise<void> {
  await moment(0.1, 0.15);
  for (const broker of BROKERS) {
    fleet.fault();
    await kafka.cluster.stop(broker);
    await kafka.cluster.restart(broker);
  }
}

/** All of Kafka is away for three quarters of the run, killed at once. */
async function killAll({ kafka, fleet, moment }: Run): Promise<void> {
  await moment(0.1, 0.1);
  fleet.fault();
  await Promise.all(BROKERS.map((broker) => kafka.cluster.kill(broker)));
  await moment(0.85, 0.85);
  fleet.fault();
  await kafka.cluster.restart(...BROKERS);
}

/** The load goes on until records lie in a new partition. */
async function growTopic({ kafka, fleet, moment }: Run): Promise<void> {
  await moment(0.2, 0.3);
  const before = await kafka.ends(TOPIC);
  fleet.fault();
  await kafka.grow(TOPIC, GROWN_PARTITIONS);
  await until(async () => {
    const ends = await kafka.ends(TOPIC);
    return ends.slice(before.length).some((end) => end > 0);
  }, GROWTH_DEADLINE_MS);
}

async function throttle({ kafka, fleet, moment }: Run): Promise<void> {
  await moment(0.1, 0.15);
  fleet.fault();
  await kafka.cluster.quota(QUOTA_BYTES);
  await moment(0.6, 0.6);
  await kafka.cluster.quota(0);
}

/** Kills three times: the nodes in turn. */
async function killNodes({ cluster, fleet, moment }: Run): Promise<void> {
  for (const round of [0, 1, 2]) {
    await moment(0.1 + round * 0.28, 0.2 + round * 0.28);
    const node = cluster.node(round % cluster.nodes.length);
    fleet.fault();
    await cluster.kill(node);
    await delay(NODE_AWAY_MS);
    await cluster.start(node);
  }
}

async function deleteTopic({ kafka, fleet, moment }: Run): Promise<void> {
  await moment(0.5, 0.5);
  fleet.fault();
  await kafka.removeTopic(OTHER_TOPIC);
  await moment(0.95, 0.95);
  await kafka.topic(OTHER_TOPIC);
}

/** The publisher whose topic was deleted waits for it; the others, under the other rule alone, must not feel it. */
function compareLatencies({ fleet, notes, failures }: Run): void {
  const [faultAtMs = 0] = fleet.faultsAtMs;
  const waits = { before: [] as number[], after: [] as number[] };
  for (const { publisher, dueAtMs, acknowledgedAtMs } of fleet.history.publications.flat()) {
    if (publisher === OTHER_PUBLISHER) continue;
    const own = dueAtMs < faultAtMs ? waits.before : waits.after;
    own.push((acknowledgedAtMs ?? Infinity) - dueAtMs);
  }
  const [before = 0, after = 0] = [waits.before, waits.after].map((each) =>
    shareOf(
      each.toSorted((left, right) => left - right),
      0.99,
    ),
  );
  Object.assign(notes, { otherRuleP99MsBefore: before, otherRuleP99MsAfter: after });
  if (after > 2 * before + NOISE_MS) failures.push('the deleted topic of one rule slowed another');
}

const FAULTS: readonly BridgeFault<RealKafka>[] = [
  {
    name: 'kill-broker',
    title: 'SIGKILL of a leader, which comes back',
    inject: killLeader,
  },
  {
    name: 'hang-broker',
    title: `a leader hangs for ${String(HUNG_MS / 1_000)} s`,
    inject: hangLeader,
  },
  {
    name: 'rolling-brokers',
    title: 'SIGTERM and restart of each broker',
    inject: restartEach,
  },
  {
    name: 'in-sync',
    title: 'SIGKILL of a leader of a topic that wants all three replicas in sync',
    prepare: (kafka) => kafka.topic(TOPIC, { 'min.insync.replicas': '3' }),
    inject: killLeader,
  },
  {
    name: 'kafka-away',
    title: 'SIGKILL of all brokers, which are away for three quarters of the run',
    inject: killAll,
  },
  {
    name: 'throttled',
    title: `brokers throttle producers to ${String(QUOTA_BYTES)} bytes a second`,
    inject: throttle,
  },
  {
    name: 'small-batches',
    title: `a topic that takes batches of ${SMALL_BYTES} bytes at most`,
    prepare: (kafka) => kafka.topic(TOPIC, { 'max.message.bytes': SMALL_BYTES }),
    inject: () => Promise.resolve(),
  },
  {
    name: 'partitions',
    title: 'a topic grows from three to six partitions',
    inject: growTopic,
    // Nothing has failed: Kafka serves the old partitions and the new ones all along.
    inspect: ({ failures }, { refused }) => {
      if (refused > 0) failures.push(`${String(refused)} messages were refused`);
    },
  },
  {
    name: 'deleted-topic',
    title: 'the topic of one rule is deleted for a while; another rule must not feel it',
    prepare: async (kafka) => {
      await kafka.topic(TOPIC);
      await kafka.topic(OTHER_TOPIC);
    },
    rules: (ack) => [
      {
        direction: 'mqtt-to-kafka',
        id: 'one',
        filter: topicOf(OTHER_PUBLISHER),
        topic: OTHER_TOPIC,
        ack,
      },
    ],
    ackTimeoutMs: OTHER_ACK_TIMEOUT_MS,
    inject: deleteTopic,
    inspect: compareLatencies,
  },
  {
    name: 'kill-alone',
    title: 'SIGKILL of the only node, three times',
    inject: killNodes,
  },
  {
    name: 'kill-node',
    title: 'SIGKILL of each of three nodes',
    nodes: 3,
    movesClients: true,
    inject: killNodes,
  },
];

/** Faults of real brokers and of nodes, on three brokers. */
export const realRows = (ack: Ack): readonly BridgeRow[] => bridgeRows(ack, RealKafka.open, FAULTS);

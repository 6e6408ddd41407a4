import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, until } from '#libs/testkit';
import type { Scope } from '../../e2e/harness/scope.ts';
import { check } from '../checker.ts';
import { FaultCluster, type FaultClusterOptions } from '../fault-cluster.ts';
import { Fleet } from '../fleet.ts';
import type { History } from '../history.ts';
import { QUEUES, momentsOf, type RowOptions, type RowResult } from '../row.ts';
import { bridgeSettings } from './node-settings.ts';
import { RealKafka } from './real-kafka.ts';
import { RecordSource } from './record-source.ts';

/** A row on the way from Kafka to durable sessions. */
export interface ConsumeRow {
  readonly name: string;
  readonly title: string;
  readonly run: (scope: Scope, options: RowOptions) => Promise<RowResult>;
}

interface ConsumeRun {
  readonly options: RowOptions;
  readonly kafka: RealKafka;
  readonly cluster: FaultCluster;
  readonly fleet: Fleet;
  readonly notes: Record<string, number | string>;
  readonly failures: string[];
  readonly moment: (from: number, to: number) => Promise<void>;
}

interface ConsumeFault {
  readonly name: string;
  readonly title: string;
  readonly redis?: FaultClusterOptions['redis'];
  /** Whether records come of which no message can be made. @defaultValue false */
  readonly poisons?: boolean;
  readonly inject: (run: ConsumeRun) => Promise<void>;
}

const TOPIC = 'commands';
const DEAD_LETTERS = 'dead-letters';
const DEVICES = 100;
const JOIN_DEADLINE_MS = 60_000;
const ARRIVE_DEADLINE_MS = 120_000;
const LETTERS_DEADLINE_MS = 20_000;
const AWAY_MS = 2_000;
const BROKER_AWAY_MS = 8_000;
const REDIS_AWAY_MS = 3_000;

const FAULTS: readonly ConsumeFault[] = [
  {
    name: 'bridge-consume-kill-node',
    title: 'SIGKILL of a node that consumes, and that devices are connected to',
    inject: async ({ cluster, fleet, moment }) => {
      await moment(0.4, 0.5);
      fleet.fault();
      await cluster.kill(cluster.node(0));
      await delay(AWAY_MS);
      await cluster.start(cluster.node(0));
    },
  },
  {
    name: 'bridge-consume-rebalance',
    title: 'SIGTERM and start of each node: partitions are shared out anew six times',
    inject: async ({ cluster, fleet, moment }) => {
      for (const [index, node] of cluster.nodes.entries()) {
        await moment(0.1 + index * 0.28, 0.2 + index * 0.28);
        fleet.fault();
        await cluster.stop(node);
        await cluster.start(node);
      }
    },
  },
  {
    name: 'bridge-consume-redis',
    title: `SIGKILL of Redis, which is away for ${String(REDIS_AWAY_MS / 1_000)} s`,
    redis: 'always',
    inject: async ({ cluster, fleet, moment }) => {
      await moment(0.3, 0.4);
      fleet.fault();
      await cluster.redis.kill();
      await delay(REDIS_AWAY_MS);
      await cluster.redis.restart();
    },
  },
  {
    name: 'bridge-consume-kill-broker',
    title: 'SIGKILL of a broker of Kafka that leads a partition',
    inject: async ({ kafka, fleet, moment }) => {
      await moment(0.2, 0.3);
      const [broker = 1] = await kafka.leaders(TOPIC);
      fleet.fault();
      await kafka.cluster.kill(broker);
      await delay(BROKER_AWAY_MS);
      await kafka.cluster.restart(broker);
    },
  },
  {
    name: 'bridge-consume-poison',
    title: 'after each batch a record of which no message can be made: it becomes a dead letter',
    poisons: true,
    inject: () => Promise.resolve(),
  },
];

/** Faults while records go to devices, on three real brokers. */
export const CONSUME_ROWS: readonly ConsumeRow[] = FAULTS.map((fault) => ({
  name: fault.name,
  title: fault.title,
  run: (scope, options) => runFault(scope, fault, options),
}));

async function runFault(
  scope: Scope,
  fault: ConsumeFault,
  options: RowOptions,
): Promise<RowResult> {
  const { seconds, rate } = options;
  const { kafka, cluster, fleet } = await start(scope, fault, options);
  const isPoisoned = fault.poisons ?? false;
  const source = await RecordSource.start(kafka, {
    ...{ topic: TOPIC, keys: DEVICES, rate },
    poisons: isPoisoned,
  });
  const moment = momentsOf(seconds, seededRandom(options.seed));
  const run: ConsumeRun = {
    ...{ options, kafka, cluster, fleet, moment },
    notes: {},
    failures: [],
  };
  const injected = fault.inject(run).catch((error: unknown) => run.failures.push(String(error)));
  await Promise.all([delay(seconds * 1_000), injected]);
  await source.stop().catch((error: unknown) => run.failures.push(String(error)));
  const history = { ...fleet.history, publications: source.publications };
  await until(() => hasArrived(fleet, history), ARRIVE_DEADLINE_MS).catch(() => undefined);
  fleet.close();
  cluster.release();
  if (isPoisoned) await countDeadLetters(run, source.poisoned);
  return resultOf(fault, run, history);
}

/** Every poisoned record has to be a dead letter; one that was on its way when a partition moved may be two. */
async function countDeadLetters(run: ConsumeRun, poisoned: number): Promise<void> {
  let deadLetters = 0;
  const count = async (): Promise<boolean> => {
    const ends = await run.kafka.ends(DEAD_LETTERS);
    deadLetters = ends.reduce((sum, end) => sum + end, 0);
    return deadLetters >= poisoned;
  };
  await until(count, LETTERS_DEADLINE_MS).catch(() => undefined);
  Object.assign(run.notes, { poisoned, deadLetters });
  if (deadLetters < poisoned) run.failures.push('a poisoned record is no dead letter');
}

async function start(
  scope: Scope,
  { redis }: ConsumeFault,
  { rate, seed, leaseMs }: RowOptions,
): Promise<Pick<ConsumeRun, 'kafka' | 'cluster' | 'fleet'>> {
  const kafka = await RealKafka.open(scope);
  await Promise.all([TOPIC, DEAD_LETTERS].map((topic) => kafka.topic(topic)));
  const rule = { direction: 'kafka-to-mqtt', id: 'commands', topic: TOPIC } as const;
  const poison = { onError: 'dlq', deadLetterTopic: DEAD_LETTERS } as const;
  const rules = [{ ...rule, ...poison, mqttTopic: 'faults/${key}' }];
  const cluster = await FaultCluster.start(scope, {
    ...(redis && { redis }),
    settings: {
      ...QUEUES,
      REDIS_LEASE_MS: leaseMs,
      ...bridgeSettings({ brokers: kafka.brokers, rules }),
    },
  });
  const receivers = Array.from({ length: DEVICES }, (_, index) => ({
    name: `device-${String(index)}`,
    home: index % cluster.nodes.length,
    publishers: [index],
  }));
  const plan = { publishers: 0, publisherHomes: [0], receivers };
  const fleet = new Fleet({ plan, ports: cluster.ports, rate, random: seededRandom(seed) });
  scope.add(() => fleet.close());
  await fleet.start();
  await until(() => kafka.isConsumed(TOPIC, cluster.nodes.length), JOIN_DEADLINE_MS);
  return { kafka, cluster, fleet };
}

const hasArrived = ({ subscribers }: Fleet, { publications }: History): boolean =>
  subscribers.every(({ receiver }) =>
    publications.every(
      (own, publisher) =>
        !receiver.wants(publisher) || own.every(({ number }) => receiver.has(publisher, number)),
    ),
  );

function resultOf(
  { name, title }: ConsumeFault,
  { options, fleet, cluster, notes, failures }: ConsumeRun,
  history: History,
): RowResult {
  const { seed, seconds, rate } = options;
  return {
    row: name,
    title,
    ...{ seed, seconds, rate },
    faults: fleet.faultsAtMs.length,
    ...check(history),
    sessionsLost: fleet.sessionsLost,
    ends: fleet.ends,
    leasesLost: cluster.leasesLost,
    notes,
    failures: [...failures, ...cluster.unexpectedEnds],
  };
}

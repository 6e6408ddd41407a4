import { setTimeout as delay } from 'node:timers/promises';
import { MockKafka, until, type KafkaApi, type KafkaErrorName } from '#libs/testkit';
import type { Scope } from '../../e2e/harness/scope.ts';
import {
  TOPIC,
  bridgeRows,
  type BridgeEnding,
  type BridgeFault,
  type BridgeRow,
  type BridgeRun,
} from './bridge-row.ts';
import { heldBy, holdsOf, type Ack } from './node-settings.ts';

type Run = BridgeRun<MockForRows>;

const BROKERS = [1, 2, 3];
const PARTITIONS = [0, 1, 2];
const AWAY_MS = 2_000;
const SLOW_MS = 200;
const PAUSE_MS = 150;
const SECONDS_MAX = 10;
const MOVES = 12;
const HOLDS_DEADLINE_MS = 60_000;

/** A mock Kafka, each of whose brokers leads a partition of each topic. */
export class MockForRows {
  readonly knowsRepeats = false;
  readonly mock: MockKafka;

  private constructor(mock: MockKafka) {
    this.mock = mock;
  }

  static async open(this: void, scope: Scope): Promise<MockForRows> {
    const mock = await MockKafka.start();
    scope.add(() => mock.stop());
    return new MockForRows(mock);
  }

  get brokers(): string {
    return this.mock.brokers;
  }

  async topic(name: string): Promise<void> {
    await this.mock.topic(name, PARTITIONS.length, BROKERS.length);
    for (const partition of PARTITIONS) await this.mock.leader(name, partition, partition + 1);
  }

  async each(act: (broker: number) => Promise<void>): Promise<void> {
    for (const broker of BROKERS) await act(broker);
  }
}

const repeat = (error: KafkaErrorName, times: number): readonly KafkaErrorName[] =>
  Array.from({ length: times }, () => error);

/** Makes requests of an API fail, early and again later. */
function failing(api: KafkaApi, errors: readonly KafkaErrorName[]) {
  return async ({ fleet, kafka, moment }: Run): Promise<void> => {
    for (const from of [0.1, 0.4, 0.7]) {
      await moment(from, from + 0.1);
      fleet.fault();
      await kafka.mock.fail(api, errors);
    }
  };
}

/** Does something, and undoes it after a while. */
function forAWhile(begin: (kafka: MockForRows) => Promise<void>, end: typeof begin) {
  return async ({ fleet, kafka, moment }: Run): Promise<void> => {
    await moment(0.2, 0.3);
    fleet.fault();
    await begin(kafka);
    await delay(AWAY_MS);
    await end(kafka);
  };
}

/** Publishers must be told what Kafka refuses; what has its PUBACK waits until Kafka takes it. */
function expectRefusals({ ack, failures }: Run, { refused }: BridgeEnding): void {
  if ((refused === 0) !== (ack === 'spool')) failures.push(`${String(refused)} were refused`);
}

async function moveLeaders({ fleet, kafka, moment }: Run): Promise<void> {
  for (const round of [1, 2, 3, 4, 5, 6]) {
    await moment(round * 0.12, round * 0.12 + 0.08);
    fleet.fault();
    for (const partition of PARTITIONS) {
      await kafka.mock.leader(TOPIC, partition, 1 + ((partition + round) % BROKERS.length));
    }
  }
}

async function loseAnswers({ fleet, kafka, moment }: Run): Promise<void> {
  for (const broker of BROKERS) {
    await moment(broker * 0.2, broker * 0.2 + 0.1);
    fleet.fault();
    await kafka.mock.loseAnswer(broker, 'produce');
  }
}

async function forgetProducers({ fleet, kafka, moment }: Run): Promise<void> {
  const errors = ['outOfOrderSequenceNumber', 'unknownProducerId', 'invalidProducerEpoch'] as const;
  for (const [index, error] of errors.entries()) {
    await moment(0.1 + index * 0.25, 0.2 + index * 0.25);
    fleet.fault();
    await kafka.mock.fail('produce', [error]);
  }
}

/** The errors end one by one, so that halves of a batch are refused as well. */
async function refuseSizes({ fleet, kafka, moment }: Run): Promise<void> {
  for (const count of [1, 2, 3]) {
    await moment(count * 0.2, count * 0.2 + 0.1);
    fleet.fault();
    for (let index = 0; index < count; index += 1) {
      await kafka.mock.fail('produce', ['messageTooLarge']);
      await delay(PAUSE_MS);
    }
  }
}

/** Clients go from node to node, Kafka is away meanwhile, and each node finds it again at its own time. */
async function wander({ cluster, fleet, kafka, moment, notes, failures }: Run): Promise<void> {
  const [away, back] = [MOVES * 0.25, MOVES * 0.6].map(Math.floor);
  for (let move = 1; move <= MOVES; move += 1) {
    await moment(move / (MOVES + 1), move / (MOVES + 1));
    if (move === away || move === back) fleet.fault();
    if (move === away) await kafka.each((broker) => kafka.mock.down(broker));
    if (move === back) await kafka.each((broker) => kafka.mock.up(broker));
    fleet.moveOn();
  }
  await until(async () => (await heldBy(cluster.nodes)) === 0, HOLDS_DEADLINE_MS);
  const [drained, late] = [
    await holdsOf(cluster.nodes, 'drained'),
    await holdsOf(cluster.nodes, 'timed_out'),
  ];
  Object.assign(notes, { moves: MOVES, drained });
  if (drained === 0) failures.push('no record had to wait for another node');
  if (late > 0) failures.push(`${String(late)} clients have waited in vain`);
}

const FAULTS: readonly BridgeFault<MockForRows>[] = [
  {
    name: 'start-without',
    title: 'nodes start while no broker can be reached',
    prepare: async (kafka) => {
      await kafka.topic(TOPIC);
      await kafka.each((broker) => kafka.mock.down(broker));
    },
    inject: async ({ fleet, kafka, moment }) => {
      await moment(0.2, 0.3);
      fleet.fault();
      await kafka.each((broker) => kafka.mock.up(broker));
    },
  },
  {
    name: 'broker-down',
    title: 'a broker cannot be reached for two seconds, and stays leader',
    inject: forAWhile(
      ({ mock }) => mock.down(2),
      ({ mock }) => mock.up(2),
    ),
  },
  {
    name: 'slow',
    title: `brokers answer ${String(SLOW_MS)} ms late`,
    inject: forAWhile(
      (kafka) => kafka.each((broker) => kafka.mock.slow(broker, SLOW_MS)),
      (kafka) => kafka.each((broker) => kafka.mock.slow(broker, 0)),
    ),
  },
  {
    name: 'leader-change',
    title: 'all leaders move, six times',
    inject: moveLeaders,
  },
  {
    name: 'leaderless',
    title: 'a partition has no leader for two seconds',
    inject: forAWhile(
      ({ mock }) => mock.leader(TOPIC, 0, undefined),
      ({ mock }) => mock.leader(TOPIC, 0, 1),
    ),
  },
  {
    name: 'replicas',
    title: 'NOT_ENOUGH_REPLICAS, before and after the append, ten at a time',
    inject: failing('produce', [
      ...repeat('notEnoughReplicas', 5),
      ...repeat('notEnoughReplicasAfterAppend', 5),
    ]),
  },
  {
    name: 'unknown-topic',
    title: 'metadata does not know the topic for two seconds, nor do leaders',
    inject: forAWhile(
      async ({ mock }) => {
        await mock.topicError(TOPIC, 'unknownTopicOrPartition');
        await mock.fail('produce', repeat('unknownTopicOrPartition', 5));
      },
      ({ mock }) => mock.topicError(TOPIC, 'none'),
    ),
  },
  {
    name: 'not-authorized',
    title: 'TOPIC_AUTHORIZATION_FAILED, three batches at a time',
    inject: failing('produce', repeat('topicAuthorizationFailed', 3)),
    inspect: expectRefusals,
  },
  {
    name: 'too-large',
    title: 'MESSAGE_TOO_LARGE for batches and their halves',
    // A batch of one has no halves.
    givesUp: true,
    inject: refuseSizes,
  },
  {
    name: 'lost-answer',
    title: 'a batch is stored and its answer lost, once by each broker',
    inject: loseAnswers,
  },
  {
    name: 'producer-state',
    title: 'brokers have forgotten the producer, in three ways',
    inject: forgetProducers,
  },
  {
    name: 'cut',
    title: 'connections are cut instead of an answer; nothing was stored',
    inject: failing('produce', repeat('cutConnection', 5)),
  },
  {
    name: 'timed-out',
    title: 'REQUEST_TIMED_OUT and a failing disk, ten at a time',
    inject: failing('produce', [
      ...repeat('requestTimedOut', 5),
      ...repeat('kafkaStorageError', 5),
    ]),
  },
  {
    name: 'metadata',
    title: 'leaders move while metadata requests fail',
    inject: async (run) => {
      await run.kafka.mock.fail('metadata', repeat('cutConnection', 5));
      await moveLeaders(run);
    },
  },
  {
    name: 'takeover',
    title: `all clients change nodes ${String(MOVES)} times, and Kafka is away for a third of that`,
    nodes: 3,
    inject: wander,
  },
];

/** Faults at single requests, on a mock Kafka. */
export const mockRows = (ack: Ack): readonly BridgeRow[] =>
  bridgeRows(
    ack,
    MockForRows.open,
    FAULTS.map((fault) => ({ secondsMax: SECONDS_MAX, ...fault })),
  );

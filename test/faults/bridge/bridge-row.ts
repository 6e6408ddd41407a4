import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, until } from '#libs/testkit';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import { Fleet } from '../fleet.ts';
import { QUEUES, momentsOf, type RowOptions } from '../row.ts';
import { MemoryWatch } from './memory-watch.ts';
import {
  bridgeSettings,
  countedBy,
  spoolSettings,
  spooled,
  type Ack,
  type RulePlan,
  type SpoolPlan,
} from './node-settings.ts';
import { judge, type BridgeVerdict } from './oracle.ts';
import { readRecords } from './records.ts';
import { SpoolDisk } from './spool-disk.ts';

/** A Kafka that a row may hurt. */
export interface KafkaUnderTest {
  readonly brokers: string;
  /** Whether it knows a batch again that it has stored before. */
  readonly knowsRepeats: boolean;
  /** Creates a topic with three partitions. */
  topic(name: string): Promise<unknown>;
}

/** What a row has at hand while the load runs. */
export interface BridgeRun<Kafka extends KafkaUnderTest> {
  readonly options: RowOptions;
  readonly ack: Ack;
  readonly kafka: Kafka;
  readonly cluster: FaultCluster;
  readonly disk: SpoolDisk;
  readonly fleet: Fleet;
  readonly memory: MemoryWatch;
  /** What the row adds to the result, by name. */
  readonly notes: Record<string, number | string>;
  /** What went wrong apart from messages. */
  readonly failures: string[];
  /** Waits for a moment that the seed chooses between two shares of the run. */
  readonly moment: (from: number, to: number) => Promise<void>;
}

/** One kind of fault on the way from clients to Kafka. */
export interface BridgeFault<Kafka extends KafkaUnderTest> {
  /** Without what all rows of an `ack` begin with. */
  readonly name: string;
  readonly title: string;
  /** Nodes of Skein. @defaultValue 1 */
  readonly nodes?: 1 | 3;
  /** Most seconds of load; more shows nothing new. @defaultValue no bound */
  readonly secondsMax?: number;
  /** Further rules beside the one that takes everything to TOPIC. */
  readonly rules?: (ack: Ack) => readonly RulePlan[];
  /** @defaultValue that of the product */
  readonly ackTimeoutMs?: number;
  readonly spool?: SpoolPlan;
  /** Flags of Node.js for the nodes. */
  readonly nodeArgs?: readonly string[];
  /** MiB of the file system on which spools are. @defaultValue they are on that of temporary files */
  readonly diskMiB?: number;
  /** Whether records may be given up after their PUBACK (`ack: spool`), each of them counted. @defaultValue false */
  readonly givesUp?: boolean;
  /** Whether clients of a node that is killed go on elsewhere, while what it has spooled waits for its start. @defaultValue false */
  readonly movesClients?: boolean;
  /** Prepares Kafka, where it is not TOPIC that is to be created, before nodes start. */
  readonly prepare?: (kafka: Kafka) => Promise<unknown>;
  /** Applies the fault while the load runs, which goes on until it is done. */
  readonly inject: (run: BridgeRun<Kafka>) => Promise<void>;
  /** Looks at the history when all is answered. */
  readonly inspect?: (run: BridgeRun<Kafka>, ending: BridgeEnding) => void;
}

/** A verdict, and how the run ended. */
export interface BridgeEnding extends BridgeVerdict {
  /** Records that nodes say to have given up after their PUBACK, as the rule or Kafka wants it. */
  readonly givenUp: number;
  /** From the last answer until the spools were empty. */
  readonly drainSeconds: number;
}

/** What a row has shown. */
export interface BridgeResult extends BridgeEnding {
  readonly row: string;
  readonly title: string;
  readonly seed: number;
  readonly seconds: number;
  readonly rate: number;
  readonly faults: number;
  /** Resident memory of the largest node. */
  readonly nodeMiBMax: number;
  /** Why connections of clients have ended. */
  readonly ends: string;
  readonly notes: Readonly<Record<string, number | string>>;
  readonly failures: readonly string[];
}

/** A row that can be run. */
export interface BridgeRow {
  readonly name: string;
  readonly title: string;
  readonly run: (scope: Scope, options: RowOptions) => Promise<BridgeResult>;
}

/** Where the messages of a row go. */
export const TOPIC = 'faults';
const PUBLISHERS = 20;
/** The default of the product. */
const BATCH_RECORDS_MAX = 500;
/** Load before the run counts: connections and caches are warm. */
const WARM_UP_MS = 1_000;
const ANSWER_DEADLINE_MS = 90_000;
const DRAIN_DEADLINE_MS = 240_000;
/** How rows are called. */
const PREFIX: Readonly<Record<Ack, string>> = {
  kafka: 'bridge-',
  spool: 'bridge-spool-',
  none: 'bridge-none-',
};

/** Makes rows of faults on one kind of Kafka. */
export function bridgeRows<Kafka extends KafkaUnderTest>(
  ack: Ack,
  open: (scope: Scope) => Promise<Kafka>,
  faults: readonly BridgeFault<Kafka>[],
): readonly BridgeRow[] {
  return faults.map((fault) => {
    const name = `${PREFIX[ack]}${fault.name}`;
    const run: BridgeRow['run'] = async (scope, asked) => {
      const options = { ...asked, seconds: Math.min(asked.seconds, fault.secondsMax ?? Infinity) };
      const parts = { scope, fault, ack, options, kafka: await open(scope) };
      return { row: name, ...(await runFault(parts)) };
    };
    return { name, title: fault.title, run };
  });
}

/**
 * Whether a row kept the promises of its `ack`. What a client sent again may be there again; what the bridge sent again
 * may be too where Kafka cannot know it, at most one batch for each partition and fault.
 */
export function bridgeHolds(result: BridgeResult): boolean {
  const { givenUp, phantoms, unanswered, unexplained, reorderedUnexplained, failures } = result;
  const lost = Math.max(0, result.lost - givenUp);
  const broken = lost + phantoms + unanswered + unexplained + reorderedUnexplained;
  return broken + failures.length === 0;
}

interface Parts<Kafka extends KafkaUnderTest> {
  readonly scope: Scope;
  readonly fault: BridgeFault<Kafka>;
  readonly ack: Ack;
  readonly options: RowOptions;
  readonly kafka: Kafka;
}

async function runFault<Kafka extends KafkaUnderTest>(
  parts: Parts<Kafka>,
): Promise<Omit<BridgeResult, 'row'>> {
  const { fault, options } = parts;
  const run = await start(parts);
  run.fleet.load();
  await delay(WARM_UP_MS);
  const load = { ...run, moment: momentsOf(options.seconds, seededRandom(options.seed)) };
  const injected = fault.inject(load).catch((error: unknown) => run.failures.push(String(error)));
  await Promise.all([delay(options.seconds * 1_000), injected]);
  await run.fleet.answered(ANSWER_DEADLINE_MS);
  const ending = { drainSeconds: await drained(run), givenUp: await countGivenUp(run, fault) };
  run.fleet.close();
  run.cluster.release();
  run.memory.stop();
  const records = await readRecords(run.kafka.brokers, TOPIC);
  const judged = judge({ ...run.fleet.history, records });
  const isOrderLost = parts.ack === 'spool' && fault.movesClients === true;
  const verdict = isOrderLost ? { ...judged, reorderedUnexplained: 0 } : judged;
  fault.inspect?.(load, { ...verdict, ...ending });
  inspectRepeats(run, verdict);
  return resultOf(fault, load, { ...verdict, ...ending });
}

async function start<Kafka extends KafkaUnderTest>(
  parts: Parts<Kafka>,
): Promise<Omit<BridgeRun<Kafka>, 'moment'>> {
  const { scope, fault, ack, options, kafka } = parts;
  const { ackTimeoutMs, spool } = fault;
  await (fault.prepare ?? ((where) => where.topic(TOPIC)))(kafka);
  const rule = { direction: 'mqtt-to-kafka', id: 'all', filter: 'faults/#', topic: TOPIC } as const;
  const rules = [{ ...rule, ack }, ...(fault.rules?.(ack) ?? [])];
  const disk = await SpoolDisk.open(scope, fault.diskMiB);
  const cluster = await FaultCluster.start(scope, {
    nodes: fault.nodes ?? 1,
    settings: {
      ...QUEUES,
      REDIS_LEASE_MS: options.leaseMs,
      ...bridgeSettings({ brokers: kafka.brokers, rules, ackTimeoutMs, spool }),
    },
    nodeArgs: fault.nodeArgs ?? [],
    ownSettings: (index) => spoolSettings(disk.dirOf(index)),
  });
  const plan = {
    publishers: PUBLISHERS,
    publisherHomes: cluster.nodes.map((_, index) => index),
    receivers: [],
  };
  const { rate, seed } = options;
  const fleet = new Fleet({ plan, ports: cluster.ports, rate, random: seededRandom(seed) });
  scope.add(() => fleet.close());
  await fleet.start();
  const memory = new MemoryWatch(cluster.nodes);
  scope.add(() => memory.stop());
  return { options, ack, kafka, cluster, disk, fleet, memory, notes: {}, failures: [] };
}

/** Waits until what was acknowledged has left the spools; returns how many seconds that took. */
async function drained<Kafka extends KafkaUnderTest>({
  cluster,
  failures,
}: Omit<BridgeRun<Kafka>, 'moment'>): Promise<number> {
  const beganAtMs = performance.now();
  await until(async () => (await spooled(cluster.nodes)) === 0, DRAIN_DEADLINE_MS).catch(() =>
    failures.push('the spools were not emptied'),
  );
  return (performance.now() - beganAtMs) / 1_000;
}

/** What `ack: spool` has acknowledged and given up; nothing by any other. */
async function countGivenUp<Kafka extends KafkaUnderTest>(
  { ack, cluster, failures }: Omit<BridgeRun<Kafka>, 'moment'>,
  { givesUp = false }: BridgeFault<Kafka>,
): Promise<number> {
  if (ack !== 'spool') return 0;
  const { givenUp } = await countedBy(cluster.nodes);
  if (givenUp > 0 && !givesUp) failures.push(`${String(givenUp)} records were given up`);
  return givenUp;
}

/**
 * What the bridge has sent again: within a batch for each partition and fault, and not at all where Kafka knows repeats, but for
 * what a process that was killed had delivered and not marked in its spool yet; others may write between such copies.
 */
function inspectRepeats<Kafka extends KafkaUnderTest>(
  { ack, kafka, cluster, fleet, failures }: Omit<BridgeRun<Kafka>, 'moment'>,
  { repeated, repeatedBatch, repeatedBatches, repeatedMost }: BridgeVerdict,
): void {
  const told = `${String(repeated)} records, batches of up to ${String(repeatedBatch)}, ${String(repeatedBatches)} and ${String(repeatedMost)} records in a partition`;
  if (ack === 'spool' && cluster.kills > 0) {
    if (repeatedBatch > BATCH_RECORDS_MAX || repeatedMost > cluster.kills * BATCH_RECORDS_MAX)
      failures.push(`repeated more than a batch for each kill: ${told}`);
    return;
  }
  if (kafka.knowsRepeats && repeated > 0) failures.push(`repeated to a real Kafka: ${told}`);
  const isMore = repeatedBatches > fleet.faultsAtMs.length || repeatedBatch > BATCH_RECORDS_MAX;
  if (isMore) failures.push(`repeated more than a batch for each fault: ${told}`);
}

function resultOf<Kafka extends KafkaUnderTest>(
  { title }: BridgeFault<Kafka>,
  { options, fleet, cluster, memory, notes, failures }: BridgeRun<Kafka>,
  ending: BridgeEnding,
): Omit<BridgeResult, 'row'> {
  const { seed, seconds, rate } = options;
  return {
    title,
    ...{ seed, seconds, rate },
    faults: fleet.faultsAtMs.length,
    ...ending,
    nodeMiBMax: memory.highestMiB,
    ends: fleet.ends,
    notes,
    failures: [...failures, ...cluster.unexpectedEnds],
  };
}

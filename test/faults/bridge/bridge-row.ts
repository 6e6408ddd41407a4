import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '#libs/testkit';
import type { Broker } from '../../e2e/harness/broker.ts';
import type { Scope } from '../../e2e/harness/scope.ts';
import { FaultCluster } from '../fault-cluster.ts';
import { Fleet } from '../fleet.ts';
import { QUEUES, momentsOf, type RowOptions } from '../row.ts';
import { bridgeSettings, type Ack, type RulePlan } from './node-settings.ts';
import { judge, type BridgeVerdict } from './oracle.ts';
import { readRecords } from './records.ts';

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
  readonly kafka: Kafka;
  readonly cluster: FaultCluster;
  readonly fleet: Fleet;
  /** What the row adds to the result, by name. */
  readonly notes: Record<string, number | string>;
  /** What went wrong apart from messages. */
  readonly failures: string[];
  /** Waits for a moment that the seed chooses between two shares of the run. */
  readonly moment: (from: number, to: number) => Promise<void>;
}

/** One kind of fault on the way from clients to Kafka. */
export interface BridgeFault<Kafka extends KafkaUnderTest> {
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
  /** Prepares Kafka, where it is not TOPIC that is to be created, before nodes start. */
  readonly prepare?: (kafka: Kafka) => Promise<unknown>;
  /** Applies the fault while the load runs, which goes on until it is done. */
  readonly inject: (run: BridgeRun<Kafka>) => Promise<void>;
  /** Looks at the history when all is answered. */
  readonly inspect?: (run: BridgeRun<Kafka>, verdict: BridgeVerdict) => void;
}

/** What a row has shown. */
export interface BridgeResult extends BridgeVerdict {
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
const SAMPLE_MS = 500;
const KIB_PER_MIB = 1_024;

/** Makes rows of faults on one kind of Kafka. */
export function bridgeRows<Kafka extends KafkaUnderTest>(
  ack: Ack,
  open: (scope: Scope) => Promise<Kafka>,
  faults: readonly BridgeFault<Kafka>[],
): readonly BridgeRow[] {
  return faults.map((fault) => ({
    name: fault.name,
    title: fault.title,
    run: async (scope, asked) => {
      const options = { ...asked, seconds: Math.min(asked.seconds, fault.secondsMax ?? Infinity) };
      return runFault({ scope, fault, ack, options, kafka: await open(scope) });
    },
  }));
}

/**
 * Whether a row kept the promises of `ack: kafka`. What a client sent again may be there again; what the bridge sent again
 * may be too where Kafka does not know repeats, at most one batch for each partition and fault.
 */
export function bridgeHolds(result: BridgeResult): boolean {
  const { lost, phantoms, unanswered, unexplained, reorderedUnexplained, failures } = result;
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

async function runFault<Kafka extends KafkaUnderTest>(parts: Parts<Kafka>): Promise<BridgeResult> {
  const { scope, fault, options } = parts;
  const run = await start(parts);
  const memory = new MemoryWatch(run.cluster.nodes);
  scope.add(() => memory.stop());
  run.fleet.load();
  await delay(WARM_UP_MS);
  const load = { ...run, moment: momentsOf(options.seconds, seededRandom(options.seed)) };
  const injected = fault.inject(load).catch((error: unknown) => run.failures.push(String(error)));
  await Promise.all([delay(options.seconds * 1_000), injected]);
  await run.fleet.answered(ANSWER_DEADLINE_MS);
  run.fleet.close();
  run.cluster.release();
  memory.stop();
  const verdict = judge({
    ...run.fleet.history,
    records: await readRecords(run.kafka.brokers, TOPIC),
  });
  fault.inspect?.(load, verdict);
  inspectRepeats(run, verdict);
  return resultOf(fault, load, { verdict, memory });
}

async function start<Kafka extends KafkaUnderTest>({
  scope,
  fault,
  ack,
  options,
  kafka,
}: Parts<Kafka>): Promise<Omit<BridgeRun<Kafka>, 'moment'>> {
  await (fault.prepare ?? ((where) => where.topic(TOPIC)))(kafka);
  const rule = { direction: 'mqtt-to-kafka', id: 'all', filter: 'faults/#', topic: TOPIC } as const;
  const rules = [{ ...rule, ack }, ...(fault.rules?.(ack) ?? [])];
  const cluster = await FaultCluster.start(scope, {
    nodes: fault.nodes ?? 1,
    settings: {
      ...QUEUES,
      REDIS_LEASE_MS: options.leaseMs,
      ...bridgeSettings({
        brokers: kafka.brokers,
        rules,
        ...(fault.ackTimeoutMs !== undefined && { ackTimeoutMs: fault.ackTimeoutMs }),
      }),
    },
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
  return { options, kafka, cluster, fleet, notes: {}, failures: [] };
}

/** What the bridge has sent again: within a batch for each partition and fault, and not at all where Kafka knows repeats. */
function inspectRepeats<Kafka extends KafkaUnderTest>(
  { kafka, fleet, failures }: Omit<BridgeRun<Kafka>, 'moment'>,
  { repeated, repeatedBatch, repeatedBatches }: BridgeVerdict,
): void {
  const told = `${String(repeated)} records, batches of up to ${String(repeatedBatch)}, ${String(repeatedBatches)} in a partition`;
  if (kafka.knowsRepeats && repeated > 0) failures.push(`repeated to a real Kafka: ${told}`);
  const isMore = repeatedBatches > fleet.faultsAtMs.length || repeatedBatch > BATCH_RECORDS_MAX;
  if (isMore) failures.push(`repeated more than a batch for each fault: ${told}`);
}

function resultOf<Kafka extends KafkaUnderTest>(
  { name, title }: BridgeFault<Kafka>,
  { options, fleet, cluster, notes, failures }: BridgeRun<Kafka>,
  { verdict, memory }: { verdict: BridgeVerdict; memory: MemoryWatch },
): BridgeResult {
  const { seed, seconds, rate } = options;
  return {
    row: name,
    title,
    ...{ seed, seconds, rate },
    faults: fleet.faultsAtMs.length,
    ...verdict,
    nodeMiBMax: memory.highestMiB,
    ends: fleet.ends,
    notes,
    failures: [...failures, ...cluster.unexpectedEnds],
  };
}

/** Looks at the resident memory of nodes now and then. */
class MemoryWatch {
  highestMiB = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(nodes: readonly Broker[]) {
    this.#timer = setInterval(() => {
      for (const { child } of nodes) {
        if (!child.isRunning) continue;
        const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
        const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
        this.highestMiB = Math.max(this.highestMiB, Math.round(kib / KIB_PER_MIB));
      }
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

import type { SpoolFullPolicy } from '#libs/broker-ports';
import type { Settings } from '../../e2e/harness/app.ts';
import type { Broker } from '../../e2e/harness/broker.ts';
import { bridgeTo } from '../../e2e/harness/kafka.ts';

/** When a node acknowledges what a rule takes to Kafka. */
export type Ack = 'kafka' | 'spool' | 'none';

/** A rule of a row. */
export type RulePlan =
  | {
      readonly direction: 'mqtt-to-kafka';
      readonly id: string;
      readonly filter: string;
      /** Topic of Kafka. The key is the client's id. */
      readonly topic: string;
      readonly ack: Ack;
    }
  | {
      readonly direction: 'kafka-to-mqtt';
      readonly id: string;
      /** Topic of Kafka. */
      readonly topic: string;
      /** Template of the MQTT topic. */
      readonly mqttTopic: string;
      readonly onError: 'dlq';
      /** Topic of Kafka. */
      readonly deadLetterTopic: string;
    };

/** What a row asks of the bridge. */
export interface BridgePlan {
  /** `host:port` of brokers, separated by commas. */
  readonly brokers: string;
  readonly rules: readonly RulePlan[];
  /** @defaultValue that of the product */
  readonly ackTimeoutMs?: number | undefined;
  readonly spool?: SpoolPlan | undefined;
}

/** What a row asks of the spool. */
export interface SpoolPlan {
  /** @defaultValue that of the product */
  readonly bytesMax?: number;
  /** @defaultValue that of the product */
  readonly onFull?: SpoolFullPolicy;
  /** Half of it is what memory holds beside. @defaultValue that of the product */
  readonly bufferBytesMax?: number;
}

/** The settings of a node with a bridge: the one place that knows how they are called. */
export function bridgeSettings({ brokers, rules, ackTimeoutMs, spool = {} }: BridgePlan): Settings {
  const { bytesMax, onFull, bufferBytesMax } = spool;
  return {
    ...bridgeTo(brokers, rules),
    ...(ackTimeoutMs !== undefined && { BRIDGE_ACK_TIMEOUT_MS: ackTimeoutMs }),
    ...(bytesMax !== undefined && { BRIDGE_SPOOL_BYTES_MAX: bytesMax }),
    ...(bufferBytesMax !== undefined && { BRIDGE_BUFFER_BYTES_MAX: bufferBytesMax }),
    ...(onFull !== undefined && { BRIDGE_SPOOL_ON_FULL: onFull }),
  };
}

/** What says where the spool of a node is. */
export const spoolSettings = (dir: string): Settings => ({ BRIDGE_SPOOL_DIR: dir });

/**
 * What nodes have counted since they were started: records that they gave up after their PUBACK, and publishes that
 * their spools have refused.
 */
export async function countedBy(
  nodes: readonly Broker[],
): Promise<{ readonly givenUp: number; readonly refused: number }> {
  const counted = { givenUp: 0, refused: 0 };
  for (const { ops } of nodes) {
    for (const line of (await ops.metrics()).split('\n')) {
      const sample = RECORDS.exec(line)?.groups;
      if (sample === undefined) continue;
      const isRefused = sample['outcome'] === 'failed' && SPOOL_REASONS.has(sample['reason']);
      counted[isRefused ? 'refused' : 'givenUp'] += Number(sample['count']);
    }
  }
  return counted;
}

/** How many records wait at nodes for other nodes. */
export const heldBy = (nodes: readonly Broker[]): Promise<number> =>
  sumOf(nodes, 'skein_bridge_held_records');

/** How often the wait of a client's records at nodes has ended in one way. */
export const holdsOf = (
  nodes: readonly Broker[],
  outcome: 'drained' | 'timed_out',
): Promise<number> => sumOf(nodes, 'skein_bridge_holds_total', `outcome="${outcome}"`);

async function sumOf(nodes: readonly Broker[], name: string, label = ''): Promise<number> {
  const samples = await Promise.all(nodes.map((node) => node.ops.metric(name, label)));
  return samples.reduce((sum, sample) => sum + sample, 0);
}

/** How many records wait in the spools of nodes. */
export const spooled = (nodes: readonly Broker[]): Promise<number> =>
  sumOf(nodes, 'skein_bridge_spool_records');

const RECORDS =
  /^skein_bridge_records_total\{.*outcome="(?<outcome>failed|dropped)".*reason="(?<reason>\w+)".* (?<count>\d+)$/u;
const SPOOL_REASONS: ReadonlySet<string | undefined> = new Set(['spool_full', 'spool_failed']);

import { createHash } from 'node:crypto';
import { TOPIC_METRICS_MAX, type NodeAnswers, type WireTopicMetric } from '#libs/api-contracts';
import type {
  DefinitionStore,
  NodeAdmin,
  TopicMetricDefinition,
  TopicTally,
} from '#libs/broker-ports';

/** Rates are those of so many seconds. */
const RATE_SECONDS = 10;

/** What topic metrics need of a node. */
export interface TopicMetricsOptions {
  readonly store: DefinitionStore<TopicMetricDefinition>;
  readonly admin: Pick<NodeAdmin, 'countTopics'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

type Totals = readonly [received: number, sent: number, dropped: number];

interface Counter {
  readonly definition: TopicMetricDefinition;
  readonly tally: TopicTally;
  readonly sinceMs: number;
  readonly end: () => void;
  /** The totals of the latest seconds, the oldest first. */
  readonly seconds: Totals[];
}

/**
 * Counts the messages of filters that somebody has registered.
 *
 * @remarks The filters are in the store that all nodes share, and each node follows it: one that starts later counts too.
 */
export class TopicMetrics {
  readonly #options: TopicMetricsOptions;
  readonly #counters = new Map<string, Counter>();

  constructor(options: TopicMetricsOptions) {
    this.#options = options;
  }

  /** Begins to follow the store. */
  open(): void {
    this.#options.store.watch((stored) => this.#follow(stored.map(({ item }) => item)));
  }

  /** All of them, as they are in the store now. */
  async list(): Promise<NodeAnswers['topic-metrics']> {
    await this.#refresh();
    return { metrics: [...this.#counters.values()].map((counter) => wireOf(counter)) };
  }

  /** Registers a filter. */
  async add(filter: string): Promise<NodeAnswers['add-topic-metric']> {
    const { store, nowMs } = this.#options;
    const id = createHash('sha256').update(filter).digest('hex').slice(0, 32);
    const present = await store.list();
    if (present.some(({ item }) => item.id === id)) return { kind: 'exists', id };
    if (present.length >= TOPIC_METRICS_MAX) return { kind: 'full' };
    const result = await store.put({ id, filter, createdAtMs: nowMs() }, undefined);
    if (result.kind !== 'stored') return { kind: 'exists', id };
    const stored = await this.#refresh();
    // Of those who came at the same time, nobody stays above the limit.
    if (stored > TOPIC_METRICS_MAX) {
      await store.remove(id, undefined);
      await this.#refresh();
      return { kind: 'full' };
    }
    const counter = this.#counters.get(id);
    return counter === undefined
      ? { kind: 'exists', id }
      : { kind: 'stored', metric: wireOf(counter) };
  }

  /** Registers it no more. */
  async remove(id: string): Promise<NodeAnswers['remove-topic-metric']> {
    const { kind } = await this.#options.store.remove(id, undefined);
    await this.#refresh();
    return { found: kind === 'stored' };
  }

  /** Notes how far the counts are; to be called about once a second. */
  sweep(): void {
    for (const { tally, seconds } of this.#counters.values()) {
      seconds.push(totalsOf(tally));
      if (seconds.length > RATE_SECONDS + 1) seconds.shift();
    }
  }

  /** Counts nothing any more. */
  close(): void {
    this.#follow([]);
  }

  async #refresh(): Promise<number> {
    const stored = await this.#options.store.list();
    this.#follow(stored.map(({ item }) => item));
    return stored.length;
  }

  #follow(definitions: readonly TopicMetricDefinition[]): void {
    const wanted = new Set(definitions.map(({ id }) => id));
    for (const [id, { end }] of this.#counters) {
      if (wanted.has(id)) continue;
      end();
      this.#counters.delete(id);
    }
    for (const definition of definitions) {
      if (!this.#counters.has(definition.id)) this.#begin(definition);
    }
  }

  #begin(definition: TopicMetricDefinition): void {
    const tally: TopicTally = {
      ...{ messagesIn: [0, 0, 0], messagesOut: [0, 0, 0] },
      ...{ bytesIn: 0, bytesOut: 0, dropped: 0 },
    };
    const { admin, nowMs } = this.#options;
    const end = admin.countTopics(definition.filter, tally);
    const sinceMs = nowMs();
    this.#counters.set(definition.id, { definition, tally, sinceMs, end, seconds: [] });
  }
}

function totalsOf({ messagesIn, messagesOut, dropped }: TopicTally): Totals {
  const [in0, in1, in2] = messagesIn;
  const [out0, out1, out2] = messagesOut;
  return [in0 + in1 + in2, out0 + out1 + out2, dropped];
}

function wireOf({ definition, tally, sinceMs, seconds }: Counter): WireTopicMetric {
  const [first = [0, 0, 0]] = seconds;
  const last = seconds.at(-1) ?? first;
  const elapsed = Math.max(1, seconds.length - 1);
  const rate = (which: 0 | 1 | 2): number => (last[which] - first[which]) / elapsed;
  return {
    ...definition,
    sinceMs,
    messagesIn: [...tally.messagesIn],
    messagesOut: [...tally.messagesOut],
    bytesIn: tally.bytesIn,
    bytesOut: tally.bytesOut,
    dropped: tally.dropped,
    inPerSecond: rate(0),
    outPerSecond: rate(1),
    droppedPerSecond: rate(2),
  };
}

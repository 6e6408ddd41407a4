import {
  PublishError,
  type Bridge,
  type BridgeRule,
  type InjectedMessage,
  type Log,
  type Message,
  type Meter,
  type PublishDone,
  type RuleStatus,
} from '#libs/broker-ports';
import { MatchCache, TopicTrie } from '#libs/topic-index';
import { AckGate } from './ack-gate.ts';
import { BRIDGE_LABEL, type BridgeContext } from './bridge-context.ts';
import { BufferBudget } from './buffer-budget.ts';
import { InboundRule, type InboundLimits } from './inbound-rule.ts';
import type { KafkaPort } from './kafka-port.ts';
import { KafkajsPort } from './kafkajs-port.ts';
import { OutboundRule } from './outbound-rule.ts';
import { ruleFault } from './rule-fault.ts';

/** How the bridge reaches Kafka, and its limits. */
export interface KafkaSettings {
  /** `host:port` of brokers to start from. */
  readonly brokers: readonly string[];
  /** Kafka sees a node as `clientId-nodeId`; consumer groups are called `clientId-ruleId`. */
  readonly clientId: string;
  /** How long a message may wait for Kafka before its publisher is told BRIDGE_UNAVAILABLE. */
  readonly ackTimeoutMs: number;
  /** How long a busy partition collects records for one request. */
  readonly lingerMs: number;
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  /** Most bytes waiting for Kafka, all rules together. */
  readonly bufferBytesMax: number;
  readonly compression: 'none' | 'lz4' | 'gzip';
}

/** What a bridge needs of its node. */
export interface KafkaBridgeOptions {
  readonly nodeId: string;
  readonly kafka: KafkaSettings;
  /** What a record of Kafka may become; one that would be more is skipped. */
  readonly limits: InboundLimits;
  /** Gives a message from Kafka to the publish pipeline; `done` without an error commits its record. */
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly log: Log;
  readonly meter: Meter;
  /** Makes the Kafka client of a rule. @defaultValue a KafkajsPort */
  readonly port?: (ruleId: string) => KafkaPort;
}

const SWEEP_MS = 100;
/** How long a rule that ends may go on sending what it holds. */
const CLOSE_DEADLINE_MS = 5_000;
/** The same when the bridge ends while Kafka is away: it is not likely to come back just then. */
const AWAY_DEADLINE_MS = 500;
const MATCH_CACHE_ENTRIES = 8_192;

type RunningRule = OutboundRule | InboundRule;

/**
 * The Kafka bridge of a node, both directions.
 *
 * @remarks A record is ordered in offer(), per key and for good: it goes to a lane with one request under way at a time. With
 * `ack: kafka` the publisher's QoS 1 or 2 message is acknowledged when Kafka has stored it on all in-sync replicas. When
 * that takes longer than `ackTimeoutMs` the publisher is told so and will send again, while the record stays in its lane and
 * may be stored late: delivery is at least once. QoS 0, and rules of `ack: none`, never wait; when the buffer is full their
 * records are dropped and counted. Kafka's absence costs MQTT nothing but these answers.
 *
 * A consumer group that has no committed offset, as of a new rule, begins at the end of its topic: commands of the past are
 * not sent to devices. From then on nothing is skipped, also not records that came while no node was there.
 */
export class KafkaBridge implements Bridge {
  readonly #options: KafkaBridgeOptions;
  readonly #context: BridgeContext;
  readonly #rules = new Map<string, RunningRule>();
  /** Rules that were taken out and still send what they hold. */
  readonly #leaving = new Map<RunningRule, Promise<void>>();
  #stopped: RuleStatus[] = [];
  readonly #trie = new TopicTrie<OutboundRule>();
  readonly #matches = new MatchCache<readonly OutboundRule[]>(MATCH_CACHE_ENTRIES);
  #version = 0;
  #outboundCount = 0;
  /** Open gates in the order of their deadlines: all wait equally long. */
  #gates: AckGate[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: KafkaBridgeOptions) {
    const { kafka, clock, log, meter } = options;
    this.#options = options;
    const budget = new BufferBudget(kafka.bufferBytesMax);
    this.#context = { limits: kafka, budget, clock, log, meter };
  }

  offer(message: Message, done: PublishDone): void {
    // What came from Kafka must not go round in circles.
    if (this.#outboundCount === 0 || message.origin === 'bridge') return done();
    const rules = this.#match(message.topic);
    let gate: AckGate | undefined;
    for (const rule of rules) {
      const gated = message.qos > 0 && rule.rule.ack === 'kafka';
      if (gated) gate ??= this.#gate(done);
      rule.offer(message, gated ? gate : undefined);
    }
    if (gate === undefined) done();
    else gate.release();
  }

  apply(rules: readonly BridgeRule[]): void {
    if (this.#closing !== undefined) return;
    const wanted = new Map(rules.filter((rule) => rule.enabled).map((rule) => [rule.id, rule]));
    this.#stopped = rules
      .filter((rule) => !rule.enabled)
      .map(({ id }) => ({ id, state: 'stopped', lastError: undefined }));
    for (const running of this.#rules.values()) {
      const { rule } = running;
      if (sameRule(rule, wanted.get(rule.id))) wanted.delete(rule.id);
      else this.#stop(running);
    }
    for (const rule of wanted.values()) this.#start(rule);
  }

  status(): readonly RuleStatus[] {
    return [...[...this.#rules.values()].map((rule) => rule.status()), ...this.#stopped];
  }

  connected(): boolean {
    for (const rule of this.#rules.values()) if (!rule.connected) return false;
    return true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const rule of this.#rules.values()) {
      this.#leave(rule, rule.connected ? CLOSE_DEADLINE_MS : AWAY_DEADLINE_MS);
    }
    await Promise.all(this.#leaving.values());
    clearInterval(this.#sweeper);
    this.#expireGates(Infinity);
  }

  #match(topic: string): readonly OutboundRule[] {
    const cached = this.#matches.get(topic, this.#version);
    if (cached !== undefined) return cached;
    const rules: OutboundRule[] = [];
    this.#trie.match(topic, rules);
    this.#matches.set(topic, this.#version, rules);
    return rules;
  }

  #gate(done: PublishDone): AckGate {
    const { limits, clock } = this.#context;
    const gate = new AckGate(done, clock() + limits.ackTimeoutMs);
    this.#gates.push(gate);
    return gate;
  }

  #start(rule: BridgeRule): void {
    const fault = ruleFault(rule);
    if (fault !== undefined) {
      // Configuration and API refuse such a rule; an older or newer node may have stored it.
      this.#context.log.error('bridge-rule-invalid', { rule: rule.id, error: fault });
      this.#stopped.push({ id: rule.id, state: 'stopped', lastError: fault });
      return;
    }
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    const { port = (id: string) => this.#port(id), kafka, limits, inject } = this.#options;
    const link = { port: port(rule.id), after: this.#departed(rule.id) };
    if (rule.direction === 'kafka-to-mqtt') {
      const groupId = `${kafka.clientId}-${rule.id}`;
      const inbound = { ...link, groupId, limits, inject };
      this.#rules.set(rule.id, new InboundRule(rule, this.#context, inbound));
      return;
    }
    const outbound = new OutboundRule(rule, this.#context, link);
    this.#rules.set(rule.id, outbound);
    this.#trie.add(rule.filter, outbound);
    this.#outboundCount += 1;
    this.#version += 1;
  }

  #port(ruleId: string): KafkaPort {
    const { kafka, log, nodeId } = this.#options;
    return new KafkajsPort({ ...kafka, clientId: `${kafka.clientId}-${nodeId}`, ruleId, log });
  }

  #stop(running: RunningRule): void {
    this.#rules.delete(running.rule.id);
    if (running instanceof OutboundRule) {
      this.#trie.remove(running.rule.filter, running);
      this.#outboundCount -= 1;
      this.#version += 1;
    }
    this.#leave(running, CLOSE_DEADLINE_MS);
  }

  #leave(running: RunningRule, deadlineMs: number): void {
    const left = running
      .close(this.#context.clock() + deadlineMs)
      .finally(() => this.#leaving.delete(running));
    this.#leaving.set(running, left);
  }

  /** Resolves when the earlier versions of a rule are gone: the next one must not overtake their records. */
  async #departed(id: string): Promise<void> {
    const earlier = [...this.#leaving].filter(([running]) => running.rule.id === id);
    await Promise.all(earlier.map(([, left]) => left));
  }

  /** One timer for everything that waits: acknowledgements, metadata and gauges. */
  #sweep(): void {
    const nowMs = this.#context.clock();
    const { budget, meter } = this.#context;
    this.#expireGates(nowMs);
    let lag = 0;
    for (const rule of [...this.#rules.values(), ...this.#leaving.keys()]) {
      if (rule instanceof OutboundRule) rule.sweep(nowMs);
      else lag = Math.max(lag, rule.lag);
    }
    meter.bridgeBuffer(BRIDGE_LABEL, budget.records, budget.bytes);
    meter.bridgeConsumerLag(BRIDGE_LABEL, lag);
    meter.bridgeConnected(BRIDGE_LABEL, this.connected());
  }

  #expireGates(nowMs: number): void {
    let passed = 0;
    for (const gate of this.#gates) {
      if (gate.open && gate.deadlineMs > nowMs) break;
      passed += 1;
      if (gate.open) {
        gate.release(
          new PublishError('BRIDGE_UNAVAILABLE', 'Kafka did not confirm the message in time'),
        );
      }
    }
    if (passed > 0) this.#gates = this.#gates.slice(passed);
  }
}

function sameRule(left: BridgeRule, right: BridgeRule | undefined): boolean {
  return (
    right !== undefined && JSON.stringify(canonical(left)) === JSON.stringify(canonical(right))
  );
}

/** Rules come from stores that keep no order of fields. */
function canonical(value: object): unknown {
  return Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, field]) => [
      name,
      typeof field === 'object' && field !== null ? canonical(field) : field,
    ]);
}

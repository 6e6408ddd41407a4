import {
  PublishError,
  type BridgeRecordCount,
  type Message,
  type MqttToKafkaRule,
  type RuleStatus,
} from '#libs/broker-ports';
import type { AckGate } from './ack-gate.ts';
import { BRIDGE_LABEL, type BridgeContext } from './bridge-context.ts';
import { Deferred, waitAtMost } from './deferred.ts';
import { KafkaError, type KafkaPort } from './kafka-port.ts';
import { kafkaTopicFault } from './kafka-topic.ts';
import type { LaneEvents, LaneFailure } from './lane.ts';
import { outboundRecord, type OutboundRecord, type RecordTemplates } from './outbound-record.ts';
import { messagePlaceholder } from './placeholders.ts';
import { RuleHealth } from './rule-health.ts';
import { Template } from './template.ts';
import { TopicLanes } from './topic-lanes.ts';

/** How a rule is joined to Kafka. */
export interface RuleLink {
  readonly port: KafkaPort;
  /** Resolves when an earlier version of the rule is gone; nothing goes to Kafka before. */
  readonly after: Promise<void>;
}

/** Most Kafka topics one rule may write to, so that a device-made name cannot fill memory. */
const TOPICS_MAX = 1_000;
const PROBE_MS = 10_000;
const TOPIC_REFRESH_MS = 60_000;
const TOPIC_RETRY_MS = 500;

/** One MQTT to Kafka rule at work. */
export class OutboundRule {
  readonly rule: MqttToKafkaRule;
  readonly #context: BridgeContext;
  readonly #link: RuleLink;
  readonly #topic: Template<Message>;
  readonly #templates: RecordTemplates;
  readonly #health: RuleHealth;
  readonly #topics = new Map<string, TopicLanes>();
  readonly #lookups = new Set<TopicLanes>();
  #looking = false;
  #probeDueMs = 0;
  #records = 0;
  #closing = false;
  readonly #drained = new Deferred();

  /** @throws TemplateError when a template of the rule cannot be compiled. */
  constructor(rule: MqttToKafkaRule, context: BridgeContext, link: RuleLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#topic = new Template(rule.topic, messagePlaceholder);
    this.#templates = {
      key: new Template(rule.key, messagePlaceholder),
      headers: Object.entries(rule.headers).map(
        ([name, text]) => [name, new Template(text, messagePlaceholder)] as const,
      ),
    };
    this.#health = new RuleHealth(rule.id, context);
    const { constant } = this.#topic;
    if (constant !== undefined && kafkaTopicFault(constant) === undefined) this.#lanes(constant);
  }

  get connected(): boolean {
    return this.#health.connected;
  }

  status(): RuleStatus {
    return this.#health.status();
  }

  /** Orders the record of a message; the gate, if any, learns its fate. */
  offer(message: Message, gate: AckGate | undefined): void {
    this.#context.meter.bridgeRuleMatched(this.rule.id);
    gate?.hold();
    const topic = this.#topic.render(message);
    if (kafkaTopicFault(topic) !== undefined) return this.#refuse('invalid_topic', gate);
    if (this.#closing) return this.#refuse('shutdown', gate);
    const lanes = this.#lanes(topic);
    if (lanes === undefined) return this.#refuse('unknown_topic', gate);
    const record = outboundRecord(message, this.#templates, gate);
    if (!this.#context.budget.take(record.bytes)) return this.#refuse('buffer_full', gate);
    this.#records += 1;
    lanes.push(record);
  }

  /** Does what is due: probes, metadata, unused topics. */
  sweep(nowMs: number): void {
    for (const lanes of this.#topics.values()) {
      if (nowMs >= lanes.lookupDueMs) this.#lookups.add(lanes);
    }
    if (this.#lookups.size > 0 || nowMs >= this.#probeDueMs) void this.#lookUp();
  }

  /** Sends what is buffered until the deadline, then gives the rest up. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#settle();
    await waitAtMost(Math.max(0, deadlineMs - this.#context.clock()), this.#drained.promise);
    for (const lanes of this.#topics.values()) lanes.close();
    await this.#link.port.close();
  }

  #lanes(topic: string): TopicLanes | undefined {
    const existing = this.#topics.get(topic);
    if (existing !== undefined || this.#topics.size >= TOPICS_MAX) return existing;
    const { limits, clock } = this.#context;
    const events: LaneEvents = {
      delivered: (records, seconds) => this.#delivered(records, seconds, lanes),
      failed: (records, failure) => this.#failed(records, failure, lanes),
      retried: (error) => {
        this.#context.meter.bridgeRetried(BRIDGE_LABEL);
        this.#troubled(error);
        if (error.code === 'UNKNOWN_TOPIC') lanes.lookupDueMs = 0;
      },
    };
    const lanes = new TopicLanes(topic, { port: this.#link.port, limits, clock, events });
    this.#topics.set(topic, lanes);
    this.#lookups.add(lanes);
    void this.#lookUp();
    return lanes;
  }

  /** Asks for partition counts, one topic after the other: however many names come in, Kafka gets one question at a time. */
  async #lookUp(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#link.after;
    if (this.#context.clock() >= this.#probeDueMs) await this.#probe();
    for (const lanes of this.#lookups) {
      this.#lookups.delete(lanes);
      await this.#find(lanes);
    }
    this.#looking = false;
  }

  async #probe(): Promise<void> {
    try {
      await this.#link.port.ping();
      this.#health.reached();
    } catch (error) {
      this.#health.failed(asKafkaError(error));
    }
    this.#probeDueMs = this.#context.clock() + (this.#health.connected ? PROBE_MS : TOPIC_RETRY_MS);
  }

  async #find(lanes: TopicLanes): Promise<void> {
    const { clock } = this.#context;
    try {
      lanes.open(await this.#link.port.partitions(lanes.topic));
      lanes.lookupDueMs = clock() + TOPIC_REFRESH_MS;
      this.#health.served();
    } catch (error) {
      const fault = asKafkaError(error);
      this.#troubled(fault);
      lanes.lookupDueMs = clock() + TOPIC_RETRY_MS;
      if (fault.code !== 'UNKNOWN_TOPIC') return;
      const expired = lanes.takeExpired(clock());
      if (expired.length > 0) this.#failed(expired, 'unknown_topic', lanes);
      if (!lanes.known && lanes.idle && this.#topic.constant === undefined) {
        this.#topics.delete(lanes.topic);
      }
    }
  }

  /** A topic that a device named wrongly is no fault of the rule. */
  #troubled(error: KafkaError): void {
    const { constant } = this.#topic;
    if (error.code !== 'UNKNOWN_TOPIC' || constant !== undefined) this.#health.failed(error);
  }

  #delivered(records: readonly OutboundRecord[], seconds: number, lanes: TopicLanes): void {
    const { meter, clock } = this.#context;
    this.#health.served();
    meter.bridgeProduceDuration(BRIDGE_LABEL, seconds);
    meter.bridgeBatch(BRIDGE_LABEL, records.length);
    this.#count({ outcome: 'delivered', reason: 'ok', count: records.length });
    const nowMs = clock();
    for (const record of records) {
      meter.bridgeEndToEnd(
        BRIDGE_LABEL,
        'mqtt_to_kafka',
        Math.max(0, nowMs - record.timestampMs) / 1_000,
      );
      this.#forget(record);
      record.gate?.release();
    }
    lanes.settle();
    this.#settle();
  }

  #failed(records: readonly OutboundRecord[], failure: LaneFailure, lanes: TopicLanes): void {
    const { meter, log } = this.#context;
    const text = `Kafka did not take the message: ${failure}`;
    if (failure === 'not_authorized') this.#health.failed(new KafkaError('NOT_AUTHORIZED', text));
    this.#count({ outcome: 'failed', reason: failure, count: records.length });
    meter.bridgeRuleError(this.rule.id, failure === 'unknown_topic' ? 'topic' : 'produce');
    log.debug('bridge-records-failed', {
      rule: this.rule.id,
      topic: lanes.topic,
      reason: failure,
      records: records.length,
    });
    const error = new PublishError('BRIDGE_UNAVAILABLE', text);
    for (const record of records) {
      this.#forget(record);
      record.gate?.release(error);
    }
    lanes.settle();
    this.#settle();
  }

  /** The record cannot even be taken; the next one may. */
  #refuse(
    reason: 'invalid_topic' | 'unknown_topic' | 'buffer_full' | 'shutdown',
    gate: AckGate | undefined,
  ): void {
    const full = reason === 'buffer_full';
    this.#count({ outcome: gate === undefined ? 'dropped' : 'failed', reason, count: 1 });
    if (!full) this.#context.meter.bridgeRuleError(this.rule.id, 'topic');
    gate?.release(
      new PublishError(
        full ? 'QUOTA_EXCEEDED' : 'BRIDGE_UNAVAILABLE',
        `Kafka did not take the message: ${reason}`,
      ),
    );
  }

  #forget(record: OutboundRecord): void {
    this.#context.budget.give(record.bytes);
    this.#records -= 1;
  }

  #settle(): void {
    if (this.#closing && this.#records === 0) this.#drained.resolve();
  }

  #count(count: Pick<BridgeRecordCount, 'outcome' | 'reason' | 'count'>): void {
    this.#context.meter.bridgeRecords({
      bridge: BRIDGE_LABEL,
      direction: 'mqtt_to_kafka',
      ...count,
    });
  }
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  throw error;
}

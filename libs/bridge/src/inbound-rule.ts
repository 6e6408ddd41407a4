import {
  PublishError,
  type BridgeRecordCount,
  type InjectedMessage,
  type KafkaToMqttRule,
  type PublishDone,
  type RuleStatus,
} from '#libs/broker-ports';
import { topicNameFault } from '#libs/topic-index';
import type { BridgeContext } from './bridge-context.ts';
import { LABEL_OF } from './direction.ts';
import { recordPlaceholder, type RecordSource } from './placeholders.ts';
import { RecordPump, type RecordOutcome } from './record-pump.ts';
import { RuleHealth } from './rule-health.ts';
import type { ConsumedRecord, RecordBatch, Source, SourceHandler } from './source.ts';
import { Template } from './template.ts';

/** What a record may become, as for messages of clients. */
export interface InboundLimits {
  readonly topicLevelsMax: number;
  /** Most bytes of topic and payload together. */
  readonly packetBytesMax: number;
  readonly retainedMessageBytesMax: number;
}

/** How an inbound rule is joined to its source and to the publish pipeline. */
export interface InboundLink {
  /** Opens the rule's source. */
  readonly open: (handler: SourceHandler) => Source;
  /** Resolves when an earlier version of the rule is gone; nothing is consumed before. */
  readonly after: Promise<void>;
  readonly limits: InboundLimits;
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
}

/** Why a record is skipped for good. */
type RecordFault = 'invalid_topic' | 'too_large' | 'not_authorized' | 'other';

const TOPIC_BYTES_MAX = 65_535;
const NO_BYTES = new Uint8Array(0);
const REST_MIN_MS = 100;
const REST_MAX_MS = 5_000;
/** The same while other keys of the partition go on. */
const BUSY_REST_MAX_MS = 1_000;

/**
 * One rule from a source to MQTT at work: a member of the rule's consumer group.
 *
 * @remarks A record that can never be published is skipped, counted, and logged when it is the first of its kind. A record that
 * cannot be published now, for want of a store or a node, is tried again for ever; those of its key wait behind it.
 */
export class InboundRule {
  readonly rule: KafkaToMqttRule;
  readonly #context: BridgeContext;
  readonly #link: InboundLink;
  readonly #mqttTopic: Template<RecordSource>;
  readonly #health: RuleHealth;
  readonly #lags = new Map<number, number>();
  /** How often in a row the record at the head of a partition was refused. */
  readonly #refusals = new Map<number, number>();
  /** By partition, the offsets of records that are done with although one before them is not. */
  readonly #ahead = new Map<number, Set<string>>();
  readonly #faultsLogged = new Set<RecordFault>();
  readonly #source: Promise<Source | undefined>;
  #closing = false;

  /** @throws TemplateError when the topic template cannot be compiled. */
  constructor(rule: KafkaToMqttRule, context: BridgeContext, link: InboundLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#mqttTopic = new Template(rule.mqttTopic, recordPlaceholder);
    this.#health = new RuleHealth(rule.id, context);
    this.#source = link.after.then(() => this.#open());
  }

  get connected(): boolean {
    return this.#health.connected;
  }

  /** Records that were not carried yet, of the worst of the partitions held here, as of the last batch of each. */
  get lag(): number {
    let lag = 0;
    for (const records of this.#lags.values()) lag = Math.max(lag, records);
    return lag;
  }

  status(): RuleStatus {
    return this.#health.status();
  }

  /** Lets the records under way finish, commits and leaves the group. */
  async close(): Promise<void> {
    this.#closing = true;
    const source = await this.#source;
    await source?.close();
  }

  #open(): Source | undefined {
    if (this.#closing) return undefined;
    return this.#link.open({
      batch: (batch) => this.#carry(batch),
      joined: () => {
        this.#lags.clear();
        this.#refusals.clear();
        this.#ahead.clear();
        this.#health.served();
      },
      rebalanced: () => this.#context.meter.bridgeRebalanced(this.#context.bridge),
      failed: (error) => this.#health.failed(error),
    });
  }

  async #carry(batch: RecordBatch): Promise<number> {
    const { partition, records, lag } = batch;
    const refusals = this.#refusals.get(partition) ?? 0;
    this.#lags.set(partition, lag + records.length);
    this.#context.meter.bridgeBatch(this.#context.bridge, records.length);
    let reason = '';
    const ahead = this.#ahead.get(partition) ?? new Set();
    this.#ahead.set(partition, ahead);
    const pump = new RecordPump(batch, {
      carry: (record, settled) => {
        const source = { topic: this.rule.topic, partition, record };
        const message = this.#message(source);
        if (message === undefined) return settled('skipped');
        this.#link.inject(message, (error) => {
          if (error !== undefined) reason = error.message;
          settled(this.#injected(source, error));
        });
      },
      ready: () => true,
      ahead,
      cautious: refusals > 0,
    });
    const refused = await pump.run();
    this.#lags.set(partition, lag + records.length - pump.resolved);
    if (ahead.size === 0) this.#ahead.delete(partition);
    if (refused) {
      const rest = this.#rest(partition, pump.resolved > 0 ? 0 : refusals, reason);
      return pump.taken > 0 ? Math.min(rest, BUSY_REST_MAX_MS) : rest;
    }
    this.#goOn(partition);
    return 0;
  }

  #injected(source: RecordSource, error: Error | undefined): RecordOutcome {
    if (error === undefined) {
      this.#delivered(source.record);
      return 'taken';
    }
    const fault = faultOf(error);
    if (fault === undefined) return 'again';
    this.#skip(source, fault, error.message);
    return 'skipped';
  }

  /** @returns how long the partition rests. */
  #rest(partition: number, refusals: number, error: string): number {
    const { meter, log } = this.#context;
    meter.bridgeRetried(this.#context.bridge);
    if (this.#refusals.size === 0) {
      log.warn('bridge-inject-refused', { rule: this.rule.id, partition, error });
    }
    this.#refusals.set(partition, refusals + 1);
    return Math.min(REST_MIN_MS * 2 ** refusals, REST_MAX_MS);
  }

  #goOn(partition: number): void {
    if (!this.#refusals.delete(partition) || this.#refusals.size > 0) return;
    this.#context.log.info('bridge-inject-restored', { rule: this.rule.id });
  }

  /** The message of a record; undefined when there can be none. */
  #message(source: RecordSource): InjectedMessage | undefined {
    const topic = this.#mqttTopic.render(source);
    const { qos, retain } = this.rule;
    const payload = source.record.value ?? NO_BYTES;
    const { topicLevelsMax, packetBytesMax, retainedMessageBytesMax } = this.#link.limits;
    const topicBytes = Buffer.byteLength(topic);
    const topicFault =
      topicBytes > TOPIC_BYTES_MAX ? 'too long' : topicNameFault(topic, topicLevelsMax);
    if (topicFault !== undefined) {
      this.#skip(source, 'invalid_topic', topicFault);
      return undefined;
    }
    const payloadBytesMax = retain ? retainedMessageBytesMax : Infinity;
    if (topicBytes + payload.length > packetBytesMax || payload.length > payloadBytesMax) {
      this.#skip(source, 'too_large', `${payload.length} bytes`);
      return undefined;
    }
    this.#context.meter.bridgeRuleMatched(this.rule.id);
    return { topic, payload, qos, retain };
  }

  #skip(
    { partition, record }: Pick<RecordSource, 'partition' | 'record'>,
    fault: RecordFault,
    detail: string,
  ): void {
    const { meter, log } = this.#context;
    meter.bridgeRuleError(this.rule.id, fault === 'invalid_topic' ? 'topic' : 'consume');
    this.#count('failed', fault);
    if (this.#faultsLogged.has(fault)) return;
    this.#faultsLogged.add(fault);
    const { offset } = record;
    log.warn('bridge-record-skipped', { rule: this.rule.id, partition, offset, fault, detail });
  }

  #delivered(record: ConsumedRecord): void {
    this.#count('delivered', 'ok');
    this.#context.meter.bridgeEndToEnd(
      this.#context.bridge,
      LABEL_OF[this.rule.direction],
      Math.max(0, this.#context.clock() - Number(record.timestamp)) / 1_000,
    );
  }

  #count(outcome: BridgeRecordCount['outcome'], reason: BridgeRecordCount['reason']): void {
    this.#context.meter.bridgeRecords({
      bridge: this.#context.bridge,
      direction: LABEL_OF[this.rule.direction],
      outcome,
      reason,
      count: 1,
    });
  }
}

/** What is wrong with a record that was refused for good; undefined when the same record may be taken later. */
function faultOf(error: Error): RecordFault | undefined {
  if (!(error instanceof PublishError)) return undefined;
  switch (error.code) {
    case 'NOT_AUTHORIZED':
      return 'not_authorized';
    case 'QUOTA_EXCEEDED':
      // No room for another retained message: until somebody makes some, receivers would get the message over and over.
      return 'other';
    case 'STORE_UNAVAILABLE':
    case 'BRIDGE_UNAVAILABLE':
      return undefined;
  }
}

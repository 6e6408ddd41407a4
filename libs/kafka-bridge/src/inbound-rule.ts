import type {
  BridgeRecordCount,
  InjectedMessage,
  KafkaToMqttRule,
  PublishDone,
  RuleStatus,
} from '#libs/broker-ports';
import { topicNameFault } from '#libs/topic-index';
import { BRIDGE_LABEL, type BridgeContext } from './bridge-context.ts';
import type { ConsumedRecord, Consumption, RecordBatch } from './kafka-port.ts';
import type { RuleLink } from './outbound-rule.ts';
import { recordPlaceholder, type RecordSource } from './placeholders.ts';
import { RecordPump } from './record-pump.ts';
import { RuleHealth } from './rule-health.ts';
import { Template } from './template.ts';

/** What a Kafka to MQTT rule needs beyond the context. */
export interface InboundLink extends RuleLink {
  readonly groupId: string;
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
}

const TOPIC_BYTES_MAX = 65_535;
const NO_BYTES = new Uint8Array(0);

/** One Kafka to MQTT rule at work: a member of the rule's consumer group. */
export class InboundRule {
  readonly rule: KafkaToMqttRule;
  readonly #context: BridgeContext;
  readonly #link: InboundLink;
  readonly #mqttTopic: Template<RecordSource>;
  readonly #health: RuleHealth;
  readonly #lags = new Map<number, number>();
  readonly #consumption: Promise<Consumption | undefined>;
  #closing = false;

  /** @throws TemplateError when the topic template cannot be compiled. */
  constructor(rule: KafkaToMqttRule, context: BridgeContext, link: InboundLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#mqttTopic = new Template(rule.mqttTopic, recordPlaceholder);
    this.#health = new RuleHealth(rule.id, context.log);
    this.#consumption = link.after.then(() => this.#consume());
  }

  get connected(): boolean {
    return this.#health.connected;
  }

  /** Records of the partitions held here that were not carried yet, as of the last batch of each. */
  get lag(): number {
    let lag = 0;
    for (const records of this.#lags.values()) lag += records;
    return lag;
  }

  status(): RuleStatus {
    const { fault } = this.#health;
    return {
      id: this.rule.id,
      state: fault === undefined ? 'running' : 'degraded',
      lastError: fault,
    };
  }

  /** Lets the records under way finish, commits and leaves the group. */
  async close(): Promise<void> {
    this.#closing = true;
    const consumption = await this.#consumption;
    await consumption?.close();
    await this.#link.port.close();
  }

  #consume(): Consumption | undefined {
    if (this.#closing) return undefined;
    return this.#link.port.consume(
      { groupId: this.#link.groupId, topic: this.rule.topic },
      {
        batch: (batch) => this.#carry(batch),
        joined: () => {
          this.#lags.clear();
          this.#health.served();
        },
        rebalanced: () => this.#context.meter.bridgeRebalanced(BRIDGE_LABEL),
        failed: (error) => this.#health.failed(error),
      },
    );
  }

  async #carry(batch: RecordBatch): Promise<void> {
    const { meter } = this.#context;
    this.#lags.set(batch.partition, batch.lag + batch.records.length);
    meter.bridgeBatch(BRIDGE_LABEL, batch.records.length);
    await new RecordPump(batch, {
      map: (record) =>
        this.#message({ topic: this.rule.topic, partition: batch.partition, record }),
      inject: this.#link.inject,
      delivered: (record) => this.#delivered(record),
      refused: (error) => {
        meter.bridgeRetried(BRIDGE_LABEL);
        meter.bridgeRuleError(this.rule.id, 'consume');
        this.#context.log.debug('bridge-inject-refused', {
          rule: this.rule.id,
          error: error.message,
        });
      },
    }).run();
    this.#lags.set(batch.partition, batch.lag);
  }

  /** The message of a record; a record without a valid topic name is poison: nothing would ever cure it. */
  #message(source: RecordSource): InjectedMessage | undefined {
    const topic = this.#mqttTopic.render(source);
    const { value } = source.record;
    if (
      topicNameFault(topic, Infinity) !== undefined ||
      Buffer.byteLength(topic) > TOPIC_BYTES_MAX
    ) {
      this.#context.meter.bridgeRuleError(this.rule.id, 'topic');
      this.#count('failed', 'invalid_topic');
      return undefined;
    }
    this.#context.meter.bridgeRuleMatched(this.rule.id);
    const { qos, retain } = this.rule;
    return { topic, payload: value ?? NO_BYTES, qos, retain };
  }

  #delivered(record: ConsumedRecord): void {
    this.#count('delivered', 'ok');
    this.#context.meter.bridgeEndToEnd(
      BRIDGE_LABEL,
      'kafka_to_mqtt',
      Math.max(0, this.#context.clock() - Number(record.timestamp)) / 1_000,
    );
  }

  #count(outcome: BridgeRecordCount['outcome'], reason: BridgeRecordCount['reason']): void {
    this.#context.meter.bridgeRecords({
      bridge: BRIDGE_LABEL,
      direction: 'kafka_to_mqtt',
      outcome,
      reason,
      count: 1,
    });
  }
}

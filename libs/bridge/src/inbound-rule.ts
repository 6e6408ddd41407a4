import {
  PublishError,
  type BridgeRecordCount,
  type InjectedMessage,
  type KafkaToMqttRule,
  type PublishDone,
  type RuleStatus,
} from '#libs/broker-ports';
import { RecordDocument, TransformFault } from '#libs/bridge-transform';
import type { BridgeContext } from './bridge-context.ts';
import type { DeadLetters } from './dead-letters.ts';
import { LABEL_OF } from './direction.ts';
import { InboundMessages, RecordError, type InboundLimits } from './inbound-message.ts';
import type { RecordSource } from './placeholders.ts';
import { RecordPump, type RecordOutcome } from './record-pump.ts';
import { withTraceOf } from './record-trace.ts';
import { RuleHealth } from './rule-health.ts';
import { detailOf, reasonOf, RuleTransform, type TransformReason } from './rule-transform.ts';
import { SinkError } from './sink.ts';
import type {
  ConsumedRecord,
  ReadValue,
  RecordBatch,
  Source,
  SourceHandler,
  ValueReader,
} from './source.ts';
import { stageOf } from './stage.ts';

/** How an inbound rule is joined to its source and to the publish pipeline. */
export interface InboundLink {
  /** Opens the rule's source. */
  readonly open: (handler: SourceHandler) => Source;
  /** Reads the values of records; undefined when they stay as they are. The rule closes it. */
  readonly reader?: ValueReader | undefined;
  /** Resolves when an earlier version of the rule is gone; nothing is consumed before. */
  readonly after: Promise<void>;
  readonly limits: InboundLimits;
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
  /** Whether a session somewhere may be subscribed to a topic that a filter matches. */
  readonly mayWant?: ((filter: string) => boolean) | undefined;
  /** Whether the node has so much to do that nothing should be added. */
  readonly isBehind?: (() => boolean) | undefined;
  /** Where records go that can never be published; undefined when they go nowhere. The rule closes it. */
  readonly deadLetters?: DeadLetters | undefined;
}

/** Why a record can never be published. */
interface Poison {
  readonly fault: RecordError['code'] | TransformReason | 'not_authorized' | 'other';
  readonly detail: string;
}

/** Tells what became of a record, and why it was not taken. */
type Settle = (outcome: RecordOutcome, reason?: string) => void;

const REST_MIN_MS = 100;
const REST_MAX_MS = 5_000;
/** The same while other keys of the partition go on. */
const BUSY_REST_MAX_MS = 1_000;
/** How long what was found out of subscribers and of the node is believed. */
const LOOK_MS = 1_000;
const POISON_EVENTS = {
  skip: 'bridge-record-skipped',
  dlq: 'bridge-record-dead-lettered',
  stop: 'bridge-record-stops-rule',
} as const;

/**
 * One rule from a source to MQTT at work: a member of the rule's consumer group.
 *
 * @remarks A record that can never be published meets the rule's `onError`, is counted, and logged when it is the first of its kind. One that
 * cannot be published now, for want of a store or a node, is tried again for ever; those of its key wait behind it.
 */
export class InboundRule {
  readonly rule: KafkaToMqttRule;
  readonly #context: BridgeContext;
  readonly #link: InboundLink;
  readonly #messages: InboundMessages;
  readonly #transform: RuleTransform | undefined;
  readonly #health: RuleHealth;
  readonly #lags = new Map<number, number>();
  /** How often in a row the record at the head of a partition was refused. */
  readonly #refusals = new Map<number, number>();
  /** By partition, the offsets of records that are done with although one before them is not. */
  readonly #ahead = new Map<number, Set<string>>();
  readonly #faultsLogged = new Set<Poison['fault']>();
  readonly #source: Promise<Source | undefined>;
  /** What the rule waits for; undefined when it does not. */
  #awaits: string | undefined;
  #lookedAtMs = -Infinity;
  #closing = false;

  /** @throws TemplateError or ExpressionError when something of the rule cannot be compiled. */
  constructor(rule: KafkaToMqttRule, context: BridgeContext, link: InboundLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#messages = new InboundMessages(rule, link.limits);
    this.#transform = RuleTransform.of(rule, context.meter);
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
    this.#link.reader?.close();
    await this.#link.deadLetters?.close();
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
    const read = await this.#reading(batch);
    if (read instanceof SinkError) {
      this.#health.failed(read);
      return this.#rest(partition, refusals, read.message);
    }
    this.#context.meter.bridgeBatch(this.#context.bridge, records.length);
    let reason = '';
    const ahead = this.#ahead.get(partition) ?? new Set();
    this.#ahead.set(partition, ahead);
    const pump = new RecordPump(batch, {
      carry: (record, settled) => {
        const settle: Settle = (outcome, why = '') => {
          if (why !== '') reason = why;
          settled(outcome);
        };
        this.#offer({ topic: this.rule.topic, partition, record }, read, settle);
      },
      ready: () => this.#isReady(),
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

  /** How values of a batch are read, or why that is not known now. */
  async #reading(batch: RecordBatch): Promise<ReadValue | undefined | SinkError> {
    try {
      return await this.#link.reader?.prepare(batch);
    } catch (error) {
      if (error instanceof SinkError) return error;
      throw error;
    }
  }

  #offer(source: RecordSource, read: ReadValue | undefined, settle: Settle): void {
    let message: InjectedMessage | 'filtered' | Poison;
    try {
      message = this.#messageOf(read === undefined ? source : readBy(read, source));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return this.#poisoned(source, { fault: error.code, detail: error.message }, settle);
    }
    if (message === 'filtered') {
      this.#count('filtered', 'ok');
      return settle('skipped');
    }
    if ('fault' in message) return this.#poisoned(source, message, settle);
    this.#context.meter.bridgeRuleMatched(this.rule.id);
    this.#link.inject(message, (error) => {
      if (error === undefined) {
        this.#delivered(source.record);
        return settle('taken');
      }
      const fault = faultOf(error);
      if (fault === undefined) return settle('again', error.message);
      this.#poisoned(source, { fault, detail: error.message }, settle);
    });
  }

  /** @throws RecordError when the record makes no message. */
  #messageOf(source: RecordSource): InjectedMessage | 'filtered' | Poison {
    const payload = this.#transform?.run(new RecordDocument(source));
    if (payload === 'filtered') return payload;
    if (payload instanceof TransformFault) {
      return { fault: reasonOf(payload), detail: detailOf(payload) };
    }
    const message = this.#messages.message(source, payload);
    const isTraced = this.#context.tracer !== undefined;
    return isTraced ? withTraceOf(source.record, message) : message;
  }

  #poisoned(source: RecordSource, poison: Poison, settle: Settle): void {
    const { rule } = this;
    this.#tellOfPoison(source, poison);
    if (rule.onError === 'stop') {
      const reason = `record ${source.record.offset} of partition ${source.partition}: ${poison.detail}`;
      this.#health.failed(new SinkError('REJECTED', reason));
      return settle('stop', reason);
    }
    if (this.#link.deadLetters === undefined) {
      this.#count('failed', poison.fault);
      return settle('skipped');
    }
    const reason = { rule: rule.id, stage: stageOf(poison.fault, 'consume'), ...poison };
    this.#link.deadLetters.put(source, reason, (error) => {
      if (error !== undefined) {
        this.#health.failed(error);
        return settle('stop', `dead letter not stored: ${error.message}`);
      }
      this.#count('failed', poison.fault);
      this.#context.meter.bridgeDeadLetters(this.#context.bridge, 1);
      settle('skipped');
    });
  }

  #isReady(): boolean {
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return this.#awaits === undefined;
    this.#lookedAtMs = nowMs;
    const awaits = this.#whatToAwait();
    if (awaits !== this.#awaits) {
      const event = awaits === undefined ? 'bridge-rule-goes-on' : 'bridge-rule-waits';
      this.#context.log.info(event, { rule: this.rule.id, ...(awaits && { awaits }) });
      this.#awaits = awaits;
    }
    return awaits === undefined;
  }

  #whatToAwait(): string | undefined {
    if (this.#link.isBehind?.() === true) return 'the node to catch up';
    if (this.rule.startWhen !== 'subscribers') return undefined;
    return this.#link.mayWant?.(this.#messages.filter) === false ? 'a subscriber' : undefined;
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
    this.#health.served();
    this.#context.log.info('bridge-inject-restored', { rule: this.rule.id });
  }

  #tellOfPoison({ partition, record }: RecordSource, { fault, detail }: Poison): void {
    const { meter, log } = this.#context;
    meter.bridgeRuleError(this.rule.id, stageOf(fault, 'consume'));
    if (this.#faultsLogged.has(fault)) return;
    this.#faultsLogged.add(fault);
    const event = POISON_EVENTS[this.rule.onError ?? 'skip'];
    log.warn(event, { rule: this.rule.id, partition, offset: record.offset, fault, detail });
  }

  #delivered(record: ConsumedRecord): void {
    this.#count('delivered', 'ok');
    this.#context.meter.bridgeEndToEnd(
      this.#context.bridge,
      LABEL_OF[this.rule.direction],
      Math.max(0, this.#context.clock.nowMs() - Number(record.timestamp)) / 1_000,
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
function faultOf(error: Error): Poison['fault'] | undefined {
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

/** The record with what its value says. @throws RecordError when it says nothing. */
function readBy(read: ReadValue, source: RecordSource): RecordSource {
  const { record } = source;
  if (record.value === null) return source;
  return { ...source, record: { ...record, value: read(record.value) } };
}

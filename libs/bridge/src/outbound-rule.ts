import {
  PublishError,
  type BridgeRecordCount,
  type Message,
  type OutboundBridgeRule,
  type RuleSpoolState,
  type RuleStatus,
  type SpoolEntry,
} from '#libs/broker-ports';
import { TransformFault, type MessageDocument } from '#libs/bridge-transform';
import type { AckGate } from './ack-gate.ts';
import type { BridgeContext } from './bridge-context.ts';
import { Deferred, waitAtMost } from './deferred.ts';
import { LABEL_OF } from './direction.ts';
import type { LaneEvents, LaneFailure, LaneLimits } from './lane.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { RecordMaker } from './record-maker.ts';
import { RuleHealth } from './rule-health.ts';
import {
  detailOf,
  reasonOf,
  RuleTransform,
  type Transformed,
  type TransformReason,
} from './rule-transform.ts';
import { SinkError, type Sink } from './sink.ts';
import type { BridgeSpool } from './spool-limits.ts';
import { SpoolPath } from './spool-path.ts';
import { stageOf } from './stage.ts';
import { TargetLanes } from './target-lanes.ts';

/** How an outbound rule is joined to its sink. */
export interface OutboundLink {
  readonly sink: Sink;
  /** Why no target can have this name. */
  readonly targetFault: (target: string) => string | undefined;
  /** Resolves when an earlier version of the rule is gone; nothing goes to the sink before. */
  readonly after: Promise<void>;
}

/**
 * Why a rule ends.
 *
 * @remarks `replaced`: by another version, or by the next process; what is in the spool waits for that. `removed`: the rule will not
 * come back, so that its spool is emptied as far as time allows.
 */
export type RuleEnd = 'replaced' | 'removed';

/** Most targets one rule may write to, so that a device-made name cannot fill memory. */
const TARGETS_MAX = 1_000;
const PROBE_MS = 10_000;
const LANES_REFRESH_MS = 60_000;
const RETRY_MS = 500;
/** How long a rule that ends waits for requests under way whose records are in the spool: else they are sent twice. */
const SPOOLED_DEADLINE_MS = 500;

/** One rule from MQTT to a sink at work. */
export class OutboundRule {
  readonly rule: OutboundBridgeRule;
  readonly #context: BridgeContext;
  readonly #link: OutboundLink;
  readonly #maker: RecordMaker;
  readonly #transform: RuleTransform | undefined;
  readonly #health: RuleHealth;
  readonly #laneLimits: LaneLimits;
  /** Undefined when nothing of the rule is in the spool, nor will be. */
  #spool: SpoolPath | undefined;
  readonly #targets = new Map<string, TargetLanes>();
  readonly #lookups = new Set<TargetLanes>();
  #looking = false;
  #probeDueMs = 0;
  #records = 0;
  #ending: RuleEnd | undefined;
  readonly #faultsLogged = new Set<string>();
  readonly #drained = new Deferred();

  /** @throws TemplateError or ExpressionError when something of the rule cannot be compiled. */
  constructor(rule: OutboundBridgeRule, context: BridgeContext, link: OutboundLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#maker = new RecordMaker(rule);
    this.#transform = RuleTransform.of(rule, context.meter);
    this.#health = new RuleHealth(rule.id, context);
    this.#spool = this.#openSpool();
    this.#laneLimits = this.#limitsOfLanes();
    const { constantTarget } = this.#maker;
    if (constantTarget !== undefined) this.#lanesOf(constantTarget);
  }

  get connected(): boolean {
    return this.#health.connected;
  }

  /** Whether messages are to go through transform() first. */
  get hasExpressions(): boolean {
    return this.#transform !== undefined;
  }

  /** What waits in the spool; undefined for a rule without one. */
  get spool(): RuleSpoolState | undefined {
    return this.#spool?.state;
  }

  status(): RuleStatus {
    const status = this.#health.status();
    if (this.#spool === undefined) return status;
    const { state: spool, fault } = this.#spool;
    return fault === undefined
      ? { ...status, spool }
      : { ...status, state: 'degraded', lastError: fault, spool };
  }

  /** What the rule's expressions make of a message. One that is filtered is not of the rule, and not to be offered. */
  transform(document: MessageDocument): Transformed {
    const transformed = this.#transform?.run(document);
    if (transformed === 'filtered') this.#count({ outcome: 'filtered', reason: 'ok', count: 1 });
    return transformed;
  }

  /** Orders the record of a message, with the value that transform() gave; the gate, if any, learns its fate. */
  offer(
    message: Message,
    gate: AckGate | undefined,
    value: Buffer | TransformFault | undefined,
  ): void {
    this.#context.meter.bridgeRuleMatched(this.rule.id);
    gate?.hold();
    if (this.#ending !== undefined) return this.#refuse('shutdown', gate);
    if (value instanceof TransformFault) {
      this.#tell(value);
      return this.#refuse(reasonOf(value), gate);
    }
    const target = this.#maker.target(message);
    const lanes = this.#lanesOf(target);
    if (typeof lanes === 'string') return this.#refuse(lanes, gate);
    const record = this.#maker.record(message, { target, gate, value });
    if (record === undefined) return this.#refuse('template_error', gate);
    // QoS 0 as well, though nobody waits for it: it must not overtake.
    if (this.rule.ack === 'spool') return this.#spool?.offer(record);
    if (!this.#context.budget.take(record.bytes)) return this.#refuse('buffer_full', gate);
    this.#records += 1;
    lanes.push(record);
  }

  /**
   * Takes records that another node had in its spool for this rule, while less than half of the own one is taken.
   *
   * @returns how many of them, from the first on, need not be kept there any more.
   */
  async inherit(entries: readonly SpoolEntry[]): Promise<number> {
    const { spool } = this.#context;
    if (spool === undefined || this.#ending !== undefined) return 0;
    if (spool.spool.bytes > spool.spool.bytesMax / 2) return 0;
    this.#spool ??= this.#openPath(spool);
    return this.#spool.inherit(entries);
  }

  /** Does what is due: the spool, probes and lane counts. */
  sweep(nowMs: number): void {
    this.#spool?.sweep(nowMs);
    this.#settle();
    for (const lanes of this.#targets.values()) {
      if (nowMs >= lanes.lookupDueMs) this.#lookups.add(lanes);
    }
    if (this.#lookups.size > 0 || nowMs >= this.#probeDueMs) void this.#lookUp();
  }

  /** Sends what it holds until the deadline; then gives up what is in memory alone. */
  async close(deadlineMs: number, end: RuleEnd): Promise<void> {
    const { clock } = this.#context;
    this.#ending = end;
    const isSpooled = this.rule.ack === 'spool' && end === 'replaced';
    if (end === 'replaced') this.#spool?.stop();
    const limitMs = isSpooled ? SPOOLED_DEADLINE_MS : Infinity;
    this.#settle();
    await waitAtMost(Math.min(Math.max(0, deadlineMs - clock()), limitMs), this.#drained.promise);
    this.#spool?.stop();
    for (const lanes of this.#targets.values()) lanes.close();
    await this.#link.sink.close();
    this.#spool?.release();
  }

  #openSpool(): SpoolPath | undefined {
    const { rule } = this;
    const { spool } = this.#context;
    if (spool === undefined) return undefined;
    // Another `ack` may have been chosen while records were waiting.
    if (rule.ack !== 'spool' && !spool.spool.rules().includes(rule.id)) return undefined;
    return this.#openPath(spool);
  }

  #openPath(spool: BridgeSpool): SpoolPath {
    const { rule } = this;
    const { clock, budget, log, limits } = this.#context;
    const path = new SpoolPath({
      rule: rule.id,
      spoolLog: spool.spool.open(rule.id),
      limits: { bytesMax: Infinity, ...spool.limits, ...rule.spool, blockMs: limits.ackTimeoutMs },
      ...{ clock, budget, log },
      push: (record) => this.#push(record),
      count: (count) => this.#count(count),
    });
    void this.#link.after.then(() => path.start());
    return path;
  }

  /** A target that the rule itself names is waited for as long as the spool keeps records. */
  #limitsOfLanes(): LaneLimits {
    const { limits, spool } = this.#context;
    if (this.rule.ack !== 'spool' || !this.#maker.constant) return limits;
    const ageSecondsMax = this.rule.spool?.ageSecondsMax ?? spool?.limits.ageSecondsMax ?? 0;
    return { ...limits, ackTimeoutMs: ageSecondsMax * 1_000 };
  }

  /** Takes a record out of the spool to its lane. */
  #push(record: OutboundRecord): void {
    this.#records += 1;
    const lanes = this.#lanesOf(record.target);
    if (typeof lanes === 'string') this.#failed([record], lanes, record.target);
    else lanes.push(record);
  }

  /** The lanes of a target, or why there are none. */
  #lanesOf(target: string): TargetLanes | 'invalid_topic' | 'unknown_topic' {
    const existing = this.#targets.get(target);
    if (existing !== undefined) return existing;
    if (this.#link.targetFault(target) !== undefined || !this.#maker.allows(target)) {
      return 'invalid_topic';
    }
    return this.#targets.size < TARGETS_MAX ? this.#openLanes(target) : 'unknown_topic';
  }

  #openLanes(target: string): TargetLanes {
    const { clock } = this.#context;
    const events: LaneEvents = {
      delivered: (records, seconds) => {
        this.#delivered(records, seconds);
        lanes.settle();
      },
      failed: (records, failure) => {
        this.#failed(records, failure, target);
        lanes.settle();
      },
      retried: (error) => {
        this.#context.meter.bridgeRetried(this.#context.bridge);
        this.#troubled(error);
        if (error.code === 'UNKNOWN_TARGET') lanes.lookupDueMs = 0;
      },
    };
    const lanes = new TargetLanes(target, {
      sink: this.#link.sink,
      limits: this.#laneLimits,
      clock,
      events,
    });
    this.#targets.set(target, lanes);
    this.#lookups.add(lanes);
    void this.#lookUp();
    return lanes;
  }

  /** Asks for lane counts, one target after the other: however many names come in, the sink gets one question at a time. */
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
      await this.#link.sink.ping();
      this.#health.reached();
    } catch (error) {
      this.#health.failed(asSinkError(error));
    }
    this.#probeDueMs = this.#context.clock() + (this.#health.connected ? PROBE_MS : RETRY_MS);
  }

  async #find(lanes: TargetLanes): Promise<void> {
    const { clock } = this.#context;
    try {
      lanes.open(await this.#link.sink.lanes(lanes.target));
      lanes.lookupDueMs = clock() + LANES_REFRESH_MS;
      this.#health.served();
    } catch (error) {
      const fault = asSinkError(error);
      this.#troubled(fault);
      lanes.lookupDueMs = clock() + RETRY_MS;
      if (fault.code !== 'UNKNOWN_TARGET') return;
      const expired = lanes.takeExpired(clock());
      if (expired.length > 0) this.#failed(expired, 'unknown_topic', lanes.target);
      if (!lanes.known && lanes.idle && this.#maker.constantTarget === undefined) {
        this.#targets.delete(lanes.target);
      }
    }
  }

  /** A target that a device named wrongly is no fault of the rule. */
  #troubled(error: SinkError): void {
    const isOfRule = this.#maker.constantTarget !== undefined;
    if (error.code !== 'UNKNOWN_TARGET' || isOfRule) this.#health.failed(error);
  }

  #delivered(records: readonly OutboundRecord[], seconds: number): void {
    const { meter, clock } = this.#context;
    this.#health.served();
    meter.bridgeProduceDuration(this.#context.bridge, seconds);
    meter.bridgeBatch(this.#context.bridge, records.length);
    this.#count({ outcome: 'delivered', reason: 'ok', count: records.length });
    const nowMs = clock();
    for (const record of records) {
      meter.bridgeEndToEnd(
        this.#context.bridge,
        LABEL_OF[this.rule.direction],
        Math.max(0, nowMs - record.timestampMs) / 1_000,
      );
      this.#forget(record, true);
      record.gate?.release();
    }
    this.#advance();
  }

  /** The one place where records are given up; those of a spool that ends before them are not. */
  #failed(
    records: readonly OutboundRecord[],
    failure: LaneFailure | 'invalid_topic',
    target: string,
  ): void {
    const { meter, log } = this.#context;
    const text = `the bridge did not deliver the message: ${failure}`;
    if (failure === 'not_authorized') this.#health.failed(new SinkError('NOT_AUTHORIZED', text));
    if (failure === 'unknown_topic' && this.#maker.constant) {
      this.#health.failed(new SinkError('UNKNOWN_TARGET', text));
    }
    const error = new PublishError('BRIDGE_UNAVAILABLE', text);
    let count = 0;
    for (const record of records) {
      const isKept = failure === 'shutdown' && record.sequence > 0;
      if (!isKept) count += 1;
      this.#forget(record, !isKept);
      record.gate?.release(error);
    }
    if (count > 0) {
      this.#count({ outcome: 'failed', reason: failure, count });
      meter.bridgeRuleError(this.rule.id, failure === 'unknown_topic' ? 'topic' : 'produce');
      const fields = { rule: this.rule.id, target, reason: failure, records: count };
      log.debug('bridge-records-failed', fields);
    }
    this.#advance();
  }

  /** Logs the first message of each kind that the rule's expressions have no answer for. */
  #tell(fault: TransformFault): void {
    const kind = `${fault.field} ${fault.code}`;
    if (this.#faultsLogged.has(kind)) return;
    this.#faultsLogged.add(kind);
    const fields = { rule: this.rule.id, fault: reasonOf(fault), detail: detailOf(fault) };
    this.#context.log.warn('bridge-message-refused', fields);
  }

  /** The record cannot even be taken; the next one may. */
  #refuse(
    reason:
      | TransformReason
      | 'invalid_topic'
      | 'unknown_topic'
      | 'template_error'
      | 'buffer_full'
      | 'shutdown',
    gate: AckGate | undefined,
  ): void {
    const full = reason === 'buffer_full';
    this.#count({ outcome: gate === undefined ? 'dropped' : 'failed', reason, count: 1 });
    if (!full) this.#context.meter.bridgeRuleError(this.rule.id, stageOf(reason));
    gate?.release(
      new PublishError(
        full ? 'QUOTA_EXCEEDED' : 'BRIDGE_UNAVAILABLE',
        `the bridge did not take the message: ${reason}`,
      ),
    );
  }

  #forget(record: OutboundRecord, isDone: boolean): void {
    this.#context.budget.give(record.bytes);
    this.#records -= 1;
    if (record.sequence > 0) this.#spool?.left(record, isDone);
  }

  #advance(): void {
    this.#spool?.advance();
    this.#settle();
  }

  #settle(): void {
    if (this.#ending === undefined || this.#records > 0) return;
    const isDone = this.#ending === 'removed' ? this.#spool?.isDrained : this.#spool?.isIdle;
    if (isDone !== false) this.#drained.resolve();
  }

  #count(count: Pick<BridgeRecordCount, 'outcome' | 'reason' | 'count'>): void {
    this.#context.meter.bridgeRecords({
      bridge: this.#context.bridge,
      direction: LABEL_OF[this.rule.direction],
      ...count,
    });
  }
}

function asSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  throw error;
}

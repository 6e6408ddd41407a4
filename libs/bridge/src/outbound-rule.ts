import {
  PublishError,
  type BridgeRecordCount,
  type Message,
  type OutboundBridgeRule,
  type RuleStatus,
} from '#libs/broker-ports';
import type { AckGate } from './ack-gate.ts';
import type { BridgeContext } from './bridge-context.ts';
import { Deferred, waitAtMost } from './deferred.ts';
import { LABEL_OF } from './direction.ts';
import type { LaneEvents, LaneFailure } from './lane.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { RecordMaker } from './record-maker.ts';
import { RuleHealth } from './rule-health.ts';
import { SinkError, type Sink } from './sink.ts';
import { TargetLanes } from './target-lanes.ts';

/** How an outbound rule is joined to its sink. */
export interface OutboundLink {
  readonly sink: Sink;
  /** Why no target can have this name. */
  readonly targetFault: (target: string) => string | undefined;
  /** Resolves when an earlier version of the rule is gone; nothing goes to the sink before. */
  readonly after: Promise<void>;
}

/** Most targets one rule may write to, so that a device-made name cannot fill memory. */
const TARGETS_MAX = 1_000;
const PROBE_MS = 10_000;
const LANES_REFRESH_MS = 60_000;
const RETRY_MS = 500;

/** One rule from MQTT to a sink at work. */
export class OutboundRule {
  readonly rule: OutboundBridgeRule;
  readonly #context: BridgeContext;
  readonly #link: OutboundLink;
  readonly #maker: RecordMaker;
  readonly #health: RuleHealth;
  readonly #targets = new Map<string, TargetLanes>();
  readonly #lookups = new Set<TargetLanes>();
  #looking = false;
  #probeDueMs = 0;
  #records = 0;
  #closing = false;
  readonly #drained = new Deferred();

  /** @throws TemplateError when a template of the rule cannot be compiled. */
  constructor(rule: OutboundBridgeRule, context: BridgeContext, link: OutboundLink) {
    this.rule = rule;
    this.#context = context;
    this.#link = link;
    this.#maker = new RecordMaker(rule);
    this.#health = new RuleHealth(rule.id, context);
    const { constantTarget } = this.#maker;
    if (constantTarget !== undefined) this.#lanesOf(constantTarget);
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
    if (this.#closing) return this.#refuse('shutdown', gate);
    const target = this.#maker.target(message);
    const lanes = this.#lanesOf(target);
    if (typeof lanes === 'string') return this.#refuse(lanes, gate);
    const record = this.#maker.record(message, { target, gate });
    if (record === undefined) return this.#refuse('template_error', gate);
    if (!this.#context.budget.take(record.bytes)) return this.#refuse('buffer_full', gate);
    this.#records += 1;
    lanes.push(record);
  }

  /** Does what is due: probes and lane counts. */
  sweep(nowMs: number): void {
    for (const lanes of this.#targets.values()) {
      if (nowMs >= lanes.lookupDueMs) this.#lookups.add(lanes);
    }
    if (this.#lookups.size > 0 || nowMs >= this.#probeDueMs) void this.#lookUp();
  }

  /** Sends what is buffered until the deadline, then gives the rest up. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#settle();
    await waitAtMost(Math.max(0, deadlineMs - this.#context.clock()), this.#drained.promise);
    for (const lanes of this.#targets.values()) lanes.close();
    await this.#link.sink.close();
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
    const { limits, clock } = this.#context;
    const events: LaneEvents = {
      delivered: (records, seconds) => this.#delivered(records, seconds, lanes),
      failed: (records, failure) => this.#failed(records, failure, lanes),
      retried: (error) => {
        this.#context.meter.bridgeRetried(this.#context.bridge);
        this.#troubled(error);
        if (error.code === 'UNKNOWN_TARGET') lanes.lookupDueMs = 0;
      },
    };
    const lanes = new TargetLanes(target, { sink: this.#link.sink, limits, clock, events });
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
      if (expired.length > 0) this.#failed(expired, 'unknown_topic', lanes);
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

  #delivered(records: readonly OutboundRecord[], seconds: number, lanes: TargetLanes): void {
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
      this.#forget(record);
      record.gate?.release();
    }
    lanes.settle();
    this.#settle();
  }

  #failed(records: readonly OutboundRecord[], failure: LaneFailure, lanes: TargetLanes): void {
    const { meter, log } = this.#context;
    const text = `the bridge did not deliver the message: ${failure}`;
    if (failure === 'not_authorized') this.#health.failed(new SinkError('NOT_AUTHORIZED', text));
    if (failure === 'unknown_topic' && this.#maker.constant) {
      this.#health.failed(new SinkError('UNKNOWN_TARGET', text));
    }
    this.#count({ outcome: 'failed', reason: failure, count: records.length });
    meter.bridgeRuleError(this.rule.id, failure === 'unknown_topic' ? 'topic' : 'produce');
    log.debug('bridge-records-failed', {
      rule: this.rule.id,
      target: lanes.target,
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
    reason: 'invalid_topic' | 'unknown_topic' | 'template_error' | 'buffer_full' | 'shutdown',
    gate: AckGate | undefined,
  ): void {
    const full = reason === 'buffer_full';
    this.#count({ outcome: gate === undefined ? 'dropped' : 'failed', reason, count: 1 });
    const stage = reason === 'template_error' ? 'template' : 'topic';
    if (!full) this.#context.meter.bridgeRuleError(this.rule.id, stage);
    gate?.release(
      new PublishError(
        full ? 'QUOTA_EXCEEDED' : 'BRIDGE_UNAVAILABLE',
        `the bridge did not take the message: ${reason}`,
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

import type {
  BridgeQueue,
  Message,
  OutboundBridgeRule,
  RuleSpoolState,
  RuleStatus,
  SpoolEntry,
} from '#libs/broker-ports';
import { TransformFault, type MessageDocument } from '#libs/bridge-transform';
import type { AckGate } from './ack-gate.ts';
import type { BridgeContext } from './bridge-context.ts';
import type { MovingRule } from './client-moves.ts';
import { Deferred, waitAtMost } from './deferred.ts';
import { wayOf } from './direction.ts';
import { KEPT_TARGET } from './kept-letters.ts';
import { ENDED, EXPIRED, isLate, LATE, type LaneEvents, type LaneLimits } from './lane.ts';
import { MemoryPlaces } from './memory-places.ts';
import { OutboundLetters, type Refusal } from './outbound-letters.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { isRefusal, RecordFates, type Loss } from './record-fates.ts';
import { RecordMaker, type RecordWay } from './record-maker.ts';
import { RuleHealth } from './rule-health.ts';
import { detailOf, reasonOf, RuleTransform, type Transformed } from './rule-transform.ts';
import { SinkError, type Sink } from './sink.ts';
import { SpoolBacklog } from './spool-backlog.ts';
import type { BridgeSpool } from './spool-limits.ts';
import { SpoolPath } from './spool-path.ts';
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

/** Most targets one rule writes to at a time, so that a device-made name cannot fill memory. */
const TARGETS_MAX = 1_000;
const PROBE_MS = 10_000;
const LANES_REFRESH_MS = 60_000;
const RETRY_MS = 500;
/** How long a rule that ends waits for requests under way whose records are in the spool: else they are sent twice. */
const SPOOLED_DEADLINE_MS = 500;

/** What decides the lanes of a record. */
type LaneQuestion = Pick<OutboundRecord, 'target' | 'letter'> & { readonly sequence?: number };

/** One rule from MQTT to a sink at work. */
export class OutboundRule implements MovingRule {
  readonly rule: OutboundBridgeRule;
  /** When it began. */
  readonly sinceMs: number;
  readonly #context: BridgeContext;
  readonly #link: OutboundLink;
  readonly #maker: RecordMaker;
  readonly #transform: RuleTransform | undefined;
  readonly #health: RuleHealth;
  readonly #fates: RecordFates;
  /** Undefined when records that can never be carried are given up. */
  readonly #letters: OutboundLetters | undefined;
  /** Undefined when nothing of the rule is in the spool, nor will be. */
  #spool: SpoolPath | undefined;
  /** Undefined when the rule goes by the spool itself, or has found nothing there. */
  readonly #backlog: SpoolBacklog | undefined;
  readonly #targets = new Map<string, TargetLanes>();
  readonly #lookups = new Set<TargetLanes>();
  #looking = false;
  #probeDueMs = 0;
  #records = 0;
  readonly #places = new MemoryPlaces();
  #ending: RuleEnd | undefined;
  readonly #drained = new Deferred();

  /** @throws TemplateError or ExpressionError when something of the rule cannot be compiled. */
  constructor(rule: OutboundBridgeRule, context: BridgeContext, link: OutboundLink) {
    this.rule = rule;
    this.sinceMs = context.clock.nowMs();
    this.#context = context;
    this.#link = link;
    this.#maker = new RecordMaker(rule);
    this.#transform = RuleTransform.of(rule, context.meter);
    this.#health = new RuleHealth(rule.id, context);
    this.#fates = new RecordFates(rule, context);
    const { deadLetter } = wayOf(rule);
    this.#letters = deadLetter && new OutboundLetters(rule.id, deadLetter);
    this.#spool = this.#openSpool();
    if (rule.ack !== 'spool') this.#backlog = this.#spool && new SpoolBacklog(this.#spool);
    const { constantTarget } = this.#maker;
    if (constantTarget !== undefined) this.#lanesOf({ target: constantTarget });
    context.moves?.join(this);
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

  get isDrained(): boolean {
    return this.#records === 0 && this.#spool?.isDrained !== false;
  }

  get nextSequence(): number {
    return this.#spool?.next ?? 0;
  }

  queues(place: number): readonly BridgeQueue[] {
    const { id: rule } = this.rule;
    const queues: BridgeQueue[] = [];
    const { first } = this.#places;
    if (first !== undefined) queues.push({ rule, kind: 'memory', done: first - 1, last: place });
    const { done = 0, next = 0 } = this.#spool ?? {};
    if (done + 1 < next) queues.push({ rule, kind: 'spool', done, last: next - 1 });
    return queues;
  }

  status(): RuleStatus {
    const status = { ...this.#health.status(), ...(this.#spool && { spool: this.#spool.state }) };
    const fault = this.#spool?.fault ?? this.#fates.fault;
    return fault === undefined ? status : { ...status, state: 'degraded', lastError: fault };
  }

  /** What the rule's expressions make of a message. One that is filtered is not of the rule, and not to be offered. */
  transform(document: MessageDocument): Transformed {
    const transformed = this.#transform?.run(document);
    if (transformed === 'filtered') this.#fates.count('filtered', 'ok');
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
    if (this.#ending !== undefined) return this.#fates.refused({ gate }, 'shutdown');
    const way = { target: this.#maker.target(message), gate };
    if (value instanceof TransformFault) {
      return this.#refuse(message, way, { fault: reasonOf(value), detail: detailOf(value) });
    }
    const lanes = this.#lanesOf(way);
    if (!(lanes instanceof TargetLanes)) return this.#refuse(message, { ...way, value }, lanes);
    const record = this.#maker.record(message, { ...way, value });
    if (record !== undefined) return this.#take(record);
    const detail = 'the template of the partition gives no number';
    this.#refuse(message, { ...way, value }, { fault: 'template_error', detail });
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
    this.#fates.sweep(nowMs);
    this.#advance();
    for (const lanes of this.#targets.values()) {
      if (nowMs >= lanes.lookupDueMs) this.#lookups.add(lanes);
    }
    if (this.#lookups.size > 0 || nowMs >= this.#probeDueMs) void this.#lookUp();
  }

  /** Gives up what its publishers will send again, as far as no attempt was begun with it. */
  dropLate(): void {
    this.#failed(this.#backlog?.takeLate() ?? [], LATE);
    for (const lanes of this.#targets.values()) {
      const late = lanes.takeLate();
      if (late.length === 0) continue;
      this.#failed(late, LATE);
      lanes.settle();
    }
  }

  /** Sends what it holds until the deadline; then gives up what is in memory alone. */
  async close(deadlineMs: number, end: RuleEnd): Promise<void> {
    const { clock } = this.#context;
    this.#ending = end;
    const isSpooled = this.rule.ack === 'spool' && end === 'replaced';
    if (end === 'replaced') {
      this.#spool?.stop();
      this.#failed(this.#backlog?.takeAll() ?? [], ENDED);
    }
    this.#unhold(isSpooled);
    const limitMs = isSpooled ? SPOOLED_DEADLINE_MS : Infinity;
    this.#settle();
    await waitAtMost(
      Math.min(Math.max(0, deadlineMs - clock.monotonicMs()), limitMs),
      this.#drained.promise,
    );
    this.#spool?.stop();
    this.#failed(this.#backlog?.takeAll() ?? [], ENDED);
    for (const lanes of this.#targets.values()) lanes.close();
    await this.#link.sink.close();
    this.#spool?.release();
    this.#context.moves?.leave(this);
  }

  #openSpool(): SpoolPath | undefined {
    const { rule } = this;
    const { spool } = this.#context;
    if (spool === undefined) return undefined;
    // Another `ack` may have been chosen while records were waiting: they go first.
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
      fates: this.#fates,
      push: (record) => this.#push(record),
      letterOf: (entry) => this.#letters?.ofDamaged(entry),
    });
    void this.#link.after.then(() => path.start());
    return path;
  }

  /** Records of a spool may become so old, and a target that the rule itself names is waited for as long. */
  #limitsOfLanes(target: string): LaneLimits {
    const { limits, spool } = this.#context;
    if (this.#spool === undefined) return limits;
    const ageSecondsMax = this.rule.spool?.ageSecondsMax ?? spool?.limits.ageSecondsMax ?? 0;
    const ageMsMax = ageSecondsMax * 1_000;
    const isConstant = this.#maker.constant && !this.#isForLettersAlone(target);
    const isWaitedFor = this.rule.ack === 'spool' && isConstant;
    const awaitsAccess = isWaitedFor && this.#letters === undefined;
    return { ...limits, ageMsMax, awaitsAccess, ...(isWaitedFor && { ackTimeoutMs: ageMsMax }) };
  }

  /** Takes a record that is not in the spool yet. */
  #take(record: OutboundRecord): void {
    // QoS 0 as well, though nobody waits for it: it must not overtake.
    if (this.rule.ack === 'spool') return this.#spool?.offer(record);
    const { budget, moves } = this.#context;
    if (!budget.take(record.bytes)) return this.#fates.refused(record, 'buffer_full');
    record.place = moves?.place ?? 0;
    this.#places.enter(record.place);
    this.#push(record);
  }

  /** Takes a record on, unless it is to wait for what the spool has. */
  #push(record: OutboundRecord): void {
    this.#records += 1;
    if (record.sequence > 0 || this.#backlog?.holds(record) !== true) this.#goOn(record);
  }

  /** Takes a record to its lane, unless earlier ones of its client wait at another node. */
  #goOn(record: OutboundRecord): void {
    const isFree = this.#ending !== undefined || this.#context.moves === undefined;
    if (isFree || !this.#context.moves.holds(record, this.rule.id, this)) this.released(record);
  }

  /** The rule ends: what is held stays in the spool for its next version, or else goes out of order rather than not at all. */
  #unhold(isSpooled: boolean): void {
    const held = this.#context.moves?.reclaim(this.rule.id, this) ?? [];
    if (isSpooled) this.#failed(held, ENDED);
    else for (const record of held) this.released(record);
  }

  released(record: OutboundRecord): void {
    if (isLate(record)) return this.#failed([record], LATE);
    const lanes = this.#lanesOf(record);
    if (lanes instanceof TargetLanes) lanes.push(record);
    else this.#failed([record], lanes);
  }

  /** The lanes of a record, or why there are none. */
  #lanesOf({ target, letter, sequence = 0 }: LaneQuestion): TargetLanes | Refusal {
    const existing = this.#targets.get(target);
    const isOfLetters = target === this.#letters?.place.target;
    // The name may be one that records may not have.
    if (existing !== undefined && !isOfLetters && target !== KEPT_TARGET) return existing;
    const isAllowed =
      letter !== undefined || (this.#maker.allows(target) && target !== KEPT_TARGET);
    const detail = isAllowed ? this.#link.targetFault(target) : 'the rule may not write to it';
    if (detail !== undefined) return { fault: 'invalid_topic', detail };
    if (existing !== undefined) return existing;
    // What was acknowledged already is not refused for want of a place.
    const isOwed = letter !== undefined || sequence > 0;
    if (this.#targets.size < TARGETS_MAX || isOwed || this.#forgetIdle()) {
      return this.#openLanes(target);
    }
    return { fault: 'unknown_topic', detail: 'the rule has too many targets' };
  }

  /** Makes room for a target by forgetting one that nothing is on its way to. */
  #forgetIdle(): boolean {
    for (const [target, lanes] of this.#targets) {
      if (!lanes.known || !lanes.idle) continue;
      this.#lookups.delete(lanes);
      return this.#targets.delete(target);
    }
    return false;
  }

  #openLanes(target: string): TargetLanes {
    const { clock } = this.#context;
    const events: LaneEvents = {
      delivered: (records, seconds) => {
        this.#delivered(records, seconds);
        lanes.settle();
      },
      failed: (records, loss) => {
        this.#failed(records, loss);
        lanes.settle();
      },
      noted: () => this.#spool?.noted(),
      retried: (error) => {
        this.#context.meter.bridgeRetried(this.#context.bridge);
        this.#troubled(error, target);
        if (error.code === 'UNKNOWN_TARGET') lanes.lookupDueMs = 0;
      },
    };
    const lanes = new TargetLanes(target, {
      sink: this.#link.sink,
      limits: this.#limitsOfLanes(target),
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
    if (this.#context.clock.monotonicMs() >= this.#probeDueMs) await this.#probe();
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
    const pauseMs = this.#health.connected ? PROBE_MS : RETRY_MS;
    this.#probeDueMs = this.#context.clock.monotonicMs() + pauseMs;
  }

  async #find(lanes: TargetLanes): Promise<void> {
    const { clock } = this.#context;
    try {
      lanes.open(await this.#link.sink.lanes(lanes.target));
      lanes.lookupDueMs = clock.monotonicMs() + LANES_REFRESH_MS;
      if (lanes.idle) this.#health.served();
      else this.#health.found();
    } catch (error) {
      const fault = asSinkError(error);
      this.#troubled(fault, lanes.target);
      lanes.lookupDueMs = clock.monotonicMs() + RETRY_MS;
      const old = lanes.takeOld();
      if (old.length > 0) this.#failed(old, EXPIRED);
      if (fault.code !== 'UNKNOWN_TARGET') return;
      const expired = lanes.takeExpired();
      const loss = { fault: 'unknown_topic', detail: fault.message } as const;
      if (expired.length > 0) this.#failed(expired, loss);
      if (!lanes.known && lanes.idle && this.#maker.constantTarget === undefined) {
        this.#targets.delete(lanes.target);
      }
    }
  }

  /** A target that a device named wrongly is no fault of the rule; lost dead letters are told as such. */
  #troubled(error: SinkError, target: string): void {
    const isOfRule = this.#maker.constantTarget !== undefined && !this.#isForLettersAlone(target);
    if (error.code === 'UNAVAILABLE' || isOfRule) this.#health.failed(error);
  }

  #isForLettersAlone(target: string): boolean {
    return target === this.#letters?.place.target && target !== this.#maker.constantTarget;
  }

  #delivered(records: readonly OutboundRecord[], seconds: number): void {
    this.#health.served();
    for (const record of records) this.#forget(record, true);
    this.#fates.delivered(records, seconds);
    this.#advance();
  }

  /** The one place where records leave their lanes in vain: for the dead letters, for good, or to stay in the spool as the rule ends. */
  #failed(records: readonly OutboundRecord[], loss: Loss): void {
    for (const record of records) {
      if (isRefusal(loss)) this.#refused(record, loss);
      else this.#giveUp(record, loss);
    }
    this.#advance();
  }

  /** A record can never be delivered. */
  #refused(record: OutboundRecord, refusal: Refusal): void {
    const letter = this.#letters?.after(record, refusal);
    if (record.letter === undefined) {
      this.#fates.poisoned(refusal, record.target, letter !== undefined);
      this.#blame(refusal);
    }
    if (letter === undefined) this.#giveUp(record, refusal);
    else this.released(letter);
  }

  #giveUp(record: OutboundRecord, loss: Loss): void {
    const { sequence } = record.letter?.origin ?? record;
    const isKept = loss.fault === 'shutdown' && sequence > 0;
    this.#forget(record, !isKept);
    if (isKept) this.#fates.unanswered(record.gate, loss.fault);
    else this.#fates.lost(record, loss);
  }

  /** Some refusals say that the rule itself cannot work. */
  #blame({ fault, detail }: Refusal): void {
    if (fault === 'not_authorized') this.#health.failed(new SinkError('NOT_AUTHORIZED', detail));
    if (fault !== 'unknown_topic' || !this.#maker.constant) return;
    this.#health.failed(new SinkError('UNKNOWN_TARGET', detail));
  }

  /** There is no record of the message, or nowhere to send it; the next one may go. */
  #refuse(message: Message, way: RecordWay, refusal: Refusal): void {
    const letter = this.#letters?.of(this.#maker.plain(message, way), refusal);
    const lanes = letter && this.#lanesOf(letter);
    const isTaken = lanes instanceof TargetLanes;
    this.#fates.poisoned(refusal, way.target, isTaken);
    if (letter !== undefined && isTaken) this.#take(letter);
    else this.#fates.refused(way, refusal.fault);
  }

  #forget(record: OutboundRecord, isDone: boolean): void {
    const held = record.letter?.origin ?? record;
    this.#context.budget.give(held.bytes);
    this.#records -= 1;
    if (held.sequence > 0) this.#spool?.left(held, isDone);
    else this.#places.leave(held.place);
  }

  #advance(): void {
    this.#spool?.advance();
    for (const record of this.#backlog?.takeReady() ?? []) this.#goOn(record);
    this.#settle();
  }

  #settle(): void {
    if (this.#ending === undefined || this.#records > 0) return;
    const isDone = this.#ending === 'removed' ? this.#spool?.isDrained : this.#spool?.isIdle;
    if (isDone !== false) this.#drained.resolve();
  }
}

function asSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  throw error;
}

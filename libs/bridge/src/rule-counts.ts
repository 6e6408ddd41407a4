import type { BridgeRecordCount, Meter, RuleMetrics } from '#libs/broker-ports';

/** What rules at work tell a meter. */
export type RuleMeter = Pick<
  Meter,
  | 'bridgeBatch'
  | 'bridgeDeadLetters'
  | 'bridgeEndToEnd'
  | 'bridgeProduceDuration'
  | 'bridgeRebalanced'
  | 'bridgeRecords'
  | 'bridgeRetried'
  | 'bridgeRuleError'
  | 'bridgeRuleMatched'
  | 'bridgeTransformed'
>;

/** Counts of one rule, kept over its versions, beside those of the meter: they can be reset. */
export class RuleCounts {
  readonly #id: string;
  #bridge: string;
  #sinceMs: number;
  #matched = 0;
  #retries = 0;
  #deadLetters = 0;
  readonly #outcomes = { delivered: 0, filtered: 0, failed: 0, dropped: 0 };
  /** Of what was not carried. The reasons are a closed set. */
  readonly #reasons = new Map<string, number>();

  constructor(id: string, bridge: string, nowMs: number) {
    this.#id = id;
    this.#bridge = bridge;
    this.#sinceMs = nowMs;
  }

  /** The connector that the rule names now. */
  get bridge(): string {
    return this.#bridge;
  }

  /** The rule names another connector: what was counted stays with the rule. */
  moveTo(bridge: string): void {
    this.#bridge = bridge;
  }

  /** Begins again from nothing. */
  reset(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#matched = 0;
    this.#retries = 0;
    this.#deadLetters = 0;
    Object.assign(this.#outcomes, { delivered: 0, filtered: 0, failed: 0, dropped: 0 });
    this.#reasons.clear();
  }

  /** What was counted, with what waits now. */
  metrics(waiting: Pick<RuleMetrics, 'lagRecords' | 'heldRecords' | 'spool'>): RuleMetrics {
    return {
      ...{ id: this.#id, bridge: this.#bridge, sinceMs: this.#sinceMs },
      ...{ matched: this.#matched, ...this.#outcomes },
      ...{ deadLetters: this.#deadLetters, retries: this.#retries },
      reasons: Object.fromEntries(this.#reasons),
      ...waiting,
    };
  }

  /** A meter for the rule: what it is told counts here as well. */
  over(meter: RuleMeter): RuleMeter {
    return {
      bridgeBatch: (bridge, records) => meter.bridgeBatch(bridge, records),
      bridgeEndToEnd: (bridge, direction, seconds) =>
        meter.bridgeEndToEnd(bridge, direction, seconds),
      bridgeProduceDuration: (bridge, seconds) => meter.bridgeProduceDuration(bridge, seconds),
      bridgeRebalanced: (bridge) => meter.bridgeRebalanced(bridge),
      bridgeRuleError: (rule, stage) => meter.bridgeRuleError(rule, stage),
      bridgeTransformed: (rule, seconds) => meter.bridgeTransformed(rule, seconds),
      bridgeRuleMatched: (rule) => {
        this.#matched += 1;
        meter.bridgeRuleMatched(rule);
      },
      bridgeRetried: (bridge) => {
        this.#retries += 1;
        meter.bridgeRetried(bridge);
      },
      bridgeDeadLetters: (bridge, records) => {
        this.#deadLetters += records;
        meter.bridgeDeadLetters(bridge, records);
      },
      bridgeRecords: (record) => {
        this.#count(record);
        meter.bridgeRecords(record);
      },
    };
  }

  #count({ outcome, reason, count }: BridgeRecordCount): void {
    this.#outcomes[outcome] += count;
    if (outcome === 'delivered' || outcome === 'filtered') return;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + count);
  }
}

import { PublishError, type BridgeRecordCount, type OutboundBridgeRule } from '#libs/broker-ports';
import type { AckGate } from './ack-gate.ts';
import type { BridgeContext } from './bridge-context.ts';
import { LABEL_OF } from './direction.ts';
import { Episode } from './episode.ts';
import { linkSpooled } from './spooled-span.ts';
import type { OutboundRecord } from './outbound-record.ts';
import type { Refusal } from './outbound-letters.ts';
import { stageOf } from './stage.ts';

type Outcome = BridgeRecordCount['outcome'];
type Reason = BridgeRecordCount['reason'];

/** Why a record is given up. */
export type Loss =
  Refusal | { readonly fault: 'shutdown' | 'expired' | 'timeout'; readonly detail: string };

/** Whether a record was refused for what it is, which is what dead letters are for. */
export function isRefusal(loss: Loss): loss is Refusal {
  const { fault } = loss;
  return fault !== 'shutdown' && fault !== 'expired' && fault !== 'timeout';
}

const LOST = 'bridge-dead-letters-lost';
const FULL: ReadonlySet<Reason> = new Set<Reason>(['buffer_full', 'spool_full']);

/**
 * The one place where records of a rule are done with, whichever way they went: it counts, answers publishers and logs.
 *
 * @remarks Troubles that come record by record are told once for each reason, until there were none for a while.
 */
export class RecordFates {
  readonly #rule: Pick<OutboundBridgeRule, 'id' | 'direction'>;
  readonly #context: BridgeContext;
  /** By what is told and why. */
  readonly #troubles = new Map<string, Episode>();

  constructor(rule: OutboundBridgeRule, context: BridgeContext) {
    this.#rule = rule;
    this.#context = context;
  }

  /** What is wrong with the dead letters, while some are lost. */
  get fault(): string | undefined {
    for (const [name, { cause }] of this.#troubles) {
      if (name.startsWith(LOST) && cause !== undefined) return `dead letters are lost: ${cause}`;
    }
    return undefined;
  }

  /** The other side has a batch. */
  delivered(records: readonly OutboundRecord[], seconds: number): void {
    const { meter, bridge, clock, tracer } = this.#context;
    const nowMs = clock.nowMs();
    meter.bridgeProduceDuration(bridge, seconds);
    meter.bridgeBatch(bridge, records.length);
    let letters = 0;
    for (const record of records) {
      const { letter, timestampMs, gate, span } = record;
      if (span !== undefined) span.end();
      else if (tracer !== undefined) linkSpooled(tracer, record, this.#rule.id);
      if (letter === undefined) {
        const ageSeconds = Math.max(0, nowMs - timestampMs) / 1_000;
        meter.bridgeEndToEnd(bridge, LABEL_OF[this.#rule.direction], ageSeconds);
      } else {
        letters += 1;
        this.count('failed', letter.fault);
      }
      gate?.release();
    }
    if (letters > 0) meter.bridgeDeadLetters(bridge, letters);
    if (letters < records.length) this.count('delivered', 'ok', records.length - letters);
  }

  /** A record was not even taken. */
  refused({ gate, span }: Pick<OutboundRecord, 'gate' | 'span'>, reason: Reason): void {
    span?.end(reason);
    this.count(gate === undefined ? 'dropped' : 'failed', reason);
    const code = FULL.has(reason) ? 'QUOTA_EXCEEDED' : 'BRIDGE_UNAVAILABLE';
    gate?.release(new PublishError(code, `the bridge did not take the message: ${reason}`));
  }

  /** A record can never be carried. If it has a dead letter, its fate is that of the letter. */
  poisoned(refusal: Refusal, target: string, hasLetter: boolean): void {
    this.#context.meter.bridgeRuleError(this.#rule.id, stageOf(refusal.fault, 'produce'));
    this.#tell(hasLetter ? 'bridge-dead-letters' : 'bridge-records-failed', refusal, target);
  }

  /** A record is given up. */
  lost({ letter, gate, target, span }: OutboundRecord, loss: Loss): void {
    span?.end(loss.fault);
    if (loss.fault === 'expired') {
      this.count('dropped', 'expired');
    } else if (letter === undefined || !isRefusal(loss)) {
      this.count('failed', loss.fault);
    } else {
      this.count('dropped', 'dead_letter');
      this.#tell(LOST, loss, target);
    }
    this.unanswered(gate, loss.fault);
  }

  /** A record stays in the spool, or is given up: its publisher may not rely on it. */
  unanswered(gate: AckGate | undefined, reason: string): void {
    const text = `the bridge did not deliver the message: ${reason}`;
    gate?.release(new PublishError('BRIDGE_UNAVAILABLE', text));
  }

  /** So many records at most were lost in the spool. */
  damaged(records: number): void {
    this.#context.meter.bridgeRuleError(this.#rule.id, 'spool');
    this.count('dropped', 'spool_damaged', records);
  }

  /** Counts records that are done with. */
  count(outcome: Outcome, reason: Reason, count = 1): void {
    const { meter, bridge } = this.#context;
    const direction = LABEL_OF[this.#rule.direction];
    meter.bridgeRecords({ bridge, direction, outcome, reason, count });
  }

  /** Looks which troubles are over. */
  sweep(nowMs: number): void {
    for (const trouble of this.#troubles.values()) trouble.sweep(nowMs);
  }

  #tell(event: string, { fault, detail }: Loss, target: string): void {
    const name = `${event} ${fault}`;
    const trouble = this.#troubles.get(name) ?? this.#episode(event, fault);
    this.#troubles.set(name, trouble);
    trouble.seen(this.#context.clock.monotonicMs(), `${target}: ${detail}`);
    // Nothing says that it is over but that it does not come again.
    trouble.passed();
  }

  #episode(event: string, fault: Loss['fault']): Episode {
    const { log } = this.#context;
    const { id: rule } = this.#rule;
    return new Episode({
      begin: (error) => log.warn(event, { rule, fault, error }),
      end: () => log.info(`${event}-over`, { rule, fault }),
    });
  }
}

import { SpoolDamageError, SpoolError, type SpoolEntry, type SpoolLog } from '#libs/broker-ports';
import type { RuleBridgeOptions } from './bridge-options.ts';
import { LABEL_OF } from './direction.ts';
import type { OutboundRule } from './outbound-rule.ts';

/** What is known of rules by now. */
export interface RuleKnowledge {
  /** The ids of all rules, those that do not run among them. */
  readonly known: ReadonlySet<string>;
  /** When rules were deleted, by id: milliseconds since 1970. Undefined until the list of all rules was there. */
  readonly removed: ReadonlyMap<string, number> | undefined;
}

const LOOK_MS = 60_000;
const PIECE_BYTES = 256 * 1024;

/**
 * What the spool holds of rules that this node does not know.
 *
 * @remarks A list of rules may be late or lost, and what is in the spool is acknowledged. So it is kept until its rule is there, the
 * rule was deleted by its id, or the records are too old. A deletion takes what was there when it was asked for: another rule
 * of the same id, which this node does not know yet, may have taken records since.
 */
export class SpoolLeftovers {
  readonly #options: RuleBridgeOptions;
  /** Resolves when the earlier versions of a rule are gone. */
  readonly #departed: (rule: string) => Promise<void>;
  #knowledge: RuleKnowledge = { known: new Set(), removed: undefined };
  /** Rules that were at work here when they were deleted: all that they have left goes. */
  readonly #ended = new Map<string, OutboundRule['rule']>();
  /** Rules of which it was told that their records wait. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isLookDue = false;

  constructor(options: RuleBridgeOptions, departed: (rule: string) => Promise<void>) {
    this.#options = options;
    this.#departed = departed;
  }

  /** Takes in what is known of rules by now. */
  know(knowledge: RuleKnowledge): void {
    this.#knowledge = knowledge;
    for (const id of knowledge.known) this.#ended.delete(id);
  }

  /** Whether a rule at work is to end because it was deleted; if so, what it leaves goes. */
  ends({ rule, sinceMs }: OutboundRule): boolean {
    const { known, removed } = this.#knowledge;
    // A store that was set back may tell of the deletion of an earlier rule of this id.
    if (known.has(rule.id) || (removed?.get(rule.id) ?? -Infinity) < sinceMs) return false;
    this.#ended.set(rule.id, rule);
    return true;
  }

  /** Looks through what is left, now and from now on. */
  look(): void {
    if (this.#knowledge.removed === undefined) return;
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
    this.#isLookDue = true;
    if (!this.#isLooking) void this.#lookAll();
  }

  /** How many records, from the first on, another node need not keep for a rule that is not known. */
  forgettable(rule: string, entries: readonly SpoolEntry[]): number {
    const keptFromMs = this.#keptFromMs(rule);
    const kept = entries.findIndex(({ atMs }) => atMs >= keptFromMs);
    return kept === -1 ? entries.length : kept;
  }

  /** Ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#knowledge = { ...this.#knowledge, removed: undefined };
  }

  #keptFromMs(rule: string): number {
    const { spool, clock } = this.#options;
    const { known, removed } = this.#knowledge;
    if (spool === undefined || removed === undefined || known.has(rule)) return -Infinity;
    const tooOldMs = clock.nowMs() - spool.limits.ageSecondsMax * 1_000;
    return Math.max(tooOldMs, removed.get(rule) ?? -Infinity);
  }

  async #lookAll(): Promise<void> {
    const { spool, meter } = this.#options;
    if (spool === undefined) return;
    this.#isLooking = true;
    while (this.#isLookDue) {
      this.#isLookDue = false;
      let waiting = 0;
      for (const rule of spool.spool.rules()) {
        if (await this.#isUnclaimed(rule))
          waiting += await this.#lookAt(rule, spool.spool.open(rule));
        else this.#told.delete(rule);
      }
      meter.bridgeSpoolUnclaimed(waiting);
    }
    this.#isLooking = false;
  }

  async #isUnclaimed(rule: string): Promise<boolean> {
    if (this.#knowledge.known.has(rule)) return false;
    await this.#departed(rule);
    const { known, removed } = this.#knowledge;
    return removed !== undefined && !known.has(rule);
  }

  /** Removes what need not be kept of a log; how many records stay. */
  async #lookAt(rule: string, spoolLog: SpoolLog): Promise<number> {
    const { log } = this.#options;
    const { records, bytes } = spoolLog;
    try {
      const isEmpty = this.#ended.has(rule) || (await this.#forget(rule, spoolLog));
      if (this.#knowledge.known.has(rule)) return 0;
      if (isEmpty) await this.#remove(rule);
      const gone = isEmpty ? records : records - spoolLog.records;
      if (gone > 0) log.warn('bridge-spool-removed', { rule, records: gone, bytes });
      if (isEmpty) return 0;
      if (!this.#told.has(rule)) {
        log.warn('bridge-spool-unclaimed', {
          rule,
          records: spoolLog.records,
          bytes: spoolLog.bytes,
        });
      }
      this.#told.add(rule);
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      log.error('bridge-spool-failed', { rule, error: error.message });
    }
    return spoolLog.records;
  }

  /** Releases what need not be kept; whether that was all. */
  async #forget(rule: string, spoolLog: SpoolLog): Promise<boolean> {
    for (;;) {
      const entries = await this.#read(rule, spoolLog);
      if (entries === undefined) continue;
      if (this.#knowledge.known.has(rule)) return false;
      const last = entries[this.forgettable(rule, entries) - 1];
      if (last !== undefined) spoolLog.release(last.sequence);
      if (last !== entries.at(-1)) return false;
      if (last === undefined) return true;
    }
  }

  /** Reads a piece of a log; what is damaged is passed over, and undefined. */
  async #read(rule: string, spoolLog: SpoolLog): Promise<readonly SpoolEntry[] | undefined> {
    const { first: from } = spoolLog;
    try {
      return await spoolLog.read(from, PIECE_BYTES);
    } catch (error) {
      if (!(error instanceof SpoolDamageError)) throw error;
      const { upTo, message } = error;
      const lost = { records: upTo - from + 1, from, upTo, error: message };
      this.#options.log.error('bridge-spool-damaged', { rule, ...lost });
      spoolLog.release(upTo);
      return undefined;
    }
  }

  async #remove(rule: string): Promise<void> {
    const { spool, meter } = this.#options;
    const ended = this.#ended.get(rule);
    const count = spool?.spool.open(rule).records ?? 0;
    await spool?.spool.remove(rule);
    this.#ended.delete(rule);
    this.#told.delete(rule);
    if (ended === undefined || count === 0) return;
    const [bridge, direction] = [ended.bridge, LABEL_OF[ended.direction]];
    meter.bridgeRecords({ bridge, direction, outcome: 'dropped', reason: 'rule_removed', count });
  }
}

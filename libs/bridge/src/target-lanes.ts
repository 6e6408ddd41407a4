import { ENDED, isLate, Lane, type LaneOptions } from './lane.ts';
import { laneOf } from './murmur2.ts';
import type { OutboundRecord } from './outbound-record.ts';

/** What all lanes of a target work with. */
type LanesOptions = Omit<LaneOptions, 'target' | 'lane' | 'returned'>;

/**
 * The lanes of one target of a sink.
 *
 * @remarks While the lane count is unknown, or while lanes of an older count still hold records, records wait in the order
 * of arrival: the same key under two counts may mean two lanes, and the newer record could overtake.
 */
export class TargetLanes {
  /** When the lane count is to be asked for again. */
  lookupDueMs = 0;
  readonly target: string;
  readonly #laneOptions: LanesOptions;
  #held: OutboundRecord[] = [];
  /** What lanes held that are gone: it came before all that is held. */
  #returned: OutboundRecord[] = [];
  #lanes = new Map<number, Lane>();
  #count = 0;
  #nextCount = 0;
  /** Since when the target has not existed. */
  #unknownSinceMs: number | undefined;

  constructor(target: string, laneOptions: LanesOptions) {
    this.target = target;
    this.#laneOptions = laneOptions;
  }

  /** Whether the target was ever found. */
  get known(): boolean {
    return this.#nextCount > 0;
  }

  /** Whether no record is here. */
  get idle(): boolean {
    return this.#held.length === 0 && this.#returned.length === 0 && this.#drained;
  }

  push(record: OutboundRecord): void {
    if (this.#count === 0 || this.#count !== this.#nextCount) this.#held.push(record);
    else this.#lane(this.#laneOf(record)).push(record);
  }

  /** Takes a lane count; a changed one comes into force when the lanes have drained, or have returned what they hold. */
  open(count: number): void {
    this.#nextCount = count;
    for (const [index, lane] of this.#lanes) if (index >= count) lane.abandon();
    this.#unknownSinceMs = undefined;
    this.settle();
  }

  /** To be called when records are done with: a waiting lane count may come into force. */
  settle(): void {
    if (this.#count === this.#nextCount || !this.#drained) return;
    this.#count = this.#nextCount;
    this.#lanes.clear();
    for (const record of this.#takeHeld()) this.push(record);
  }

  /** The target does not exist: takes out the held records that have waited for it for too long. */
  takeExpired(): readonly OutboundRecord[] {
    const { clock, limits } = this.#laneOptions;
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    const unknownMs = monotonicMs - (this.#unknownSinceMs ??= monotonicMs);
    const kept = this.#held.findIndex(
      ({ timestampMs }) => Math.min(unknownMs, nowMs - timestampMs) <= limits.ackTimeoutMs,
    );
    return this.#held.splice(0, kept === -1 ? this.#held.length : kept);
  }

  /** Takes out the held records that have become too old, whatever it is that they wait for. */
  takeOld(): readonly OutboundRecord[] {
    const { clock, limits } = this.#laneOptions;
    const { ageMsMax } = limits;
    if (ageMsMax === undefined) return [];
    const nowMs = clock.nowMs();
    const kept = this.#held.findIndex(({ timestampMs }) => nowMs - timestampMs <= ageMsMax);
    return this.#held.splice(0, kept === -1 ? this.#held.length : kept);
  }

  /** Takes out what its publishers will send again, unless an attempt was begun with it or the other side has no such target. */
  takeLate(): readonly OutboundRecord[] {
    const late = this.#unknownSinceMs === undefined ? this.#held.filter(isLate) : [];
    if (late.length > 0) this.#held = this.#held.filter((record) => !isLate(record));
    for (const lane of this.#lanes.values()) late.push(...lane.takeLate());
    return late;
  }

  /** Gives up everything. */
  close(): void {
    const held = this.#takeHeld();
    if (held.length > 0) this.#laneOptions.events.failed(held, ENDED);
    for (const lane of this.#lanes.values()) lane.close();
  }

  #takeHeld(): readonly OutboundRecord[] {
    const held = [...this.#returned, ...this.#held];
    this.#returned = [];
    this.#held = [];
    return held;
  }

  get #drained(): boolean {
    for (const lane of this.#lanes.values()) if (lane.size > 0) return false;
    return true;
  }

  #laneOf({ key, lane }: OutboundRecord): number {
    return lane === undefined ? laneOf(key, this.#count) : lane % this.#count;
  }

  #lane(index: number): Lane {
    let lane = this.#lanes.get(index);
    if (lane === undefined) {
      lane = new Lane({
        ...this.#laneOptions,
        target: this.target,
        lane: index,
        returned: (records) => {
          this.#returned.push(...records);
          this.settle();
        },
      });
      this.#lanes.set(index, lane);
    }
    return lane;
  }
}

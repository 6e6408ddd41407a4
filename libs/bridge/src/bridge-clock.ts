/** The two clocks of a bridge. */
export interface BridgeClock {
  /** The wall clock, for the times of records and how old they are: milliseconds since 1970. It may be set back. */
  readonly nowMs: () => number;
  /** Milliseconds of a clock that never goes back, for deadlines, pauses and durations. */
  readonly monotonicMs: () => number;
}

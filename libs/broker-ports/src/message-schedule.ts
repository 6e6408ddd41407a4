/** A message that is published at its times, as it is stored. */
export interface MessageSchedule {
  readonly id: string;
  /** The encoded message in base64: what is published at each time. */
  readonly message: string;
  /** Undefined: once. */
  readonly cron?: string;
  readonly createdAtMs: number;
  /** The next time, in milliseconds since 1970; undefined when there is none. */
  readonly nextAtMs?: number;
  /** The time before. */
  readonly lastAtMs?: number;
  /** How many times have come. It tells the message of one time from that of another. */
  readonly count: number;
}

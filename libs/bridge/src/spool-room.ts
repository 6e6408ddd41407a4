import { SpoolError, type SpoolLog } from '#libs/broker-ports';

/** What room is made of and who is told. */
export interface SpoolRoomOptions {
  readonly spoolLog: SpoolLog;
  /** Most bytes that the rule takes of the spool. */
  readonly bytesMax: number;
  /** The first sequence that is not on its way to the sink, or there: such records stay when room is made. */
  readonly next: () => number;
  /** So many records were dropped. */
  readonly dropped: (records: number) => void;
  readonly failed: (error: SpoolError) => void;
}

/** How much room is made at a time, at most: an eighth of what the rule has there, or this. */
const STEP_BYTES_MAX = 1024 * 1024;

/** The room of one rule in the spool. */
export class SpoolRoom {
  readonly #options: SpoolRoomOptions;
  /** Room that will be there in a moment, and counts. */
  #making = 0;

  constructor(options: SpoolRoomOptions) {
    this.#options = options;
  }

  /** Whether records are being dropped. */
  get isBeingMade(): boolean {
    return this.#making > 0;
  }

  /** Whether the rule may take so many bytes more. */
  has(bytes: number): boolean {
    const { spoolLog, bytesMax } = this.#options;
    return spoolLog.bytes - this.#making + bytes <= bytesMax;
  }

  /** Makes room for so many bytes by dropping the oldest records of the rule; false when it has not so much. */
  make(bytes: number): boolean {
    const { spoolLog } = this.#options;
    const left = spoolLog.bytes - this.#making;
    if (left < bytes) return false;
    void this.#drop(Math.max(bytes, Math.min(STEP_BYTES_MAX, Math.ceil(left / 8))));
    return true;
  }

  async #drop(bytes: number): Promise<void> {
    const { spoolLog, next, dropped, failed } = this.#options;
    this.#making += bytes;
    try {
      const { records } = await spoolLog.dropOldest(bytes, next);
      dropped(records);
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      failed(error);
    } finally {
      this.#making -= bytes;
    }
  }
}

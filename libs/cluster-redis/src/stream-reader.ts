import type { Redis } from 'ioredis';
import { StoreUnavailableError } from '#libs/broker-ports';
import { unavailable } from './cluster-commands.ts';
import { BLOCK_MS } from './connections.ts';
import { parseEntries, type StreamEntry } from './stream-entry.ts';
import { delayOf, type Timers } from './timers.ts';

const RETRY_MS = 100;
const OLDEST = '0-0';

/** What a StreamReader needs. */
export interface StreamReaderOptions {
  /** Reads what is after an entry; waits a while if there is nothing yet. */
  readonly read: (after: string) => Promise<readonly StreamEntry[]>;
  readonly timers: Timers;
  /** Resolves when more entries may come. */
  readonly room?: () => Promise<void>;
  /** Takes entries in their order. If it rejects with a StoreUnavailableError the same entries come again. */
  readonly handle: (entries: readonly StreamEntry[]) => Promise<void>;
}

/**
 * Follows a stream from a position on, for ever, across every loss of the connection.
 *
 * @remarks An error of the handler other than StoreUnavailableError is a bug and ends the process.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  #after = OLDEST;
  /** Whether rewind() has come since what is at hand was asked for. */
  #rewound = false;
  #stopped = false;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
  }

  /** Begins after an entry. */
  start(after: string): void {
    this.#after = after;
    void this.#follow();
  }

  /** Goes on with the oldest entry instead of the next one: what was not removed comes again. */
  rewind(): void {
    this.#after = OLDEST;
    this.#rewound = true;
  }

  /** Ends after the handler that is at work, if there is one. */
  stop(): void {
    this.#stopped = true;
  }

  async #follow(): Promise<void> {
    const { read, room, handle, timers } = this.#options;
    while (!this.#stopped) {
      try {
        await room?.();
        const after = this.#after;
        const entries = await read(after);
        this.#rewound = this.#after !== after;
        const last = entries.at(-1);
        if (last === undefined || this.#stopped) continue;
        await handle(entries);
        if (!this.#rewound) this.#after = last.id;
      } catch (error) {
        if (this.#stopped) return;
        if (!(error instanceof StoreUnavailableError)) throw error;
        await delayOf(timers, RETRY_MS);
      }
    }
  }
}

/** A stream in Redis, to be read by a StreamReader. */
export interface StreamSource {
  /** A connection of its own: reads block it. */
  readonly redis: Redis;
  readonly key: string;
  /** Entries per read, at most. */
  readonly count: number;
}

/** Reads entries of a stream after one, and waits for them if there are none. */
export async function readStream(
  { redis, key, count }: StreamSource,
  after: string,
): Promise<StreamEntry[]> {
  try {
    const reply: unknown = await redis.callBuffer(
      'XREAD',
      ...['COUNT', String(count), 'BLOCK', String(BLOCK_MS), 'STREAMS', key, after],
    );
    const streams = Array.isArray(reply) ? (reply as unknown[]) : [];
    const [stream] = streams;
    return Array.isArray(stream) ? parseEntries(stream[1]) : [];
  } catch (cause) {
    throw unavailable('inbox_read', cause);
  }
}

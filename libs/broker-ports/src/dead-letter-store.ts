/** A header of a dead letter: a text, texts of headers of one name, or bytes in base64. */
export type DeadLetterHeader = string | readonly string[] | { readonly base64: string };

/** A record that could not be carried, and why: plain JSON, so bytes are base64. */
export interface DeadLetter {
  readonly bridge: string;
  readonly rule: string;
  /** Where it failed: see BridgeStage. */
  readonly stage: string;
  /** In a word, as metrics call it. */
  readonly reason: string;
  /** In words. */
  readonly error: string;
  /** Where it should have gone; absent when that is not known. */
  readonly target?: string;
  readonly key: string;
  readonly value: string;
  /** How long the value was before it was cut; absent when it was not. */
  readonly valueBytes?: number;
  /** Those of the record, without the bridge's own. */
  readonly headers: Readonly<Record<string, DeadLetterHeader>>;
  /** The time of the record: milliseconds since 1970. */
  readonly recordAtMs: number;
}

/** A dead letter as it is kept. */
export interface KeptDeadLetter extends DeadLetter {
  /** In the order in which letters came. */
  readonly id: string;
  /** When it came: milliseconds since 1970. */
  readonly atMs: number;
}

/** How much is kept, of all rules of all nodes together: what is older, or more, goes, the oldest first. */
export interface DeadLetterBounds {
  readonly lettersMax: number;
  /** As they are stored, in JSON. */
  readonly bytesMax: number;
  readonly ageMsMax: number;
}

/** Bounds for a node that was told none. */
export const DEAD_LETTER_BOUNDS_USUAL: DeadLetterBounds = {
  lettersMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  ageMsMax: 7 * 86_400_000,
};

/** Which part of them, the earliest first. */
export interface DeadLetterQuery {
  /** Those after this id, be it there or not. */
  readonly after?: string | undefined;
  /** Those that came at this time or later. */
  readonly fromMs?: number | undefined;
  readonly limit: number;
}

/** The dead letters of rules that have them kept by Skein itself, shared by the nodes of a cluster. */
export interface DeadLetterStore {
  /**
   * Keeps letters; they are durable when it resolves.
   *
   * @returns how many went for them, because they were too old or there were too many.
   */
  append(letters: readonly DeadLetter[]): Promise<number>;
  /** A part of them. Those that are too old are not among them. */
  page(query: DeadLetterQuery): Promise<readonly KeptDeadLetter[]>;
  /** One of them; undefined when there is none. */
  get(id: string): Promise<KeptDeadLetter | undefined>;
  /** Removes letters, and tells how many of them were there. */
  remove(ids: readonly string[]): Promise<number>;
  /** Ends the use. */
  close(): Promise<void>;
}

/** What the ids of dead letters look like: the milliseconds of their coming, and a number. */
export const DEAD_LETTER_ID = /^\d{1,15}-\d{1,15}$/;

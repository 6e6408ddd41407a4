/** A dead letter that Skein keeps; bytes are base64. */
export interface WireDeadLetter {
  /** In the order in which letters came. */
  readonly id: string;
  /** When it came: milliseconds since 1970. */
  readonly atMs: number;
  readonly bridge: string;
  readonly rule: string;
  readonly stage: string;
  readonly reason: string;
  readonly error: string;
  readonly target?: string | undefined;
  /** Empty when content was not asked for, as are value and headers. */
  readonly key: string;
  readonly value: string;
  /** How long the value is, or was before it was cut. */
  readonly valueBytes: number;
  readonly isCut: boolean;
  readonly headers: Readonly<
    Record<string, string | readonly string[] | { readonly base64: string }>
  >;
  readonly recordAtMs: number;
}

/** Which dead letters; all conditions must hold. */
export interface WireDeadLetterQuery {
  readonly bridge?: string | undefined;
  readonly rule?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** What became of a dead letter that was to be replayed. `pending`: its rule has it, and the other side not yet. */
export interface WireReplay {
  readonly id: string;
  readonly outcome:
    'replayed' | 'pending' | 'absent' | 'idle' | 'cut' | 'filtered' | 'unreadable' | 'failed';
  /** Why it has failed. */
  readonly detail?: string | undefined;
}

/** What the API asks of a node about dead letters. Any node can answer. */
export type DeadLetterCommand =
  | {
      readonly kind: 'dead-letters';
      readonly query: WireDeadLetterQuery;
      readonly after?: string | undefined;
      readonly limit: number;
      /** Whether key, value and headers are wanted. */
      readonly content: boolean;
    }
  /** Removes those of a query, or only counts them; a bounded number per call. */
  | {
      readonly kind: 'remove-dead-letters';
      readonly query: WireDeadLetterQuery;
      readonly dryRun: boolean;
    }
  /** Gives letters back to their rules; one that is stored then is removed, also when that is after the answer. */
  | {
      readonly kind: 'replay-dead-letters';
      readonly ids: readonly string[];
      readonly withinMs: number;
    };

/** The answers by kind of command. */
export interface DeadLetterAnswers {
  readonly 'dead-letters': {
    readonly items: readonly WireDeadLetter[];
    /** Where to go on; absent at the end. There may be fewer items than asked for, or none, and more behind. */
    readonly next?: string | undefined;
  };
  readonly 'remove-dead-letters': { readonly removed: number; readonly hasMore: boolean };
  readonly 'replay-dead-letters': { readonly results: readonly WireReplay[] };
}

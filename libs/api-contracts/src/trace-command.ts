/** A trace as nodes know it. */
export interface WireTrace {
  readonly id: string;
  readonly clientId?: string | undefined;
  /** A filter. */
  readonly topic?: string | undefined;
  /** An address or a network. */
  readonly ip?: string | undefined;
  /** In which form payloads are recorded. */
  readonly payload: 'none' | 'text' | 'base64';
  readonly untilMs: number;
  readonly isStopped: boolean;
  /** Most bytes of records that a node keeps of it. */
  readonly bytesMax: number;
  /** Most records a second. */
  readonly perSecond: number;
}

/** Where a reader of a trace is at a node: a number that counts in one life of the node's process. */
export interface WireTracePosition {
  readonly life: number;
  readonly number: number;
}

/** What the API asks of a node about traces. */
export type TraceCommand =
  /** All traces that there are: those that run are begun, others end, and those that are missing are forgotten. */
  | { readonly kind: 'sync-traces'; readonly traces: readonly WireTrace[] }
  | {
      readonly kind: 'trace-content';
      readonly id: string;
      readonly after?: WireTracePosition | undefined;
      /** How long the node waits if there is nothing yet and the trace runs. */
      readonly waitMs: number;
    };

/** The answers by kind of command. */
export interface TraceAnswers {
  readonly 'sync-traces': Readonly<Record<string, never>>;
  readonly 'trace-content':
    | { readonly kind: 'unknown' }
    | {
        readonly kind: 'content';
        /** Each a JSON object. */
        readonly lines: readonly string[];
        readonly position: WireTracePosition;
        /** How many records after the position asked for are gone. */
        readonly lost: number;
        /** Records that the trace has had at this node in this life of it. */
        readonly recorded: number;
        /** Records that came faster than they are taken. */
        readonly capped: number;
        readonly isOver: boolean;
        /** Whether there is more than these lines. */
        readonly hasMore: boolean;
      };
}

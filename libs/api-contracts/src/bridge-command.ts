/** What a rule has counted on one node, and what waits there. */
export interface WireRuleMetrics {
  readonly id: string;
  readonly bridge: string;
  /** When counting began: milliseconds since 1970. */
  readonly sinceMs: number;
  readonly matched: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly failed: number;
  readonly dropped: number;
  readonly deadLetters: number;
  readonly retries: number;
  /** Records that failed or were dropped, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly lagRecords: number;
  readonly heldRecords: number;
  readonly spool?: { readonly records: number; readonly bytes: number } | undefined;
}

/** What the API asks of a node about bridges at work. */
export type BridgeCommand =
  | { readonly kind: 'restart-bridge'; readonly id: string }
  | { readonly kind: 'bridge-metrics' }
  /** The ids of all rules, if the order in force has this revision. */
  | { readonly kind: 'order-rules'; readonly ids: readonly string[]; readonly revision: number }
  /** Sets back what the rules of a bridge have counted on the node. */
  | { readonly kind: 'reset-bridge-metrics'; readonly id: string };

/** The answers by kind of command. */
export interface BridgeAnswers {
  readonly 'restart-bridge': { readonly kind: 'restarting' | 'stopped' | 'absent' };
  readonly 'bridge-metrics': { readonly rules: readonly WireRuleMetrics[] };
  readonly 'reset-bridge-metrics': Readonly<Record<string, never>>;
  readonly 'order-rules':
    | { readonly kind: 'stored'; readonly revision: number }
    | { readonly kind: 'conflict' }
    | { readonly kind: 'invalid'; readonly detail: string };
}

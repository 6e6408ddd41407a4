/** A drain of a node. */
export interface WireDrain {
  /** What it belongs to. */
  readonly id?: string | undefined;
  readonly kind: 'drain' | 'rebalance' | 'shutdown' | 'listener';
  /** `drained`: nobody is left, and clients that come are turned away. */
  readonly state:
    'waiting' | 'shedding' | 'settling' | 'drained' | 'completed' | 'stopped' | 'aborted';
  readonly connectionsPerSecond: number;
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
  /** Clients that were to go. */
  readonly total: number;
  readonly gone: number;
  readonly remaining: number;
  readonly detail?: string | undefined;
}

/** How to send clients away; what is absent is as configured. */
export interface WireDrainRequest {
  readonly id?: string | undefined;
  readonly kind: 'drain' | 'rebalance';
  readonly connectionsPerSecond?: number | undefined;
  readonly waitSeconds?: number | undefined;
  readonly settleSeconds?: number | undefined;
  readonly serverReference?: string | undefined;
  readonly deadlineSeconds?: number | undefined;
  /** How many clients stay. */
  readonly keep?: number | undefined;
  /** Nodes without which it goes no further. */
  readonly needs?: readonly string[] | undefined;
  /** Whether to begin although no other node serves clients. */
  readonly evenIfLast?: boolean | undefined;
}

/** What the API asks of a node about sending its clients away. */
export type DrainCommand =
  | { readonly kind: 'start-drain'; readonly request: WireDrainRequest }
  /** The present one, or the latest of each kind that the API can start. */
  | { readonly kind: 'drains' }
  /** Only one with this id, if it is given. */
  | { readonly kind: 'stop-drain'; readonly of: 'drain' | 'rebalance'; readonly id?: string }
  | { readonly kind: 'drain-skip' }
  /** For so long from now on; 0 takes it back. */
  | { readonly kind: 'set-drain-skip'; readonly seconds: number }
  | { readonly kind: 'maintenance' }
  | { readonly kind: 'set-maintenance'; readonly on: boolean };

const DRAIN_KINDS: ReadonlySet<string> = new Set<DrainCommand['kind']>([
  'start-drain',
  'drains',
  'stop-drain',
  'drain-skip',
  'set-drain-skip',
  'maintenance',
  'set-maintenance',
]);

/** Whether a command is of this group. */
export function isDrainCommand(command: { readonly kind: string }): command is DrainCommand {
  return DRAIN_KINDS.has(command.kind);
}

/** The answers by kind of command. */
export interface DrainAnswers {
  /** Undefined when another one is under way, or no other node serves clients. */
  readonly 'start-drain': {
    readonly drain?: WireDrain | undefined;
    readonly isLast?: boolean | undefined;
  };
  readonly drains: { readonly drains: readonly WireDrain[] };
  readonly 'stop-drain': { readonly found: boolean };
  readonly 'drain-skip': { readonly untilMs?: number | undefined };
  readonly 'set-drain-skip': { readonly untilMs?: number | undefined };
  readonly maintenance: { readonly sinceMs?: number | undefined };
  readonly 'set-maintenance': { readonly sinceMs?: number | undefined };
}

import type {
  Connector,
  InjectedMessage,
  Log,
  Meter,
  PublishDone,
  Tracer,
} from '#libs/broker-ports';
import type { BridgeClock } from './bridge-clock.ts';
import type { ClientMoves } from './client-moves.ts';
import type { InboundLimits } from './inbound-message.ts';
import type { LetterKeeper } from './kept-letters.ts';
import type { LaneLimits } from './lane.ts';
import type { SinkFactory } from './sink.ts';
import type { SourceFactory } from './source.ts';
import type { BridgeSpool } from './spool-limits.ts';

/** What holds for every connector. */
export interface BridgeLimits extends LaneLimits {
  /** Most bytes waiting for one connector, all its rules together: one that is away takes no room from the others. */
  readonly bufferBytesMax: number;
}

/** What a bridge needs of its node. */
export interface RuleBridgeOptions {
  /** Those that are there before apply() names others. */
  readonly connectors: readonly Connector[];
  /** One of each kind there is. */
  readonly sinks: readonly SinkFactory[];
  /** One of each kind that can be consumed from. */
  readonly sources: readonly SourceFactory[];
  readonly limits: BridgeLimits;
  /** What rules of `ack: spool` need. It may come until the first rules do. The bridge does not close it. */
  readonly spool?: BridgeSpool | undefined;
  /** Where dead letters of rules with `keepDeadLetters` go; without it no rule may have that. */
  readonly letters?: LetterKeeper | undefined;
  /** Keeps the order of clients that change nodes. */
  readonly moves?: ClientMoves | undefined;
  /** What a consumed record may become; one that would be more is skipped. */
  readonly messageLimits: InboundLimits;
  /** Gives a consumed message to the publish pipeline; `done` without an error commits its record. */
  readonly inject: (message: InjectedMessage, done: PublishDone) => void;
  /** The user name of a client of this node, for expressions of rules. */
  readonly usernameOf?: ((clientId: string) => string | undefined) | undefined;
  /** Whether a session somewhere may be subscribed to a topic that a filter matches: rules may wait for one. */
  readonly mayWant?: ((filter: string) => boolean) | undefined;
  /** Whether the node has so much to do that nothing should be consumed meanwhile. */
  readonly isBehind?: (() => boolean) | undefined;
  /** Without it nothing is traced. */
  readonly tracer?: Tracer | undefined;
  readonly clock: BridgeClock;
  readonly log: Log;
  readonly meter: Meter;
}

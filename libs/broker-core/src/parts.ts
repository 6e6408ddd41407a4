import type { Authenticator, ChangingDirectory, ClientIdRule } from '#libs/access';
import type {
  BridgeMoves,
  ClusterBus,
  DelayedStore,
  ExclusiveStore,
  Hub,
  Log,
  Meter,
  NodeEvents,
  RetainedStore,
  SessionStore,
  Tracer,
} from '#libs/broker-ports';
import type { ListenerRules } from '#libs/mqtt-engine';
import type { BoundParts } from './abuse/bounds.ts';
import type { FlappingSettings } from './abuse/flapping.ts';
import type { AccessParts } from './access-parts.ts';
import type { BanParts } from './bans.ts';
import type { CoreLimits } from './limits.ts';
import type { ShareStrategy } from './share-group.ts';
import type { TopicSettings } from './topic-settings.ts';
import type { Tracing } from './tracing.ts';

/** Delayed publish: where messages wait, and the bounds. Each is a key of the section `delayed` of the configuration. */
export interface DelayedParts {
  readonly store: DelayedStore;
  /** The longest delay; a longer one is refused with 0x90. */
  readonly secondsMax: number;
  /** Most messages that wait in the cluster; one more is refused with 0x97. */
  readonly messagesMax: number;
  /** Most bytes of them. */
  readonly bytesMax: number;
}

/** What a node is built from: the ports, the limits, and time, randomness and scheduling as inputs. */
export interface NodeParts extends BoundParts {
  readonly hub: Hub;
  /** Knows the users; without it everybody may connect whom the hub's hook lets in. */
  readonly authenticator?: Authenticator | undefined;
  /** Which client ids clients may have; without it any. */
  readonly clientIds?: ClientIdRule | undefined;
  /** Those of its users who are changed while nodes run; without it there are none. */
  readonly storedUsers?: ChangingDirectory | undefined;
  /** Says who may publish and subscribe to what; without it the hub's hooks alone do. */
  readonly access?: AccessParts | undefined;
  /** Who may not connect; without it nobody is banned. */
  readonly bans?: BanParts | undefined;
  /** Who is banned for coming and going; without it, or without bans, nobody. */
  readonly flapping?: FlappingSettings | undefined;
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  /** Delayed publish; without it messages for `$delayed/` are refused. */
  readonly delayed?: DelayedParts | undefined;
  /** Exclusive subscriptions; without it they are refused. */
  readonly exclusive?: ExclusiveStore | undefined;
  readonly bus: ClusterBus;
  /** Keeps the order of records of clients that change nodes; without it nothing is bridged. */
  readonly moves?: BridgeMoves | undefined;
  readonly meter: Meter;
  /** Told of what administrators want to hear of; without it nobody is. */
  readonly events?: NodeEvents | undefined;
  /** The traces that run; without it there are none. */
  readonly tracing?: Tracing | undefined;
  /** Makes spans of connections and messages, for OpenTelemetry; without it there are none. */
  readonly tracer?: Tracer | undefined;
  readonly log: Log;
  readonly limits: CoreLimits;
  /** The rules of a listener, by its name. */
  readonly rulesOf: (listener: string) => ListenerRules;
  /** Where clients find another node when this one shuts down. */
  readonly serverReference: string | undefined;
  readonly shareStrategy: ShareStrategy;
  readonly topics: TopicSettings;
  readonly mode: 'embedded' | 'cluster';
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Makes a client id for a client that brought none. */
  readonly assignClientId: () => string;
  /** Runs a function after the input of this event-loop turn has been handled. */
  readonly defer: (run: () => void) => void;
}

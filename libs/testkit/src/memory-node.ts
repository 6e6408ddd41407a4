import type { Authenticator, ChangingDirectory, ClientIdRule } from '#libs/access';
import type {
  BridgeMoves,
  ClusterBus,
  ExclusiveStore,
  Hub,
  Meter,
  NodeEvents,
  OverloadLevel,
  RetainedStore,
  SessionStore,
  Tracer,
} from '#libs/broker-ports';
import {
  BrokerNode,
  type AccessParts,
  type BanParts,
  type CoreLimits,
  type DelayedParts,
  type FlappingSettings,
  type RateParts,
  type ShareStrategy,
  type TopicSettings,
  type Tracing,
  type UserQuotas,
} from '#libs/broker-core';
import { SingleNodeBus } from '#libs/cluster';
import type { ConnectPacket, ProtocolVersion } from '#libs/mqtt-codec';
import { OPEN_RULES, type ListenerRules } from '#libs/mqtt-engine';
import { countingMeter } from './counting-meter.ts';
import { fakeClock, type FakeClock } from './fake-clock.ts';
import { RecordingLog } from './logs.ts';
import { MemoryClient } from './memory-client.ts';
import { MemoryHub } from './memory-hub.ts';

/** Limits that no test meets by accident. */
export const WIDE_LIMITS: CoreLimits = {
  packetBytesMax: 1_048_576,
  connectTimeoutMs: 10_000,
  keepAliveSecondsMax: 0,
  receiveMaximum: 1000,
  inflightMax: 100,
  topicAliasMaximum: 10,
  topicAliasesSentMax: 10,
  queueMessagesMax: 10_000,
  queueBytesMax: 100_000_000,
  queueAgeSecondsMax: 0xffff_ffff,
  sessionExpirySecondsMax: 0xffff_ffff,
  persistentSessionMaxAgeSeconds: 86_400,
  subscriptionsMax: 1000,
  topicLevelsMax: 32,
  clientIdBytesMax: 1024,
  retainedMessagesMax: 1000,
  retainedMessageBytesMax: 65_536,
  retainedBytesMax: 100_000_000,
  sessionsMax: 1000,
  publishDeadlineMs: 30_000,
  socketBufferBytesMax: 65_536,
  unauthenticatedBytesMax: 65_536,
};

/** What a memory node is made of; stores are the test's to choose. */
export interface MemoryNodeOptions {
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  readonly delayed?: DelayedParts;
  readonly exclusive?: ExclusiveStore;
  readonly clock?: FakeClock;
  readonly hub?: Hub;
  readonly authenticator?: Authenticator;
  readonly clientIds?: ClientIdRule;
  readonly storedUsers?: ChangingDirectory;
  readonly access?: AccessParts;
  readonly bans?: BanParts;
  readonly flapping?: FlappingSettings;
  readonly bus?: ClusterBus;
  readonly moves?: BridgeMoves;
  readonly events?: NodeEvents;
  readonly tracing?: Tracing;
  readonly tracer?: Tracer;
  readonly limits?: Partial<CoreLimits>;
  readonly shareStrategy?: ShareStrategy;
  /** Nothing of the kind, and no `$SYS`, unless a test says so. */
  readonly topics?: Partial<TopicSettings>;
  /** The rules of each listener, or of all of them. */
  readonly rules?: Partial<ListenerRules> | ((listener: string) => Partial<ListenerRules>);
  readonly serverReference?: string;
  readonly rates?: RateParts;
  readonly quotas?: UserQuotas;
  readonly overload?: { readonly level: OverloadLevel };
}

/** A real node over memory: clients without a network, a clock moved by hand. */
export class MemoryNode {
  readonly node: BrokerNode;
  readonly clock: FakeClock;
  readonly hub: MemoryHub;
  readonly log = new RecordingLog();
  readonly counts: ReadonlyMap<string, number>;
  /** What was dropped, by reason. */
  readonly drops = new Map<string, number>();
  /** Connections that ended after their CONNACK, by reason. */
  readonly disconnects = new Map<string, number>();
  leasesLost = 0;
  /** Awaited by every route change of a node without a cluster: a test may hold or fail it. */
  announced: Promise<void> = Promise.resolve();

  constructor(options: MemoryNodeOptions) {
    this.clock = options.clock ?? fakeClock();
    this.hub = new MemoryHub();
    const { meter, counts } = countingMeter();
    this.counts = counts;
    const self = { nodeId: 'node-a', version: '1.0.0', startedAtMs: this.clock.now() };
    let assigned = 0;
    const parts = {
      hub: options.hub ?? this.hub,
      authenticator: options.authenticator,
      clientIds: options.clientIds,
      storedUsers: options.storedUsers,
      access: options.access,
      bans: options.bans,
      flapping: options.flapping,
      sessions: options.sessions,
      retained: options.retained,
      delayed: options.delayed,
      exclusive: options.exclusive,
      bus: options.bus ?? this.#aloneAs(self),
      moves: options.moves,
      meter: this.#recording(meter),
      log: this.log,
      events: options.events,
      tracing: options.tracing,
      tracer: options.tracer,
      limits: { ...WIDE_LIMITS, ...options.limits },
      rulesOf: (listener: string) => {
        const { rules } = options;
        return { ...OPEN_RULES, ...(typeof rules === 'function' ? rules(listener) : rules) };
      },
      serverReference: options.serverReference,
      rates: options.rates,
      quotas: options.quotas,
      overload: options.overload,
      shareStrategy: options.shareStrategy ?? ('least-inflight' as const),
      topics: { rewrite: [], autoSubscribe: [], sysIntervalSeconds: 0, ...options.topics },
      mode: options.bus === undefined ? ('embedded' as const) : ('cluster' as const),
      nowMs: this.clock.now,
      assignClientId: () => `assigned-${String((assigned += 1))}`,
      defer: (run: () => void) => void setImmediate(run),
    };
    this.node = new BrokerNode(parts, () => (this.leasesLost += 1));
  }

  /** A client that is not connected yet. */
  client(version?: ProtocolVersion, listener?: string): MemoryClient {
    return new MemoryClient((transport) => this.node.accept(transport), version, listener);
  }

  /** A client that has its CONNACK, whatever that says. */
  async connected(
    clientId: string,
    options: Partial<ConnectPacket> & { readonly version?: ProtocolVersion } = {},
  ): Promise<MemoryClient> {
    const { version, ...packet } = options;
    const client = this.client(version);
    await client.connect({ clientId, ...packet });
    return client;
  }

  /** Moves the clock and sweeps, as the node's owner does every second. */
  sweepAfter(ms: number): void {
    this.clock.advance(ms);
    this.node.sweep();
  }

  #aloneAs(self: ConstructorParameters<typeof SingleNodeBus>[0]): SingleNodeBus {
    const bus = new SingleNodeBus(self);
    bus.announceRoutes = () => this.announced;
    return bus;
  }

  #recording(meter: Meter): Meter {
    const deliveryDropped = (reason: string, count: number): void => {
      this.drops.set(reason, (this.drops.get(reason) ?? 0) + count);
    };
    const disconnected: Meter['disconnected'] = (listener, initiator, reason) => {
      this.disconnects.set(reason, (this.disconnects.get(reason) ?? 0) + 1);
      meter.disconnected(listener, initiator, reason);
    };
    const recorded = new Map<string | symbol, unknown>(
      Object.entries({ deliveryDropped, disconnected }),
    );
    const get = (target: Meter, name: string | symbol): unknown =>
      recorded.get(name) ?? target[name as keyof Meter];
    return new Proxy(meter, { get });
  }
}

/** Lets everything that is under way in memory come to rest: a fixed number of turns of the event loop. */
export async function quiet(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

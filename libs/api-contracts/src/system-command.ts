/** Names of the health checks of a node. */
export const HEALTH_CHECKS = [
  'ready-to-serve-clients',
  'listeners',
  'redis',
  'kafka',
  'cluster-quorum',
  'certificate-expiration',
  'below-connection-limit',
] as const;

/** The name of a health check. */
export type HealthCheckName = (typeof HEALTH_CHECKS)[number];

/** What a node says of itself for a health check. */
export interface WireHealthCheck {
  readonly name: HealthCheckName;
  readonly ok: boolean;
  /** What is wrong, or what was looked at. */
  readonly detail: string;
}

/** Something that Skein can do, and whether this node does it. */
export interface WireFeature {
  readonly name: string;
  readonly enabled: boolean;
}

/** A node in figures, beyond those of its status. */
export interface WireNodeStats {
  readonly uptimeMs: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  /** Of user and system since the start. */
  readonly cpuSeconds: number;
  readonly overloadLevel: number;
  readonly connections: readonly {
    readonly listener: string;
    /** The protocol level: 3, 4 or 5. */
    readonly version: 3 | 4 | 5;
    readonly count: number;
  }[];
  readonly sessions: readonly {
    readonly state: 'connected' | 'disconnected';
    readonly persistent: boolean;
    readonly count: number;
  }[];
  readonly subscriptions: {
    readonly plain: number;
    readonly wildcard: number;
    readonly shared: number;
  };
  readonly inflightIn: number;
  readonly inflightOut: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly slowConsumers: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  readonly delayedMessages: number;
  readonly delayedBytes: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
}

/** A metric of a node with its values. */
export interface WireMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly {
    /** Where it is not that of the metric, as of the buckets of a histogram. */
    readonly name?: string | undefined;
    readonly labels: Readonly<Record<string, string>>;
    /** Null for what is no number yet. */
    readonly value: number | null;
  }[];
}

/** A listener on a node. */
export interface WireListener {
  readonly name: string;
  readonly type: 'tcp' | 'ws' | 'tls' | 'wss';
  /** `stopping`: it accepts no more, and its clients are sent away. */
  readonly state: 'listening' | 'stopping' | 'stopped' | 'failed';
  readonly address: string;
  readonly connections: number;
  readonly connectionsMax: number;
  /** Why it has failed. */
  readonly lastError?: string | undefined;
}

/** A certificate that a listener shows to clients. */
export interface WireCertificate {
  readonly listener: string;
  /** The host names that clients ask for; empty for the one that all others get. */
  readonly names: readonly string[];
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** SHA-256 in hexadecimal digits. */
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A key of a node's configuration. */
export interface WireSetting {
  readonly path: string;
  /** Masked where it is secret; absent where the key is. */
  readonly value?: unknown;
  readonly default?: unknown;
  readonly source: 'default' | 'file' | 'environment' | 'flag' | 'api';
  /** Whom another value concerns while nodes run; absent where it wants a restart. */
  readonly hot?: 'all' | 'new-connections' | undefined;
  readonly unit?: string | undefined;
}

/** What the API asks of a node about itself as a part of the system. */
export type SystemCommand =
  | { readonly kind: 'node-health'; readonly certificatesWithinMs: number }
  | { readonly kind: 'node-features' }
  | { readonly kind: 'node-stats' }
  | { readonly kind: 'node-metrics' }
  | { readonly kind: 'node-config' }
  | { readonly kind: 'forget-node'; readonly nodeId: string }
  | { readonly kind: 'listeners' }
  | {
      readonly kind: 'switch-listener';
      readonly name: string;
      readonly action: 'start' | 'stop' | 'restart';
      /** Whether its clients are sent away when it has stopped. */
      readonly drain?: boolean;
    }
  | { readonly kind: 'certificates' }
  | { readonly kind: 'reload-certificates' };

const SYSTEM_KINDS: ReadonlySet<string> = new Set<SystemCommand['kind']>([
  'node-health',
  'node-features',
  'node-stats',
  'node-metrics',
  'node-config',
  'forget-node',
  'listeners',
  'switch-listener',
  'certificates',
  'reload-certificates',
]);

/** Whether a command is of this group. */
export function isSystemCommand(command: { readonly kind: string }): command is SystemCommand {
  return SYSTEM_KINDS.has(command.kind);
}

/** The answers by kind of command. */
export interface SystemAnswers {
  readonly 'node-health': { readonly checks: readonly WireHealthCheck[] };
  readonly 'node-features': {
    readonly version: string;
    readonly commit: string;
    readonly features: readonly WireFeature[];
  };
  readonly 'node-stats': WireNodeStats;
  readonly 'node-metrics': { readonly metrics: readonly WireMetric[] };
  readonly 'node-config': { readonly settings: readonly WireSetting[] };
  /** `taken-over`: what the node has left is being taken over, if that was not done before. */
  readonly 'forget-node': { readonly kind: 'alive' | 'absent' | 'taken-over' };
  readonly listeners: { readonly listeners: readonly WireListener[] };
  /** `isDraining`: nothing was done, as clients of the node are being sent away already. */
  readonly 'switch-listener': {
    readonly listener?: WireListener | undefined;
    readonly isDraining?: boolean;
  };
  readonly certificates: { readonly certificates: readonly WireCertificate[] };
  /** By listener; a fault says why the certificates before stay. */
  readonly 'reload-certificates': {
    readonly results: readonly {
      readonly listener: string;
      readonly fault?: string | undefined;
    }[];
  };
}

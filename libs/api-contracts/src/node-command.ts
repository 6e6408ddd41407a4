import type { AccessAnswers, AccessCommand } from './access-command.ts';
import type { AlarmAnswers, AlarmCommand } from './alarm-command.ts';
import type { BridgeAnswers, BridgeCommand } from './bridge-command.ts';
import type { DiagnosticsAnswers, DiagnosticsCommand } from './diagnostics-command.ts';
import type { DrainAnswers, DrainCommand } from './drain-command.ts';
import type { ConfigAnswers, ConfigCommand } from './config-command.ts';
import type { ListenerAnswers, ListenerCommand } from './listener-command.ts';
import type { SystemAnswers, SystemCommand } from './system-command.ts';
import type { AuthAnswers, AuthCommand } from './auth-command.ts';
import type { BackupAnswers, BackupCommand } from './backup-command.ts';
import type { BanAnswers, BanCommand } from './ban-command.ts';
import type { MessageAnswers, MessageCommand } from './message-command.ts';
import type { DeadLetterAnswers, DeadLetterCommand } from './dead-letter-command.ts';
import type { SessionAnswers, SessionCommand } from './session-command.ts';
import type { ScheduleAnswers, ScheduleCommand } from './schedule-command.ts';
import type { StatsAnswers, StatsCommand } from './stats-command.ts';
import type { StreamAnswers, StreamCommand } from './stream-command.ts';
import type { TopicAnswers, TopicCommand } from './topic-command.ts';
import type { TraceAnswers, TraceCommand } from './trace-command.ts';
import type { UserAnswers, UserCommand } from './user-command.ts';
import type { WireMessage, WireQoS } from './wire-message.ts';

/** A node as its lease describes it. */
export interface WireNode {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly version: string;
  readonly startedAtMs: number;
  readonly state: 'alive' | 'draining';
}

/** A node in numbers. */
export interface WireNodeStatus {
  readonly node: WireNode;
  readonly mode: 'embedded' | 'cluster';
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retainedMessages: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
}

/** Where a secret is kept. */
export type WireSecret = { readonly file: string } | { readonly env: string };

/** TLS to Kafka. */
export interface WireKafkaTls {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
}

/** A login to Kafka. */
export type WireKafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: WireSecret;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: WireSecret };

/** A schema registry beside Kafka. */
export interface WireSchemaRegistry {
  readonly url: string;
  readonly username?: string;
  readonly password?: WireSecret;
  readonly caFile?: string;
  readonly timeoutMs: number;
  readonly refreshMs: number;
}

/** What a bridge leads to. */
export type WireConnector =
  | {
      readonly id: string;
      readonly kind: 'kafka';
      readonly enabled?: boolean | undefined;
      readonly brokers: readonly string[];
      readonly clientId: string;
      readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
      readonly tls?: WireKafkaTls;
      readonly sasl?: WireKafkaSasl;
      readonly schemaRegistry?: WireSchemaRegistry;
    }
  | {
      readonly id: string;
      readonly kind: 'webhook';
      readonly enabled?: boolean | undefined;
      readonly url: string | WireSecret;
      readonly headers: Readonly<Record<string, string | WireSecret>>;
      readonly caFile?: string;
      readonly timeoutMs: number;
      readonly concurrency: number;
      readonly format: 'single' | 'json' | 'ndjson';
    }
  | {
      readonly id: string;
      readonly kind: 'rabbitmq';
      readonly enabled?: boolean | undefined;
      readonly url: string | WireSecret;
      readonly caFile?: string;
      readonly timeoutMs: number;
      readonly concurrency: number;
    };

/** A bridge as somebody wants it, with the keys of WireConnector: not checked yet. */
export type WireConnectorDraft = Readonly<Record<string, unknown>> & { readonly id: string };

/** A bridge with its origin and revision; those of the configuration have revision 0. */
export interface WireStoredBridge {
  readonly connector: WireConnector;
  readonly source: 'config' | 'api';
  readonly revision: number;
}

/** A bridge, and how it fares on a node. */
export interface WireBridge extends WireStoredBridge {
  readonly state: 'connected' | 'disconnected' | 'unused' | 'stopped';
  readonly lastError?: string | undefined;
}

/** Something that is wrong with a bridge: the keys that lead to it, and the rest of the sentence. */
export interface WireFieldFault {
  readonly path: readonly string[];
  readonly problem: string;
}

/**
 * What came of a change of a bridge. `read-only`: it is the configuration's. `in-use`: rules name it. `invalid`: it cannot work,
 * or names what it may not.
 */
export type WireBridgeChange =
  | { readonly kind: 'stored'; readonly stored: WireStoredBridge }
  | { readonly kind: 'conflict' | 'absent' | 'read-only' }
  | { readonly kind: 'in-use'; readonly rules: readonly string[] }
  | { readonly kind: 'invalid'; readonly faults: readonly WireFieldFault[] };

/** How a rule uses the spool, where that differs from other rules. */
export interface WireRuleSpool {
  readonly bytesMax?: number;
  readonly ageSecondsMax?: number;
  readonly onFull?: 'reject' | 'drop-oldest' | 'drop-newest' | 'block';
}

/** A step of a connectivity test. */
export interface WireTestStep {
  readonly step: 'dns' | 'tcp' | 'tls' | 'auth' | 'target' | 'schemas';
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

/** What bridge rules from MQTT have in common. */
export interface WireOutboundRule {
  readonly id: string;
  readonly bridge: string;
  readonly enabled: boolean;
  readonly filter: string;
  readonly where?: string;
  readonly value?: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly spool?: WireRuleSpool;
  readonly keepDeadLetters?: boolean | undefined;
  readonly allowLoop?: boolean | undefined;
}

/** What schemas are written in. */
export type WireSchemaFormat = 'avro' | 'protobuf' | 'json-schema';

/** The schema that a rule to Kafka writes values by. */
export interface WireValueSchema {
  readonly format: WireSchemaFormat;
  readonly subject?: string;
  readonly version: 'latest' | number;
  readonly messageType?: string;
}

/** A bridge rule of any direction. */
export type WireRule =
  | (WireOutboundRule & {
      readonly direction: 'mqtt-to-kafka';
      readonly topic: string;
      readonly allowTopics?: readonly string[] | undefined;
      readonly partition: string;
      readonly schema?: WireValueSchema;
      readonly deadLetterTopic?: string | undefined;
      readonly ack: 'none' | 'spool' | 'kafka';
    })
  | (WireOutboundRule & {
      readonly direction: 'mqtt-to-webhook';
      readonly path: string;
      readonly deadLetterPath?: string | undefined;
      readonly ack: 'none' | 'spool' | 'webhook';
    })
  | (WireOutboundRule & {
      readonly direction: 'mqtt-to-rabbitmq';
      readonly exchange: string;
      readonly routingKey: string;
      readonly deadLetterExchange?: string | undefined;
      readonly deadLetterRoutingKey?: string | undefined;
      readonly ack: 'none' | 'spool' | 'rabbitmq';
    })
  | {
      readonly id: string;
      readonly bridge: string;
      readonly direction: 'kafka-to-mqtt';
      readonly enabled: boolean;
      readonly topic: string;
      readonly where?: string | undefined;
      readonly value?: string | undefined;
      readonly mqttTopic: string;
      readonly schema?: { readonly format: WireSchemaFormat } | undefined;
      readonly qos: WireQoS | string;
      readonly retain: boolean | string;
      readonly expirySeconds?: string | undefined;
      readonly contentType?: string | undefined;
      readonly responseTopic?: string | undefined;
      readonly correlationData?: string | undefined;
      readonly userProperties?: Readonly<Record<string, string>> | undefined;
      readonly onError?: 'skip' | 'stop' | 'dlq' | undefined;
      readonly deadLetterTopic?: string | undefined;
      readonly startWhen?: 'always' | 'subscribers' | undefined;
    };

/** A rule with its origin and revision; rules of the configuration have revision 0. */
export interface WireStoredRule {
  readonly rule: WireRule;
  readonly source: 'config' | 'api';
  readonly revision: number;
}

/** How a rule fares on one node. */
export interface WireRuleState {
  readonly id: string;
  readonly state: 'running' | 'degraded' | 'stopped';
  readonly lastError?: string | undefined;
  /** What waits in the spool; undefined without one. */
  readonly spool?: { readonly records: number; readonly bytes: number } | undefined;
}

/** What came of a change of a rule. `read-only`: the rule is the configuration's. `invalid`: it cannot work. */
export type WireRuleChange =
  | { readonly kind: 'stored'; readonly stored: WireStoredRule }
  | { readonly kind: 'conflict' | 'absent' | 'read-only' }
  | { readonly kind: 'invalid'; readonly detail: string };

/** A message for the dry run of a rule. */
export interface WireSampleMessage extends WireMessage {
  readonly clientId: string;
  readonly username?: string | undefined;
}

/** A consumed record for the dry run of a rule; bytes are base64. */
export interface WireSampleRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key?: string | undefined;
  readonly value?: string | undefined;
  /** Names may repeat. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Milliseconds since 1970; absent: now. */
  readonly timestampMs?: number | undefined;
}

/** What the dry run of a rule takes. */
export type WireRuleSample =
  | { readonly kind: 'message'; readonly message: WireSampleMessage }
  | { readonly kind: 'record'; readonly record: WireSampleRecord };

/** A record as a rule would send it; bytes are base64. */
export interface WireTrialRecord {
  readonly target: string;
  readonly route?: string | undefined;
  readonly partition?: 'key' | 'round-robin' | number | undefined;
  readonly key: string;
  readonly value: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What a rule would make of a sample. `absent`: there is no such rule. `invalid`: it cannot work, or takes other samples. */
export type WireRuleTrial =
  | { readonly kind: 'record'; readonly record: WireTrialRecord }
  | { readonly kind: 'message'; readonly message: WireMessage }
  | { readonly kind: 'unmatched'; readonly by: 'filter' | 'where' }
  | {
      readonly kind: 'failed';
      readonly stage: string;
      readonly code: string;
      readonly detail: string;
      readonly position?: number | undefined;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly detail: string };

/** What the API asks of a node. Only `nodes` may be asked of whoever is there; all else is addressed to one node. */
export type NodeCommand =
  | AccessCommand
  | BridgeCommand
  | AuthCommand
  | BackupCommand
  | BanCommand
  | MessageCommand
  | DeadLetterCommand
  | SessionCommand
  | AlarmCommand
  | DiagnosticsCommand
  | ScheduleCommand
  | StatsCommand
  | StreamCommand
  | TopicCommand
  | TraceCommand
  | UserCommand
  | SystemCommand
  | ConfigCommand
  | ListenerCommand
  | DrainCommand
  | { readonly kind: 'nodes' }
  | { readonly kind: 'status' }
  | { readonly kind: 'bridges' }
  | {
      readonly kind: 'test-bridge';
      readonly id: string;
      readonly target?: string | undefined;
      readonly withinMs: number;
    }
  /** One that is not stored; the node checks it as `put-bridge` does. */
  | {
      readonly kind: 'test-bridge';
      readonly connector: WireConnectorDraft;
      readonly target?: string | undefined;
      readonly withinMs: number;
    }
  /** Creates without a revision, else replaces exactly that one. The node checks it and adds defaults. */
  | {
      readonly kind: 'put-bridge';
      readonly connector: WireConnectorDraft;
      readonly revision?: number;
    }
  /** Deletes exactly this revision, or whichever there is. */
  | { readonly kind: 'remove-bridge'; readonly id: string; readonly revision?: number }
  | { readonly kind: 'rules' }
  | { readonly kind: 'rule-states' }
  /** Creates without a revision, else replaces exactly that one. */
  | { readonly kind: 'put-rule'; readonly rule: WireRule; readonly revision?: number }
  /** Deletes exactly this revision, or whichever there is. */
  | { readonly kind: 'remove-rule'; readonly id: string; readonly revision?: number }
  /** Dry run of a saved rule, by its id, or of one that is not saved. */
  | {
      readonly kind: 'try-rule';
      readonly rule: string | WireRule;
      readonly sample: WireRuleSample;
    };

/** The answers by kind of command. */
export interface NodeAnswers
  extends
    AccessAnswers,
    AuthAnswers,
    BackupAnswers,
    BanAnswers,
    BridgeAnswers,
    DeadLetterAnswers,
    MessageAnswers,
    SessionAnswers,
    AlarmAnswers,
    DiagnosticsAnswers,
    ScheduleAnswers,
    StatsAnswers,
    StreamAnswers,
    TopicAnswers,
    TraceAnswers,
    UserAnswers,
    SystemAnswers,
    ConfigAnswers,
    ListenerAnswers,
    DrainAnswers {
  readonly nodes: { readonly nodes: readonly WireNode[] };
  readonly status: WireNodeStatus;
  readonly bridges: { readonly bridges: readonly WireBridge[] };
  /** Without steps the node has no such bridge, or finds these faults in it. */
  readonly 'test-bridge': {
    readonly steps?: readonly WireTestStep[] | undefined;
    readonly faults?: readonly WireFieldFault[] | undefined;
  };
  readonly 'put-bridge': WireBridgeChange;
  readonly 'remove-bridge': WireBridgeChange;
  /** In their order. */
  readonly rules: { readonly rules: readonly WireStoredRule[]; readonly orderRevision: number };
  readonly 'rule-states': { readonly states: readonly WireRuleState[] };
  readonly 'put-rule': WireRuleChange;
  readonly 'remove-rule': WireRuleChange;
  readonly 'try-rule': WireRuleTrial;
}

/** The command of a kind. */
export type CommandOf<Kind extends NodeCommand['kind']> = Extract<
  NodeCommand,
  { readonly kind: Kind }
>;

/** What a node replies: the answer, or why there is none. */
export type NodeReply<Kind extends NodeCommand['kind'] = NodeCommand['kind']> =
  | { readonly kind: 'done'; readonly answer: NodeAnswers[Kind] }
  | { readonly kind: 'failed'; readonly code: 'storage-unavailable' | 'unsupported' | 'internal' };

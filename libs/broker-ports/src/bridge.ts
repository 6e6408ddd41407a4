import type { QoS } from '#libs/mqtt-codec';
import type { DeadLetter } from './dead-letter-store.ts';
import type { DefinitionStore } from './definition-store.ts';
import type { Message } from './message.ts';
import type { PublishDone } from './hub.ts';
import type { RuleSample, RuleTrial } from './rule-trial.ts';

/** Where a secret is kept. It is read when it is needed and never part of a setting, so that it shows nowhere. */
export type SecretReference =
  | {
      /** The first line of this file. */
      readonly file: string;
    }
  | {
      /** The value of this environment variable. */
      readonly env: string;
    };

/** TLS to Kafka. The certificate of a broker is always verified. Files are read for every connection. */
export interface KafkaTls {
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly caFile?: string;
  /** The certificate to show, in PEM. */
  readonly certFile?: string;
  /** The key of that certificate, in PEM. */
  readonly keyFile?: string;
  /** The name that certificates must have, instead of the host of each broker. */
  readonly serverName?: string;
}

/** How to log in to Kafka. Secrets are read for every login. */
export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: SecretReference;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** Whoever renews the token replaces it there. */
      readonly token: SecretReference;
    };

/** A schema registry beside Kafka, which speaks the REST interface of Confluent's. */
export interface SchemaRegistry {
  /** `http:` or `https:`, without a user. */
  readonly url: string;
  /** Absent: no login. */
  readonly username?: string;
  /** Read for every request. */
  readonly password?: SecretReference;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly caFile?: string;
  /** How long a request may take. */
  readonly timeoutMs: number;
  /** How old the answer of what the latest version is may become. */
  readonly refreshMs: number;
}

/** What schemas are written in. */
export type SchemaFormat = 'avro' | 'protobuf' | 'json-schema';

/** The schema that a rule writes its values by. Values are JSON before. */
export interface ValueSchema {
  readonly format: SchemaFormat;
  /** @defaultValue the Kafka topic and `-value` */
  readonly subject?: string;
  readonly version: 'latest' | number;
  /** Which message of a Protobuf schema. @defaultValue the first */
  readonly messageType?: string;
}

/** A Kafka cluster. */
export interface KafkaConnector extends ConnectorFields {
  readonly kind: 'kafka';
  /** `host:port` of brokers to start from. */
  readonly brokers: readonly string[];
  /** Kafka sees a node as `clientId-nodeId`; consumer groups are called `clientId-ruleId`. */
  readonly clientId: string;
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Absent: connections in the clear. */
  readonly tls?: KafkaTls;
  /** Absent: no login. */
  readonly sasl?: KafkaSasl;
  /** Needed by rules with a schema. */
  readonly schemaRegistry?: SchemaRegistry;
}

/** An HTTP endpoint that takes records by POST. */
export interface WebhookConnector extends ConnectorFields {
  readonly kind: 'webhook';
  /** `http:` or `https:`; a rule's path is appended to that of the URL. */
  readonly url: string | SecretReference;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string | SecretReference>>;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly caFile?: string;
  /** How long a request may take. */
  readonly timeoutMs: number;
  /** Requests of one rule and path side by side; those of one key never are. */
  readonly concurrency: number;
  /** `single`: a request per record, its body the payload. `json`, `ndjson`: a batch, as an array or line by line. */
  readonly format: 'single' | 'json' | 'ndjson';
}

/** A RabbitMQ, or what else speaks AMQP 0-9-1 with publisher confirms. */
export interface RabbitmqConnector extends ConnectorFields {
  readonly kind: 'rabbitmq';
  /** `amqp:` or `amqps:`, with user, password and virtual host where they are not those of a new server. */
  readonly url: string | SecretReference;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly caFile?: string;
  /** How long a batch may wait for its confirms. */
  readonly timeoutMs: number;
  /** Channels of one rule and exchange; records of one key take the same. */
  readonly concurrency: number;
}

/** What connectors of every kind have. */
export interface ConnectorFields {
  /** Rules and metrics call it so. */
  readonly id: string;
  /** False: none of its rules is at work; messages do not concern them, and what they have in the spool waits. @defaultValue true */
  readonly enabled?: boolean | undefined;
}

/** The other side of a bridge, and how to reach it: what the configuration and the API call a bridge. */
export type Connector = ConnectorOf<ConnectorKind>;

/** The connector of each kind. */
export interface ConnectorKinds {
  readonly kafka: KafkaConnector;
  readonly webhook: WebhookConnector;
  readonly rabbitmq: RabbitmqConnector;
}

/** What can be on the other side. */
export type ConnectorKind = keyof ConnectorKinds;

/** The connector of a kind. */
export type ConnectorOf<Kind extends ConnectorKind> = ConnectorKinds[Kind];

/**
 * What becomes of a record when the spool has no room for it.
 *
 * @remarks `reject`: the publisher is refused. `drop-oldest`: the oldest records of the rule go. `drop-newest`: the record goes,
 * and is acknowledged all the same. `block`: it waits for room, for as long as its publisher may be kept waiting.
 */
export type SpoolFullPolicy = 'reject' | 'drop-oldest' | 'drop-newest' | 'block';

/** How one rule uses the spool, where that differs from other rules of the node. */
export interface RuleSpool {
  /** Most bytes that the rule takes of the spool. @defaultValue what all rules together may take */
  readonly bytesMax?: number;
  readonly ageSecondsMax?: number;
  readonly onFull?: SpoolFullPolicy;
}

/** What rules from MQTT have in common. Templates use `${clientId}`, `${topic}`, `${topic[n]}`, `${qos}`, `${payload}`. */
export interface OutboundRuleFields {
  readonly id: string;
  /** The id of the connector. */
  readonly bridge: string;
  readonly enabled: boolean;
  /** The MQTT topic filter that selects messages. */
  readonly filter: string;
  /** Expression over the message: only those for which it is true are of the rule. @defaultValue all */
  readonly where?: string;
  /** Expression over the message that gives the value of the record. @defaultValue the payload as it is */
  readonly value?: string;
  /** Template of the record key: order holds per key. @defaultValue `${clientId}` */
  readonly key: string;
  /** Extra headers: name to template. */
  readonly headers: Readonly<Record<string, string>>;
  readonly spool?: RuleSpool;
  /**
   * Whether Skein keeps records itself that can never be delivered, or of which none can be made, instead of a place on the other
   * side. @defaultValue false
   */
  readonly keepDeadLetters?: boolean | undefined;
  /** Whether what rules from Kafka have brought in is of the rule as well. @defaultValue false: it cannot go round in circles */
  readonly allowLoop?: boolean | undefined;
}

/** Sends MQTT messages into Kafka. */
export interface MqttToKafkaRule extends OutboundRuleFields {
  readonly direction: 'mqtt-to-kafka';
  /** Template of the Kafka topic. */
  readonly topic: string;
  /** What the topic template may give: names, and beginnings of names that end in `*`. @defaultValue every legal name */
  readonly allowTopics?: readonly string[] | undefined;
  /**
   * The partition of a record. `key`: by its key, in order per key. `round-robin`: one after the other, in no order. Else a
   * template that gives a number, which counts modulo the number of partitions. @defaultValue `key`
   */
  readonly partition: string;
  /** Absent: values go as they are. */
  readonly schema?: ValueSchema;
  /** The topic of records that can never be stored in theirs, or of which none can be made; no template. @defaultValue they are given up */
  readonly deadLetterTopic?: string | undefined;
  /** PUBACK waits for: `spool` the disk of the node, `kafka` acks=all, `none` nothing (memory only, lost with the node). */
  readonly ack: 'none' | 'spool' | 'kafka';
}

/** Posts MQTT messages to an HTTP endpoint. */
export interface MqttToWebhookRule extends OutboundRuleFields {
  readonly direction: 'mqtt-to-webhook';
  /** Template of the path behind that of the connector's URL; `/` means the URL itself. @defaultValue `/` */
  readonly path: string;
  /** The path of records that the endpoint refuses for good, or of which none can be made; no template. @defaultValue they are given up */
  readonly deadLetterPath?: string | undefined;
  /** PUBACK waits for: `spool` the disk of the node, `webhook` a 2xx, `none` nothing (memory only, lost with the node). */
  readonly ack: 'none' | 'spool' | 'webhook';
}

/** Sends Kafka records to MQTT. Templates use `${key}`, `${topic}`, `${partition}`, `${offset}`, `${headers.name}`. */
export interface KafkaToMqttRule {
  readonly id: string;
  /** The id of the connector. */
  readonly bridge: string;
  readonly direction: 'kafka-to-mqtt';
  readonly enabled: boolean;
  /** The Kafka topic to consume. */
  readonly topic: string;
  /** Values name a schema of this format, and become JSON. Absent: they stay as they are. */
  readonly schema?: { readonly format: SchemaFormat } | undefined;
  /** Expression over the record: others than those for which it is true are passed over. @defaultValue all */
  readonly where?: string | undefined;
  /** Expression over the record that gives the payload of the message. @defaultValue the value as it is */
  readonly value?: string | undefined;
  /** Template of the MQTT topic. A record for which it gives an invalid topic name can never be published. */
  readonly mqttTopic: string;
  /** Or a template that gives 0, 1 or 2; nothing means 1. */
  readonly qos: QoS | string;
  /** Or a template that gives `true`, `1`, `false` or `0`; nothing means `false`. */
  readonly retain: boolean | string;
  /** Template of the message expiry interval, from the moment the message is published. Properties that come out empty are left out. */
  readonly expirySeconds?: string | undefined;
  /** Template. */
  readonly contentType?: string | undefined;
  /** Template. */
  readonly responseTopic?: string | undefined;
  /** Template; a single placeholder passes bytes on as they are. */
  readonly correlationData?: string | undefined;
  /** User properties: name to template. */
  readonly userProperties?: Readonly<Record<string, string>> | undefined;
  /**
   * What becomes of a record that can never be published. `skip`: it is counted and passed over. `dlq`: it is counted and
   * goes to `deadLetterTopic` first. `stop`: its partition waits for a change of the rule, or until it can be published.
   * @defaultValue `skip`
   */
  readonly onError?: 'skip' | 'stop' | 'dlq' | undefined;
  /** The Kafka topic of records that can never be published; needed for `dlq`. */
  readonly deadLetterTopic?: string | undefined;
  /**
   * `subscribers`: records wait while no node knows of a subscription, of a live or a durable session, to what `mqttTopic`
   * may give. A level with a placeholder stands for all below it. @defaultValue `always`
   */
  readonly startWhen?: 'always' | 'subscribers' | undefined;
}

/** Publishes MQTT messages to an exchange. */
export interface MqttToRabbitmqRule extends OutboundRuleFields {
  readonly direction: 'mqtt-to-rabbitmq';
  /** Template of the exchange; an empty one means the default exchange. @defaultValue empty */
  readonly exchange: string;
  /** Template of the routing key; a message that no queue takes is refused. */
  readonly routingKey: string;
  /**
   * The exchange of messages that are refused for good, or of which no record can be made; no template. Empty means the default
   * exchange. @defaultValue they are given up
   */
  readonly deadLetterExchange?: string | undefined;
  /** Their routing key; no template. @defaultValue that of each message, cut to 255 bytes if it was refused for it */
  readonly deadLetterRoutingKey?: string | undefined;
  /** PUBACK waits for: `spool` the disk of the node, `rabbitmq` the confirm, `none` nothing (memory only, lost with the node). */
  readonly ack: 'none' | 'spool' | 'rabbitmq';
}

/** A rule from MQTT to any kind of other side. */
export type OutboundBridgeRule = MqttToKafkaRule | MqttToWebhookRule | MqttToRabbitmqRule;

/** A rule of any direction. */
export type BridgeRule = OutboundBridgeRule | KafkaToMqttRule;

/** The bridge rules made through the API. */
export type RuleStore = DefinitionStore<BridgeRule>;

/** The connectors made through the API. */
export type ConnectorStore = DefinitionStore<Connector>;

/** What rules may name. */
export interface BridgeGround {
  readonly connectors: readonly Connector[];
  /** By id, connectors that this node cannot work with, and why. */
  readonly refused: ReadonlyMap<string, string>;
}

/** What waits in the spool of a node for the sink of one rule. */
export interface RuleSpoolState {
  readonly records: number;
  /** What they take of the spool. */
  readonly bytes: number;
}

/** The state of one rule on one node. */
export interface RuleStatus {
  readonly id: string;
  /** `degraded`: the other side refuses or does not answer; the last error says why. */
  readonly state: 'running' | 'degraded' | 'stopped';
  readonly lastError: string | undefined;
  /** Undefined for a rule that does not use the spool. */
  readonly spool?: RuleSpoolState | undefined;
}

/** What a rule has counted on one node, since its node began or since somebody reset it; those of a meter go on. */
export interface RuleMetrics {
  readonly id: string;
  /** The connector that the rule names. */
  readonly bridge: string;
  /** When counting began: milliseconds since 1970. */
  readonly sinceMs: number;
  /** Messages or records that were of the rule. */
  readonly matched: number;
  readonly delivered: number;
  /** Such as the expression `where` passed over. */
  readonly filtered: number;
  /** Refused, or not carried in time; `reasons` says why. */
  readonly failed: number;
  /** Given up without an answer to anybody; `reasons` says why. */
  readonly dropped: number;
  /** Dead letters that were stored. */
  readonly deadLetters: number;
  readonly retries: number;
  /** Records that failed or were dropped, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** How far the rule is behind; 0 for rules from MQTT. */
  readonly lagRecords: number;
  /** Records that wait for another node. */
  readonly heldRecords: number;
  readonly spool?: RuleSpoolState | undefined;
}

/** The state of one connector on one node. */
export interface ConnectorStatus {
  readonly id: string;
  /**
   * `disconnected`: a rule does not reach the other side; the last error says why, if known. `unused`: no rule runs. `stopped`: it is not
   * enabled.
   */
  readonly state: 'connected' | 'disconnected' | 'unused' | 'stopped';
  readonly lastError: string | undefined;
}

/** What to test of a connector. */
export interface BridgeTest {
  /** For example a Kafka topic; absent: none is looked for. */
  readonly target?: string | undefined;
  /** How long all steps may take together. */
  readonly withinMs: number;
}

/** A step of a connectivity test. */
export interface BridgeTestStep {
  readonly step: 'dns' | 'tcp' | 'tls' | 'auth' | 'target' | 'schemas';
  readonly ok: boolean;
  readonly ms: number;
  /** What was found, or what is wrong. Holds no secret. */
  readonly detail: string;
}

/**
 * Whether a dead letter has begun its way. `idle`: its rule is not at work here, or carries the other way. `cut`: its value is not whole.
 * `filtered`: it is not of the rule any more. `unreadable`: it does not say what message it came of.
 */
export type ReplayStart = 'begun' | 'idle' | 'cut' | 'filtered' | 'unreadable';

/** The bridge of a node, both directions. */
export interface Bridge {
  /** Whether no rule takes messages, so that offering them is of no use. */
  readonly idle: boolean;
  /**
   * Offers a message that a client of this node published. Records are ordered here, synchronously.
   *
   * @remarks Calls `done` exactly once: at once when no matching rule gates the acknowledgement, else when the other side
   * has the records of every gating rule, or with BRIDGE_UNAVAILABLE / QUOTA_EXCEEDED. The payload is copied if kept.
   */
  offer(message: Message, done: PublishDone): void;
  /**
   * Replaces the set of rules, and that of what they may name when it is given.
   *
   * @remarks A rule that is as before, and whose connector is, goes on undisturbed. Another begins anew when what it has in
   * memory is sent or given up; what is in the spool waits for its next version. A rule that cannot run says why.
   *
   * @param removed - given when these are all the rules there are: when rules were deleted, by id. What these have left in the spool
   * goes; that of other rules which are not there is kept until it is too old.
   */
  apply(
    rules: readonly BridgeRule[],
    ground?: BridgeGround,
    removed?: ReadonlyMap<string, number>,
  ): void;
  /** What is wrong with a rule, naming the field; undefined when it can run, on the ground given or applied last. */
  ruleFault(rule: BridgeRule, ground?: BridgeGround): string | undefined;
  /** Dry run: what a rule would make of a sample, on the ground given or applied last. Nothing is sent, kept or counted. */
  tryRule(rule: BridgeRule, sample: RuleSample, ground?: BridgeGround): RuleTrial;
  /** The state of each rule in force. */
  status(): readonly RuleStatus[];
  /** The state of each connector. */
  connectors(): readonly ConnectorStatus[];
  /** What each rule has counted, of those that were at work here since the node began and are still defined. */
  metrics(): readonly RuleMetrics[];
  /** Sets back what the rules of a connector have counted. */
  resetMetrics(connector: string): void;
  /** Has a connector and its rules begin anew, as if its settings had changed. */
  restart(connector: string): 'restarting' | 'stopped' | 'absent';
  /**
   * Gives a dead letter back to its rule as it is now, if that is at work here. What failed before or at an expression goes through
   * all of the rule again; else the value is as the rule made it, and target, key and headers are made anew.
   *
   * @remarks Calls `done` once, like offer(), when the rule takes it, whatever QoS it had: a letter that comes of it again is another.
   */
  replay(letter: DeadLetter, done: PublishDone): ReplayStart;
  /** Tests from this node whether a connector can work, applied or not, up to the first fault, over connections of its own. */
  test(connector: Connector, request: BridgeTest): Promise<readonly BridgeTestStep[]>;
  /** Sends what is buffered in memory within the deadline, then stops; what is in the spool stays there. */
  close(): Promise<void>;
}

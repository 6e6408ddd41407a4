import type { QoS } from '#libs/mqtt-codec';
import type { Message } from './message.ts';
import type { PublishDone } from './hub.ts';

/** A Kafka cluster. */
export interface KafkaConnector {
  /** Rules and metrics call it so. */
  readonly id: string;
  readonly kind: 'kafka';
  /** `host:port` of brokers to start from. */
  readonly brokers: readonly string[];
  /** Kafka sees a node as `clientId-nodeId`; consumer groups are called `clientId-ruleId`. */
  readonly clientId: string;
  readonly compression: 'none' | 'lz4' | 'gzip';
}

/** The other side of a bridge, and how to reach it: what the configuration and the API call a bridge. */
export type Connector = KafkaConnector;

/** What can be on the other side. */
export type ConnectorKind = Connector['kind'];

/** The connector of a kind. */
export type ConnectorOf<Kind extends ConnectorKind> = Extract<Connector, { readonly kind: Kind }>;

/** Sends MQTT messages into Kafka. Templates use `${clientId}`, `${topic}`, `${topic[n]}`, `${qos}`, `${payload}`. */
export interface MqttToKafkaRule {
  readonly id: string;
  /** The id of the connector. */
  readonly bridge: string;
  readonly direction: 'mqtt-to-kafka';
  readonly enabled: boolean;
  /** The MQTT topic filter that selects messages. */
  readonly filter: string;
  /** Template of the Kafka topic. */
  readonly topic: string;
  /** What the topic template may give: names, and beginnings of names that end in `*`. @defaultValue every legal name */
  readonly allowTopics?: readonly string[] | undefined;
  /** Template of the record key. @defaultValue `${clientId}` */
  readonly key: string;
  /**
   * The partition of a record. `key`: by its key, in order per key. `round-robin`: one after the other, in no order. Else a
   * template that gives a number, which counts modulo the number of partitions. @defaultValue `key`
   */
  readonly partition: string;
  /** Extra headers: name to template. */
  readonly headers: Readonly<Record<string, string>>;
  /** `kafka`: PUBACK waits for acks=all. `none`: memory only, lost with the node. */
  readonly ack: 'none' | 'kafka';
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
  /** Template of the MQTT topic; a record for which it gives an invalid topic name is skipped and counted. */
  readonly mqttTopic: string;
  readonly qos: QoS;
  readonly retain: boolean;
}

/** A rule of any direction. */
export type BridgeRule = MqttToKafkaRule | KafkaToMqttRule;

/** A rule with what the store knows of it. Rules from the configuration cannot be changed over REST. */
export interface StoredRule {
  readonly rule: BridgeRule;
  readonly source: 'config' | 'api';
  /** Grows with each change; the ETag of the API. */
  readonly revision: number;
}

/** `conflict`: the rule exists (create) or has another revision (replace, delete). */
export type RuleWriteResult =
  | { readonly kind: 'stored'; readonly stored: StoredRule }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'absent' };

/** The rules made through the API, shared by all nodes. */
export interface RuleStore {
  /** The rules made through the API. */
  list(): Promise<readonly StoredRule[]>;
  /** Creates when `revision` is undefined, else replaces exactly that revision. */
  put(rule: BridgeRule, revision: number | undefined): Promise<RuleWriteResult>;
  /** Deletes; when `revision` is given, exactly that one. */
  remove(id: string, revision: number | undefined): Promise<RuleWriteResult>;
  /** Calls back within two seconds of a change by any node, and once at the start. */
  watch(changed: (rules: readonly StoredRule[]) => void): void;
  /** Stops watching. */
  close(): Promise<void>;
}

/** The state of one rule on one node. */
export interface RuleStatus {
  readonly id: string;
  /** `degraded`: the other side refuses or does not answer; the last error says why. */
  readonly state: 'running' | 'degraded' | 'stopped';
  readonly lastError: string | undefined;
}

/** The state of one connector on one node. */
export interface ConnectorStatus {
  readonly id: string;
  /** `disconnected`: a rule does not reach the other side; the last error says why, if known. `unused`: no rule runs. */
  readonly state: 'connected' | 'disconnected' | 'unused';
  readonly lastError: string | undefined;
}

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
  /** Replaces the set of rules; unchanged ones go on undisturbed. */
  apply(rules: readonly BridgeRule[]): void;
  /** What is wrong with a rule, naming the field; undefined when it can run. */
  ruleFault(rule: BridgeRule): string | undefined;
  /** The state of each rule in force. */
  status(): readonly RuleStatus[];
  /** The state of each connector. */
  connectors(): readonly ConnectorStatus[];
  /** Sends what is buffered within the deadline, then stops. */
  close(): Promise<void>;
}

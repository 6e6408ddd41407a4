/** Which levels of topics. */
export interface TopicLevelQuery {
  /** What is below this topic, itself excluded; undefined: from the first level on. */
  readonly prefix?: string | undefined;
  /** How many levels below. */
  readonly depth: number;
  /** Only levels with retained messages at or below them, or only those without. */
  readonly hasRetained?: boolean | undefined;
  /** Continue after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A level of topics, by what is known at or below it. */
export interface TopicLevelInfo {
  /** The levels up to this one. Of filters, wildcards are levels too. */
  readonly topic: string;
  /** At it or below, in the whole cluster. */
  readonly retainedMessages: number;
  /** Different filters of this node's subscriptions. */
  readonly filters: number;
  readonly hasChildren: boolean;
}

/** Which groups of shared subscriptions. */
export interface SharedGroupQuery {
  readonly group?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A group of shared subscriptions: one name, and each of the filters that it is used with. */
export interface SharedGroupInfo {
  readonly group: string;
  readonly subscriptions: readonly {
    /** Without the group. */
    readonly filter: string;
    readonly members: number;
    readonly connected: number;
    /** Messages that wait for its members, or for their acknowledgement. */
    readonly lagMessages: number;
  }[];
}

/** A member of a group. */
export interface SharedMemberInfo {
  readonly filter: string;
  readonly clientId: string;
  readonly isConnected: boolean;
  readonly queueMessages: number;
  readonly inflightMessages: number;
}

/** Messages of some topics since they are counted. Whoever counts adds to it. */
export interface TopicTally {
  /** Taken from publishers, by QoS. */
  readonly messagesIn: [qos0: number, qos1: number, qos2: number];
  /** Sent to subscribers, by QoS. */
  readonly messagesOut: [qos0: number, qos1: number, qos2: number];
  /** Of payloads. */
  bytesIn: number;
  bytesOut: number;
  /** Not delivered: nobody was subscribed, or a bound was hit. */
  dropped: number;
}

/** A filter whose messages are counted, as it is stored. */
export interface TopicMetricDefinition {
  /** Follows from the filter: there is one for each. */
  readonly id: string;
  readonly filter: string;
  readonly createdAtMs: number;
}

import { API_COUNTERS, API_GAUGES, API_HISTOGRAMS } from './api-catalog.ts';
import {
  CALL_SECONDS,
  histogram,
  metric,
  type HistogramSpec,
  type MetricSpec,
} from './metric-spec.ts';

/** 0.25 is the objective of the latency SLO and must stay a bound. */
const MESSAGE_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** From a verdict that is known at once to a backend that has timed out; coarse, since there is one for each backend. */
const AUTHENTICATION_SECONDS = [0.002, 0.01, 0.05, 0.2, 0.5, 1, 2.5, 10];
/** From a filter of the quick kind to the limit of an evaluation. */
const TRANSFORM_SECONDS = [
  0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1,
];
const BRIDGE_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LIFETIME_SECONDS = [1, 10, 60, 300, 1_800, 3_600, 21_600, 86_400, 604_800, 2_592_000];

/** Every counter of a broker node. */
export const BROKER_COUNTERS = {
  connects: metric(
    'skein_broker_connects_total',
    'CONNECT packets answered, by the reason of the answer.',
    ...['listener', 'mqtt_version', 'outcome', 'reason'],
  ),
  disconnects: metric(
    'skein_broker_disconnects_total',
    'Connections ended.',
    ...['listener', 'initiator', 'reason'],
  ),
  socketsRejected: metric(
    'skein_broker_sockets_rejected_total',
    'Sockets closed before a CONNECT was read.',
    ...['listener', 'reason'],
  ),
  tlsHandshakes: metric(
    'skein_broker_tls_handshakes_total',
    'TLS handshakes finished or failed.',
    ...['listener', 'outcome', 'resumed'],
  ),
  authentications: metric(
    'skein_broker_authentications_total',
    'Decisions on the identity of clients.',
    ...['backend', 'outcome'],
  ),
  connectsThrottled: metric(
    'skein_broker_connects_throttled_total',
    'Clients turned away because too many came at a time: to a listener, from an address, or for all that the node has to do.',
    ...['listener', 'limiter'],
  ),
  banHits: metric(
    'skein_broker_ban_hits_total',
    'Clients kept away or disconnected for a ban.',
    'kind',
  ),
  evictions: metric(
    'skein_broker_evictions_total',
    'Connections that the node has ended by itself: in a drain or a rebalance, or on demand of an administrator.',
    'reason',
  ),
  authorizations: metric(
    'skein_broker_authorizations_total',
    'Decisions on publishing and subscribing.',
    ...['action', 'outcome', 'source'],
  ),
  sessionEvents: metric('skein_broker_session_events_total', 'Changes of sessions.', 'event'),
  subscribes: metric(
    'skein_broker_subscribes_total',
    'Filters of SUBSCRIBE packets answered.',
    ...['outcome', 'reason'],
  ),
  unsubscribes: metric(
    'skein_broker_unsubscribes_total',
    'Filters of UNSUBSCRIBE packets answered.',
    ...['outcome', 'reason'],
  ),
  packetsReceived: metric(
    'skein_broker_packets_received_total',
    'Control packets decoded from clients.',
    'type',
  ),
  packetsSent: metric(
    'skein_broker_packets_sent_total',
    'Control packets written to clients.',
    'type',
  ),
  receivedBytes: metric(
    'skein_broker_received_bytes_total',
    'Bytes read from clients.',
    'listener',
  ),
  sentBytes: metric('skein_broker_sent_bytes_total', 'Bytes written to clients.', 'listener'),
  publishReceived: metric(
    'skein_broker_publish_received_total',
    'Messages received from clients.',
    'qos',
  ),
  publishSent: metric('skein_broker_publish_sent_total', 'Messages sent to clients.', 'qos'),
  publishRejected: metric(
    'skein_broker_publish_rejected_total',
    'Messages of clients refused.',
    'reason',
  ),
  publishDuplicates: metric(
    'skein_broker_publish_duplicates_total',
    'Messages received again and recognised.',
    'qos',
  ),
  deliveriesDropped: metric(
    'skein_broker_deliveries_dropped_total',
    'Deliveries not made; the fault says whose doing it was.',
    ...['reason', 'fault'],
  ),
  deliveryRetries: metric(
    'skein_broker_delivery_retries_total',
    'Messages sent again with DUP after a reconnect or takeover.',
    'qos',
  ),
  backpressureSeconds: metric(
    'skein_broker_socket_backpressure_seconds_total',
    'Time that sockets spent above their high-water mark.',
  ),
  readingHeld: metric(
    'skein_broker_reading_held_total',
    'Times that reading from a client was held: too much unacknowledged, answers not taken, share of a turn used up, rate or node exceeded.',
    'reason',
  ),
  quotasExceeded: metric(
    'skein_broker_user_quota_exceeded_total',
    'Connections, sessions, subscriptions and retained messages refused, and queued messages dropped, for the quota of their user.',
    'kind',
  ),
  flapped: metric(
    'skein_broker_flapping_total',
    'Times that a client id or an address was found to come and go all the time, and was to be banned.',
    'kind',
  ),
  configReloads: metric(
    'skein_broker_config_reloads_total',
    'Times that settings which were set at run time came to the node.',
    'outcome',
  ),
  traceSpans: metric(
    'skein_broker_trace_spans_total',
    'Spans by what became of them: exported, dropped for want of room before their export, or lost in one that failed.',
    'outcome',
  ),
  overloads: metric(
    'skein_broker_overloads_total',
    'Times that the node has come to a level of overload from below.',
    'level',
  ),
  retainedOperations: metric(
    'skein_broker_retained_operations_total',
    'Work on retained messages.',
    'op',
  ),
  groupDeliveries: metric(
    'skein_broker_shared_group_deliveries_total',
    'What became of messages for shared subscriptions at the node of the chosen member.',
    'outcome',
  ),
  wills: metric('skein_broker_wills_total', 'What became of wills.', 'event'),
  delayed: metric('skein_broker_delayed_total', 'What became of messages with a delay.', 'event'),
  clusterMessages: metric(
    'skein_broker_cluster_messages_total',
    'Messages carried between nodes.',
    ...['direction', 'transport'],
  ),
  routeTableResyncs: metric(
    'skein_broker_route_table_resyncs_total',
    'Route tables of other nodes read anew after a gap.',
  ),
  redisCommands: metric(
    'skein_broker_redis_commands_total',
    'Round trips to Redis.',
    ...['operation', 'outcome'],
  ),
  redisReconnects: metric(
    'skein_broker_redis_reconnects_total',
    'Connections to Redis made anew.',
    'role',
  ),
  inboxAppends: metric(
    'skein_broker_inbox_appends_total',
    'Batches for the inboxes of other nodes: stored, or refused because an inbox was full or its node gone.',
    'outcome',
  ),
  redisReplicaWaits: metric(
    'skein_broker_redis_replica_waits_total',
    'Writes of a turn that waited for replicas, and whether enough of them had these in time.',
    'outcome',
  ),
  bridgeRecords: metric(
    'skein_bridge_records_total',
    'Records that the bridge has finished with.',
    ...['bridge', 'direction', 'outcome', 'reason'],
  ),
  bridgeHolds: metric(
    'skein_bridge_holds_total',
    'Clients from another node whose records were held, by rule and move, and how that ended.',
    ...['bridge', 'outcome'],
  ),
  bridgeRetries: metric('skein_bridge_retries_total', 'Batches sent again.', 'bridge'),
  bridgeDeadLetters: metric(
    'skein_bridge_dead_letters_total',
    'Records that became dead letters and are stored as such.',
    'bridge',
  ),
  bridgeDeadLettersDropped: metric(
    'skein_bridge_dead_letters_dropped_total',
    'Dead letters kept by Skein that went because they were too old or there were too many.',
  ),
  bridgeRuleMatches: metric(
    'skein_bridge_rule_matches_total',
    'Messages and records selected by a rule.',
    'rule',
  ),
  bridgeRuleErrors: metric(
    'skein_bridge_rule_errors_total',
    'Messages and records that a rule could not carry.',
    ...['rule', 'stage'],
  ),
  bridgeRebalances: metric(
    'skein_bridge_rebalances_total',
    'Changes of the consumer group.',
    'bridge',
  ),
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Every gauge of a broker node. */
export const BROKER_GAUGES = {
  buildInfo: metric(
    'skein_broker_build_info',
    'What runs; always 1.',
    ...['version', 'commit', 'node_version'],
  ),
  identityInfo: metric(
    'skein_broker_identity_info',
    'Who this node is; always 1.',
    ...['cluster', 'node_id'],
  ),
  connections: metric(
    'skein_broker_connections',
    'Connections open now.',
    ...['listener', 'mqtt_version'],
  ),
  certificateUntil: metric(
    'skein_broker_tls_certificate_not_after_timestamp_seconds',
    'When the first of the certificates of a listener ends.',
    'listener',
  ),
  connectionsLimit: metric(
    'skein_broker_connections_limit',
    'Most connections a listener takes.',
    'listener',
  ),
  sessions: metric('skein_broker_sessions', 'Sessions on this node.', ...['state', 'persistent']),
  clusterSessions: metric(
    'skein_broker_cluster_sessions',
    'Sessions of the cluster; 0 but at the node that speaks for all.',
    ...['state', 'persistent'],
  ),
  clusterBacklog: metric(
    'skein_broker_cluster_backlog_messages',
    'Messages for other nodes that Redis has not stored yet.',
    'peer_state',
  ),
  redisWaiting: metric(
    'skein_broker_redis_pool_waiting',
    'Round trips to Redis that are under way: commands that wait for their turn or their reply.',
  ),
  subscriptions: metric('skein_broker_subscriptions', 'Subscriptions on this node.', 'kind'),
  inflightMessages: metric(
    'skein_broker_inflight_messages',
    'Unacknowledged QoS 1 and 2 messages.',
    'direction',
  ),
  queueMessages: metric(
    'skein_broker_session_queue_messages',
    'Messages queued for offline and slow sessions.',
  ),
  queueBytes: metric(
    'skein_broker_session_queue_bytes',
    'Bytes queued for offline and slow sessions.',
  ),
  slowConsumers: metric('skein_broker_slow_consumers', 'Sockets above their high-water mark.'),
  retainedMessages: metric('skein_broker_retained_messages', 'Retained messages known here.'),
  retainedBytes: metric('skein_broker_retained_bytes', 'Bytes of retained messages known here.'),
  bans: metric('skein_broker_bans', 'Bans that this node knows.', 'kind'),
  delayedMessages: metric(
    'skein_broker_delayed_messages',
    'Messages of the cluster that wait for their time.',
  ),
  delayedBytes: metric(
    'skein_broker_delayed_bytes',
    'Bytes of the messages that wait for their time.',
  ),
  clusterNodes: metric(
    'skein_broker_cluster_nodes',
    'Nodes of the cluster as this node sees it.',
    'state',
  ),
  routeTableEntries: metric(
    'skein_broker_route_table_entries',
    'Filters of other nodes in the route table.',
  ),
  routeTableLag: metric(
    'skein_broker_route_table_lag_seconds',
    'Age of the last route change when it was applied.',
  ),
  redisUp: metric('skein_broker_redis_up', 'Whether Redis is connected, 0 or 1.', 'role'),
  eventLoopUtilization: metric(
    'skein_broker_event_loop_utilization_ratio',
    'Share of the time since the last scrape that the event loop was busy.',
  ),
  heapLimit: metric('skein_broker_heap_limit_bytes', 'Largest heap V8 may use.'),
  configReloadedAt: metric(
    'skein_broker_config_last_reload_success_timestamp_seconds',
    'When the node took the settings by which it goes, at its start or later.',
  ),
  overloadLevel: metric(
    'skein_broker_overload_level',
    'What the node leaves because it has too much to do: 0 nothing, 1 new clients, 2 also QoS 0, 3 also reading from who publishes.',
  ),
  draining: metric('skein_broker_draining', 'Whether the node sends its clients away, 0 or 1.'),
  drainRemaining: metric(
    'skein_broker_drain_remaining_connections',
    'Clients that are still to be sent away.',
  ),
  bridgeConnected: metric(
    'skein_bridge_connected',
    'Whether the other side serves every rule of the bridge, 0 or 1.',
    'bridge',
  ),
  bridgeBufferBytes: metric(
    'skein_bridge_buffer_bytes',
    'Bytes waiting in memory for the other side.',
    'bridge',
  ),
  bridgeBufferLimit: metric(
    'skein_bridge_buffer_limit_bytes',
    'Most bytes that may wait in memory for the other side.',
    'bridge',
  ),
  bridgeBufferRecords: metric(
    'skein_bridge_buffer_records',
    'Records waiting in memory for the other side.',
    'bridge',
  ),
  bridgeSpoolBytes: metric(
    'skein_bridge_spool_bytes',
    'Bytes of the spool that records waiting for the other side take.',
    'bridge',
  ),
  bridgeSpoolLimit: metric('skein_bridge_spool_limit_bytes', 'Most bytes that the spool may take.'),
  bridgeSpoolRecords: metric(
    'skein_bridge_spool_records',
    'Records waiting in the spool for the other side.',
    'bridge',
  ),
  bridgeSpoolUnclaimed: metric(
    'skein_bridge_spool_unclaimed_records',
    'Records waiting in the spool for a rule that this node does not know.',
  ),
  bridgeHeldRecords: metric(
    'skein_bridge_held_records',
    'Records held until another node has delivered what their clients published there before.',
    'bridge',
  ),
  bridgeConsumerLag: metric(
    'skein_bridge_consumer_lag_records',
    'Records not consumed yet, of the worst of the partitions that this node consumes.',
    'bridge',
  ),
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Every histogram of a broker node. */
export const BROKER_HISTOGRAMS = {
  connectDuration: histogram(
    metric(
      'skein_broker_connect_duration_seconds',
      'Time from accepting a socket to CONNACK.',
      ...['listener', 'stage'],
    ),
    CALL_SECONDS,
  ),
  authenticationDuration: histogram(
    metric(
      'skein_broker_authentication_duration_seconds',
      'Time from CONNECT until it is known whether the client is who it says.',
      'backend',
    ),
    AUTHENTICATION_SECONDS,
  ),
  connectionDuration: histogram(
    metric('skein_broker_connection_duration_seconds', 'Lifetime of connections.'),
    LIFETIME_SECONDS,
  ),
  takeoverDuration: histogram(
    metric(
      'skein_broker_session_takeover_duration_seconds',
      'Time to take a session over from another connection.',
      'scope',
    ),
    CALL_SECONDS,
  ),
  publishAckDuration: histogram(
    metric(
      'skein_broker_publish_ack_duration_seconds',
      'Time from PUBLISH in until the message is taken or refused, which PUBACK or PUBREC then tells.',
      'qos',
    ),
    MESSAGE_SECONDS,
  ),
  deliveryDuration: histogram(
    metric(
      'skein_broker_delivery_duration_seconds',
      'Time from PUBLISH in to the socket write of a receiver.',
      ...['qos', 'path'],
    ),
    MESSAGE_SECONDS,
  ),
  fanoutReceivers: histogram(
    metric('skein_broker_fanout_receivers', 'Receivers of a message on this node.'),
    [1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000],
  ),
  messageSize: histogram(
    metric('skein_broker_message_size_bytes', 'Payload sizes.', 'direction'),
    [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576],
  ),
  clusterDeliveryDuration: histogram(
    metric(
      'skein_broker_cluster_delivery_duration_seconds',
      'Time of a message from node to node, at least 0.',
    ),
    MESSAGE_SECONDS,
  ),
  redisCommandDuration: histogram(
    metric('skein_broker_redis_command_duration_seconds', 'Round trips to Redis.', 'operation'),
    CALL_SECONDS,
  ),
  eventLoopDelay: histogram(
    metric('skein_broker_event_loop_delay_seconds', 'How late the event loop was.'),
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5],
  ),
  bridgeProduceDuration: histogram(
    metric('skein_bridge_produce_duration_seconds', 'Time of a batch to the other side.', 'bridge'),
    BRIDGE_SECONDS,
  ),
  bridgeEndToEnd: histogram(
    metric(
      'skein_bridge_end_to_end_duration_seconds',
      'Time of a record from one side of the bridge to the other.',
      ...['bridge', 'direction'],
    ),
    BRIDGE_SECONDS,
  ),
  bridgeTransformDuration: histogram(
    metric(
      'skein_bridge_transform_duration_seconds',
      'Time that the expressions of a rule take for a message or record.',
      'rule',
    ),
    TRANSFORM_SECONDS,
  ),
  bridgeBatchRecords: histogram(
    metric('skein_bridge_batch_records', 'Records of a batch, in either direction.', 'bridge'),
    [1, 5, 10, 25, 50, 100, 250, 500],
  ),
} as const satisfies Readonly<Record<string, HistogramSpec>>;

/** The names of all metrics of all processes, without those of Node.js itself. */
export const METRIC_NAMES: readonly string[] = [
  ...[BROKER_COUNTERS, BROKER_GAUGES, BROKER_HISTOGRAMS],
  ...[API_COUNTERS, API_GAUGES, API_HISTOGRAMS],
].flatMap((family) => Object.values<MetricSpec>(family).map(({ name }) => name));

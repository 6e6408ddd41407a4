import type { Dial, Hold } from './dial.ts';

/** An alert on a cause: what is wrong, seen from inside. */
export interface Cause {
  readonly name: string;
  readonly group: 'availability' | 'connections' | 'messages' | 'bridge-and-api';
  readonly severity: 'critical' | 'warning' | 'info';
  readonly hold: Hold;
  /** The uid of the dashboard that shows it. */
  readonly dashboard: string;
  /** One line for the pager. */
  readonly summary: string;
  /** What it means and what to look at first. */
  readonly description: string;
  /** The condition, with the numbers and times of the dial. */
  expression(dial: Dial): string;
}

const CONNECTIONS = 'namespace_job:skein_broker_connections:sum';
const POD_CONNECTIONS = 'sum by (namespace, job, pod) (skein_broker_connections)';
const UP = 'count by (namespace, job) (up{job="skein-broker"} == 1)';
/** A node that drains is scraped and is in the cluster, until it has gone. */
const seen = (by: 'max' | 'min'): string =>
  `${by} by (namespace, job) (sum by (namespace, job, pod) (skein_broker_cluster_nodes{state=~"alive|draining"}))`;

const AVAILABILITY: readonly Cause[] = [
  {
    name: 'SkeinBrokerTargetDown',
    ...{ group: 'availability', severity: 'critical', hold: '2m', dashboard: 'skein-overview' },
    summary: 'Broker pod {{ $labels.pod }} cannot be scraped',
    description:
      'Prometheus gets no metrics of {{ $labels.namespace }}/{{ $labels.pod }}. The process is gone, frozen, or out of reach; its clients go to other nodes.',
    expression: () => 'min by (namespace, pod) (up{job="skein-broker"}) == 0',
  },
  {
    name: 'SkeinBrokerAbsent',
    ...{ group: 'availability', severity: 'critical', hold: '2m', dashboard: 'skein-overview' },
    summary: 'No broker is up',
    description:
      'No target of job skein-broker answers. Either all nodes are gone or Prometheus does not find them.',
    expression: () => 'absent(up{job="skein-broker"} == 1)',
  },
  {
    name: 'SkeinBrokerClusterSizeMismatch',
    ...{ group: 'availability', severity: 'warning', hold: '5m', dashboard: 'skein-cluster' },
    summary: 'Nodes of {{ $labels.namespace }} disagree on who is in the cluster',
    description:
      'The number of nodes that a node sees differs from the number that is scraped: a partition, a lease that nobody renews, or a node that nobody scrapes.',
    expression: () =>
      `(${UP} != on (namespace, job) ${seen('max')}) or (${UP} != on (namespace, job) ${seen('min')})`,
  },
  {
    name: 'SkeinBrokerInterNodeBacklog',
    ...{ group: 'availability', severity: 'warning', hold: '5m', dashboard: 'skein-cluster' },
    summary: 'Messages pile up between nodes at {{ $labels.pod }}',
    description:
      'Messages of clients of {{ $labels.pod }} wait until Redis has stored them for other nodes: Redis is slow or full, or the node is busy.',
    expression: (dial) =>
      `sum by (namespace, pod) (skein_broker_cluster_backlog_messages) > ${dial.threshold('interNodeBacklogMessages')}`,
  },
  {
    name: 'SkeinBrokerRedisUnavailable',
    ...{ group: 'availability', severity: 'critical', hold: '1m', dashboard: 'skein-cluster' },
    summary: '{{ $labels.pod }} has no connection to Redis ({{ $labels.role }})',
    description:
      'QoS 1 and 2 of durable sessions are not acknowledged there and messages do not cross nodes. QoS 0 between clients of one node goes on.',
    expression: () => 'min by (namespace, pod, role) (skein_broker_redis_up) == 0',
  },
  {
    name: 'SkeinBrokerRedisSlow',
    ...{ group: 'availability', severity: 'warning', hold: '10m', dashboard: 'skein-cluster' },
    summary: 'Redis answers slowly in {{ $labels.namespace }}',
    description:
      'One of 100 Redis commands takes longer than the bound; every PUBACK for durable sessions waits for Redis.',
    expression: (dial) =>
      `histogram_quantile(0.99, sum by (namespace, job, le) (rate(skein_broker_redis_command_duration_seconds_bucket[${dial.window('5m')}]))) > ${dial.threshold('redisP99Seconds')}`,
  },
  {
    name: 'SkeinBrokerDrainStuck',
    ...{ group: 'availability', severity: 'warning', hold: '0m', dashboard: 'skein-cluster' },
    summary: '{{ $labels.pod }} has been draining for more than 20 minutes',
    description:
      'A drain that does not end holds up a roll-out, and Kubernetes will kill the pod when its grace ends.',
    expression: (dial) =>
      `min by (namespace, pod) (min_over_time(skein_broker_draining[${dial.window('20m')}])) == 1`,
  },
];

const CLIENTS: readonly Cause[] = [
  {
    name: 'SkeinBrokerConnectionDrop',
    ...{ group: 'connections', severity: 'critical', hold: '2m', dashboard: 'skein-connections' },
    summary: 'Many clients of {{ $labels.namespace }} are gone',
    description:
      'More than a fifth of the connections of ten minutes ago is gone, and no node drains: a network, a load balancer, a certificate or a login backend.',
    expression: (dial) => {
      const before = `${CONNECTIONS} offset ${dial.window('10m')}`;
      return `(${CONNECTIONS} / (${before}) < ${dial.threshold('connectionDropRatio')}) and (${before} > ${dial.threshold('connectionDropMin')}) unless on (namespace, job) (sum by (namespace, job) (skein_broker_draining) > 0)`;
    },
  },
  {
    name: 'SkeinBrokerReconnectStorm',
    ...{ group: 'connections', severity: 'warning', hold: '5m', dashboard: 'skein-connections' },
    summary: 'Clients of {{ $labels.namespace }} reconnect all the time',
    description:
      'More than one of 50 clients connects each second: clients that come and go, take each other over, or are refused and come back.',
    expression: (dial) =>
      `namespace_job:skein_broker_connects:rate5m / clamp_min(${CONNECTIONS}, 100) > ${dial.threshold('reconnectRatio')}`,
  },
  {
    name: 'SkeinBrokerConnectionCapacity',
    ...{ group: 'connections', severity: 'warning', hold: '10m', dashboard: 'skein-connections' },
    summary: '{{ $labels.pod }} is near its connection limit',
    description: 'At the limit new clients are refused there. Add nodes, or raise the limit.',
    expression: (dial) =>
      `sum by (namespace, pod) (skein_broker_connections) / on (namespace, pod) sum by (namespace, pod) (skein_broker_connections_limit) > ${dial.threshold('connectionCapacityRatio')}`,
  },
  {
    name: 'SkeinBrokerNPlusOneCapacity',
    ...{ group: 'connections', severity: 'warning', hold: '15m', dashboard: 'skein-connections' },
    summary:
      'The other nodes of {{ $labels.namespace }} could not carry the clients of one that fails',
    description:
      'All connections are more than the limits of all nodes but the largest. The loss of one node would leave clients outside.',
    expression: () =>
      'sum by (namespace, job) (skein_broker_connections) > sum by (namespace, job) (skein_broker_connections_limit) - max by (namespace, job) (sum by (namespace, job, pod) (skein_broker_connections_limit))',
  },
  {
    name: 'SkeinBrokerConnectionImbalance',
    ...{ group: 'connections', severity: 'info', hold: '30m', dashboard: 'skein-connections' },
    summary: 'Clients of {{ $labels.namespace }} are spread unevenly',
    description:
      'The fullest node has far more clients than the average, as after a scale-up: a new node gets new clients only. A rebalance moves some.',
    expression: (dial) =>
      `(max by (namespace, job) (${POD_CONNECTIONS}) / avg by (namespace, job) (${POD_CONNECTIONS})) > ${dial.threshold('imbalanceRatio')} and ${CONNECTIONS} > ${dial.threshold('imbalanceMinConnections')}`,
  },
  {
    name: 'SkeinBrokerAuthFailureSpike',
    ...{ group: 'connections', severity: 'warning', hold: '5m', dashboard: 'skein-connections' },
    summary: 'Many logins are denied in {{ $labels.namespace }}',
    description:
      'A wrong credential has been rolled out to a fleet, a signing key has changed, or somebody guesses passwords.',
    expression: (dial) => {
      const denied = `sum by (namespace, job) (rate(skein_broker_authentications_total{outcome="denied"}[${dial.window('5m')}]))`;
      const all = `sum by (namespace, job) (rate(skein_broker_authentications_total[${dial.window('5m')}]))`;
      return `${denied} > ${dial.threshold('authDenialsPerSecond')} and ${denied} / ${all} > ${dial.threshold('authDenialRatio')}`;
    },
  },
  {
    name: 'SkeinBrokerAuthBackendError',
    ...{ group: 'connections', severity: 'critical', hold: '5m', dashboard: 'skein-connections' },
    summary: 'The login backend {{ $labels.backend }} fails',
    description:
      'Logins that need {{ $labels.backend }} are refused, whoever asks. Clients that are connected stay.',
    expression: (dial) =>
      `sum by (namespace, job, backend) (rate(skein_broker_authentications_total{outcome="error"}[${dial.window('5m')}])) > 0`,
  },
  {
    name: 'SkeinBrokerCertificateExpiry',
    ...{ group: 'connections', severity: 'warning', hold: '1h', dashboard: 'skein-connections' },
    summary: 'The certificate of listener {{ $labels.listener }} ends soon',
    description:
      'When it has ended, no client that checks certificates can connect. Nodes take a renewed file without a restart.',
    expression: (dial) =>
      `min by (namespace, listener) (skein_broker_tls_certificate_not_after_timestamp_seconds) - time() < ${dial.threshold('certificateSeconds')}`,
  },
];

const MESSAGES: readonly Cause[] = [
  {
    name: 'SkeinBrokerDeliveriesDropped',
    ...{ group: 'messages', severity: 'warning', hold: '10m', dashboard: 'skein-messages' },
    summary: 'Deliveries are dropped in {{ $labels.namespace }} ({{ $labels.reason }})',
    description:
      'Messages do not reach subscribers because a bound was hit: a full queue, a packet too large for its receiver, or a quota.',
    expression: (dial) =>
      `sum by (namespace, job, reason) (rate(skein_broker_deliveries_dropped_total{reason=~"queue_full|too_large|quota"}[${dial.window('5m')}])) > ${dial.threshold('dropsPerSecond')}`,
  },
  {
    name: 'SkeinBrokerQueueGrowing',
    ...{ group: 'messages', severity: 'warning', hold: '30m', dashboard: 'skein-messages' },
    summary: 'Queues of sessions grow in {{ $labels.namespace }}',
    description:
      'Subscribers take less than they are sent, or stay away. Queues are bounded: what does not fit will be dropped.',
    expression: (dial) => {
      const queued = 'sum by (namespace, job) (skein_broker_session_queue_messages)';
      return `deriv(${queued}[${dial.window('15m')}:${dial.window('1m')}]) > ${dial.threshold('queueGrowthPerSecond')} and ${queued} > ${dial.threshold('queueMessages')}`;
    },
  },
  {
    name: 'SkeinBrokerEventLoopLag',
    ...{ group: 'messages', severity: 'warning', hold: '5m', dashboard: 'skein-nodes' },
    summary: 'The event loop of {{ $labels.pod }} is late',
    description:
      'The node has more work than one core does: latency grows for all of its clients, and keep-alives may be missed.',
    expression: (dial) =>
      `histogram_quantile(0.99, sum by (namespace, pod, le) (rate(skein_broker_event_loop_delay_seconds_bucket[${dial.window('5m')}]))) > ${dial.threshold('eventLoopP99Seconds')}`,
  },
  {
    name: 'SkeinBrokerFileDescriptorsNearLimit',
    ...{ group: 'messages', severity: 'warning', hold: '10m', dashboard: 'skein-nodes' },
    summary: '{{ $labels.pod }} runs out of file descriptors',
    description: 'Without descriptors no client can connect, and files cannot be read.',
    expression: (dial) =>
      `max_over_time(process_open_fds{job="skein-broker"}[${dial.window('5m')}]) / process_max_fds{job="skein-broker"} > ${dial.threshold('fileDescriptorRatio')}`,
  },
  {
    name: 'SkeinBrokerHeapNearLimit',
    ...{ group: 'messages', severity: 'warning', hold: '10m', dashboard: 'skein-nodes' },
    summary: 'The heap of {{ $labels.pod }} is nearly full',
    description:
      'Garbage collection takes more and more time; overload protection refuses clients before the process would die.',
    expression: (dial) =>
      `nodejs_heap_size_used_bytes{job="skein-broker"} / on (namespace, pod) skein_broker_heap_limit_bytes > ${dial.threshold('heapRatio')}`,
  },
];

const EDGES: readonly Cause[] = [
  {
    name: 'SkeinBridgeDown',
    ...{ group: 'bridge-and-api', severity: 'critical', hold: '2m', dashboard: 'skein-bridge' },
    summary: 'Bridge {{ $labels.bridge }} of {{ $labels.pod }} has no connection',
    description:
      'Records wait in the buffer or spool of the node; rules with ack: kafka refuse messages until the other side is back.',
    expression: () => 'min by (namespace, pod, bridge) (skein_bridge_connected) == 0',
  },
  {
    name: 'SkeinBridgeBufferFilling',
    ...{ group: 'bridge-and-api', severity: 'warning', hold: '10m', dashboard: 'skein-bridge' },
    summary:
      'The buffer of bridge {{ $labels.bridge }} at {{ $labels.pod }} will be full within an hour',
    description:
      'The other side takes less than clients send. A full buffer refuses or drops, as the rule says.',
    expression: (dial) =>
      `predict_linear(skein_bridge_buffer_bytes[${dial.window('15m')}], ${dial.threshold('bufferFullSeconds')}) > on (namespace, pod, bridge) skein_bridge_buffer_limit_bytes`,
  },
  {
    name: 'SkeinBridgeDropping',
    ...{ group: 'bridge-and-api', severity: 'critical', hold: '5m', dashboard: 'skein-bridge' },
    summary: 'Bridge {{ $labels.bridge }} drops records ({{ $labels.reason }})',
    description: 'Records are lost on their way to the other side, as the rule permits.',
    expression: (dial) =>
      `sum by (namespace, bridge, reason) (rate(skein_bridge_records_total{outcome="dropped"}[${dial.window('5m')}])) > 0`,
  },
  {
    name: 'SkeinBridgeConsumerLag',
    ...{ group: 'bridge-and-api', severity: 'warning', hold: '15m', dashboard: 'skein-bridge' },
    summary: 'Bridge {{ $labels.bridge }} is behind in Kafka',
    description: 'Records for clients are published later than they could be.',
    expression: (dial) =>
      `max by (namespace, bridge) (skein_bridge_consumer_lag_records) > ${dial.threshold('consumerLagRecords')}`,
  },
  {
    name: 'SkeinApiLatencyHigh',
    ...{ group: 'bridge-and-api', severity: 'warning', hold: '10m', dashboard: 'skein-api' },
    summary: 'The admin API answers slowly in {{ $labels.namespace }}',
    description:
      'One of 20 requests takes longer than the bound; nodes that do not answer cost two seconds each.',
    expression: (dial) =>
      `histogram_quantile(0.95, sum by (namespace, job, le) (rate(skein_api_http_request_duration_seconds_bucket{route!~".*(events|stream|message-requests).*"}[${dial.window('5m')}]))) > ${dial.threshold('apiP95Seconds')}`,
  },
  {
    name: 'SkeinMetricsCardinality',
    ...{ group: 'bridge-and-api', severity: 'warning', hold: '30m', dashboard: 'skein-nodes' },
    summary: 'A process of job {{ $labels.job }} exposes too many series',
    description:
      'Prometheus will refuse the scrape at its limit. Something made names or labels without a bound.',
    expression: (dial) =>
      `scrape_samples_post_metric_relabeling{job=~"skein-.*"} > ${dial.threshold('seriesPerTarget')}`,
  },
];

/** Every alert on a cause. */
export const CAUSES: readonly Cause[] = [...AVAILABILITY, ...CLIENTS, ...MESSAGES, ...EDGES];

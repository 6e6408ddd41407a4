import {
  JOB,
  POD,
  at,
  growing,
  pair,
  steady,
  type RuleCase,
  type SeriesOf,
} from './case-series.ts';

const nodes = (pods: readonly string[], seen: number): SeriesOf =>
  Object.fromEntries(
    pods.flatMap((pod) => [
      [`up{${at(pod)}}`, steady(1)],
      [`skein_broker_cluster_nodes{${at(pod)}, state="alive"}`, steady(seen)],
    ]),
  );

const clients = (counts: Readonly<Record<string, number>>, limit: number): SeriesOf =>
  Object.fromEntries(
    Object.entries(counts).flatMap(([pod, count]) => [
      [`skein_broker_connections{${at(pod)}, listener="tcp"}`, steady(count)],
      [`skein_broker_connections_limit{${at(pod)}, listener="tcp"}`, steady(limit)],
    ]),
  );

const LEAVING = `1000x30 600x90`;

const AVAILABILITY = [
  ...pair(
    'SkeinBrokerTargetDown',
    {
      name: 'a pod is not scraped for three minutes',
      series: { [`up{${at('b-0')}}`]: '1x30 0x90', [`up{${at('b-1')}}`]: steady(1) },
      at: '34m',
      firing: [POD],
    },
    {
      name: 'a scrape fails once',
      series: { [`up{${at('b-0')}}`]: '1x30 0 1x90' },
      at: '32m',
    },
  ),
  ...pair(
    'SkeinBrokerAbsent',
    { name: 'all targets are gone', series: {}, firing: [{}] },
    { name: 'one node is left', series: nodes(['b-0'], 1) },
  ),
  ...pair(
    'SkeinBrokerClusterSizeMismatch',
    {
      name: 'three are scraped, and one sees but two',
      series: {
        ...nodes(['b-0', 'b-1'], 3),
        ...nodes(['b-2'], 2),
      },
      firing: [JOB],
    },
    {
      name: 'three are scraped, and all see two and one that drains',
      series: {
        ...nodes(['b-0', 'b-1', 'b-2'], 2),
        ...Object.fromEntries(
          ['b-0', 'b-1', 'b-2'].map((pod) => [
            `skein_broker_cluster_nodes{${at(pod)}, state="draining"}`,
            steady(1),
          ]),
        ),
      },
    },
  ),
  ...pair(
    'SkeinBrokerInterNodeBacklog',
    {
      name: '20,000 messages of a node wait for Redis',
      series: { [`skein_broker_cluster_backlog_messages{${at('b-0')}}`]: steady(20_000) },
      firing: [POD],
    },
    {
      name: 'a busy one has 500',
      series: { [`skein_broker_cluster_backlog_messages{${at('b-0')}}`]: steady(500) },
    },
  ),
  ...pair(
    'SkeinBrokerRedisUnavailable',
    {
      name: 'the subscriber connection of one pod is gone',
      series: {
        [`skein_broker_redis_up{${at('b-0')}, role="subscriber"}`]: '1x60 0x60',
        [`skein_broker_redis_up{${at('b-0')}, role="commands"}`]: steady(1),
      },
      firing: [{ ...POD, role: 'subscriber' }],
    },
    {
      name: 'Redis fails over within half a minute',
      series: { [`skein_broker_redis_up{${at('b-0')}, role="commands"}`]: '1x60 0 1x60' },
      at: '61m',
    },
  ),
  ...pair(
    'SkeinBrokerRedisSlow',
    { name: 'a tenth of the commands take half a second', series: redis(900), firing: [JOB] },
    { name: 'one command of a thousand does', series: redis(999) },
  ),
  ...pair(
    'SkeinBrokerDrainStuck',
    {
      name: 'a node drains for half an hour',
      series: { [`skein_broker_draining{${at('b-0')}}`]: '0x60 1x60' },
      firing: [POD],
    },
    {
      name: 'a node drains for five minutes',
      series: { [`skein_broker_draining{${at('b-0')}}`]: '0x60 1x5 0x60' },
      at: '64m',
    },
  ),
];

function redis(fast: number): SeriesOf {
  const bucket = (le: string): string =>
    `skein_broker_redis_command_duration_seconds_bucket{${at('b-0')}, operation="write", le="${le}"}`;
  return {
    [bucket('0.01')]: growing(fast),
    [bucket('0.5')]: growing(1_000),
    [bucket('+Inf')]: growing(1_000),
  };
}

const CLIENTS = [
  ...pair(
    'SkeinBrokerConnectionDrop',
    {
      name: 'two fifths of the clients vanish',
      series: { [`skein_broker_connections{${at('b-0')}, listener="tcp"}`]: LEAVING },
      at: '36m',
      firing: [JOB],
    },
    {
      name: 'as many leave a node that drains',
      series: {
        [`skein_broker_connections{${at('b-0')}, listener="tcp"}`]: LEAVING,
        [`skein_broker_draining{${at('b-0')}}`]: '0x30 1x90',
      },
      at: '36m',
    },
  ),
  ...pair(
    'SkeinBrokerReconnectStorm',
    {
      name: '1,000 clients connect 100 times a second',
      series: { ...clients({ 'b-0': 1_000 }, 5_000), ...connects(6_000) },
      firing: [JOB],
    },
    {
      name: '1,000 clients connect once a minute altogether',
      series: { ...clients({ 'b-0': 1_000 }, 5_000), ...connects(1) },
    },
  ),
  ...pair(
    'SkeinBrokerConnectionCapacity',
    { name: 'a node has 900 of 1,000', series: clients({ 'b-0': 900 }, 1_000), firing: [POD] },
    { name: 'a node has 800 of 1,000', series: clients({ 'b-0': 800 }, 1_000) },
  ),
  ...pair(
    'SkeinBrokerNPlusOneCapacity',
    {
      name: 'two nodes could not carry the clients of three',
      series: clients({ 'b-0': 700, 'b-1': 700, 'b-2': 700 }, 1_000),
      firing: [JOB],
    },
    {
      name: 'two nodes could',
      series: clients({ 'b-0': 600, 'b-1': 600, 'b-2': 600 }, 1_000),
    },
  ),
  ...pair(
    'SkeinBrokerConnectionImbalance',
    {
      name: 'a new node is empty after a scale-up',
      series: clients({ 'b-0': 1_500, 'b-1': 0, 'b-2': 300 }, 5_000),
      firing: [JOB],
    },
    {
      name: 'a small cluster is uneven',
      series: clients({ 'b-0': 150, 'b-1': 0, 'b-2': 30 }, 5_000),
    },
  ),
  ...pair(
    'SkeinBrokerAuthFailureSpike',
    {
      name: 'a fleet has a wrong password',
      series: logins({ denied: 1_200, allowed: 600 }),
      firing: [JOB],
    },
    { name: 'one device of many has', series: logins({ denied: 60, allowed: 6_000 }) },
  ),
  ...pair(
    'SkeinBrokerAuthBackendError',
    {
      name: 'a webhook is out of reach',
      series: logins({ error: 10, allowed: 100 }),
      firing: [{ ...JOB, backend: 'webhook' }],
    },
    { name: 'it answers', series: logins({ error: 0, allowed: 100 }) },
  ),
  ...pair(
    'SkeinBrokerCertificateExpiry',
    {
      name: 'a certificate ends in ten days',
      series: certificate(10),
      firing: [{ namespace: 'prod', listener: 'tls' }],
    },
    { name: 'a certificate ends in thirty days', series: certificate(30) },
  ),
];

function connects(perMinute: number): SeriesOf {
  const labels = `${at('b-0')}, listener="tcp", mqtt_version="5", outcome="success", reason="success"`;
  return { [`skein_broker_connects_total{${labels}}`]: growing(perMinute) };
}

function logins(perMinute: Readonly<Record<string, number>>): SeriesOf {
  return Object.fromEntries(
    Object.entries(perMinute).map(([outcome, count]) => [
      `skein_broker_authentications_total{${at('b-0')}, backend="webhook", outcome="${outcome}"}`,
      growing(count),
    ]),
  );
}

function certificate(days: number): SeriesOf {
  const name = `skein_broker_tls_certificate_not_after_timestamp_seconds{${at('b-0')}, listener="tls"}`;
  return { [name]: steady(days * 86_400) };
}

const MESSAGES = [
  ...pair(
    'SkeinBrokerDeliveriesDropped',
    {
      name: 'a full queue drops ten a second',
      series: drops('queue_full', 600),
      firing: [{ ...JOB, reason: 'queue_full' }],
    },
    { name: 'messages expire while their sessions are away', series: drops('expired', 600) },
  ),
  ...pair(
    'SkeinBrokerQueueGrowing',
    {
      name: 'a consumer is too slow for half an hour and more',
      series: {
        [`skein_broker_session_queue_messages{${at('b-0')}}`]: growing(1_200, 20_000),
      },
      firing: [JOB],
    },
    {
      name: 'a large backlog shrinks',
      series: {
        [`skein_broker_session_queue_messages{${at('b-0')}}`]: '500000-1200x120',
      },
    },
  ),
  ...pair(
    'SkeinBrokerEventLoopLag',
    { name: 'a tenth of the turns are late by half a second', series: lag(900), firing: [POD] },
    { name: 'one turn of a thousand is', series: lag(999) },
  ),
  ...pair(
    'SkeinBrokerFileDescriptorsNearLimit',
    {
      name: '900 of 1,000 are open',
      series: ofProcess('process_open_fds', 900, ['process_max_fds', 1_000]),
      firing: [{ ...JOB, pod: 'b-0', instance: 'b-0:9464' }],
    },
    {
      name: '700 of 1,000 are open',
      series: ofProcess('process_open_fds', 700, ['process_max_fds', 1_000]),
    },
  ),
  ...pair(
    'SkeinBrokerHeapNearLimit',
    {
      name: '95 % of the heap is in use',
      series: ofProcess('nodejs_heap_size_used_bytes', 950, [
        'skein_broker_heap_limit_bytes',
        1_000,
      ]),
      firing: [POD],
    },
    {
      name: '80 % is',
      series: ofProcess('nodejs_heap_size_used_bytes', 800, [
        'skein_broker_heap_limit_bytes',
        1_000,
      ]),
    },
  ),
];

function drops(reason: string, perMinute: number): SeriesOf {
  const name = `skein_broker_deliveries_dropped_total{${at('b-0')}, reason="${reason}", fault="client"}`;
  return { [name]: growing(perMinute) };
}

function lag(fast: number): SeriesOf {
  const bucket = (le: string): string =>
    `skein_broker_event_loop_delay_seconds_bucket{${at('b-0')}, le="${le}"}`;
  return {
    [bucket('0.01')]: growing(fast),
    [bucket('0.5')]: growing(1_000),
    [bucket('+Inf')]: growing(1_000),
  };
}

function ofProcess(name: string, used: number, limit: readonly [string, number]): SeriesOf {
  return {
    [`${name}{${at('b-0')}}`]: steady(used),
    [`${limit[0]}{${at('b-0')}}`]: steady(limit[1]),
  };
}

const BRIDGE = { namespace: 'prod', bridge: 'main' };

const EDGES = [
  ...pair(
    'SkeinBridgeDown',
    {
      name: 'Kafka is away',
      series: { [`skein_bridge_connected{${at('b-0')}, bridge="main"}`]: '1x60 0x60' },
      firing: [{ ...POD, bridge: 'main' }],
    },
    {
      name: 'Kafka is there',
      series: { [`skein_bridge_connected{${at('b-0')}, bridge="main"}`]: steady(1) },
    },
  ),
  ...pair(
    'SkeinBridgeBufferFilling',
    {
      name: 'it grows by a megabyte a minute, and would be full in half an hour',
      series: buffer(growing(1_000_000), 120_000_000),
      firing: [{ ...POD, bridge: 'main' }],
    },
    { name: 'it stays half full', series: buffer(steady(70_000_000), 140_000_000) },
  ),
  ...pair(
    'SkeinBridgeDropping',
    {
      name: 'a rule gives up what is too old',
      series: records('dropped', 'expired', 10),
      firing: [{ ...BRIDGE, reason: 'expired' }],
    },
    { name: 'records are delivered', series: records('delivered', 'none', 10) },
  ),
  ...pair(
    'SkeinBridgeConsumerLag',
    {
      name: '20,000 records wait',
      series: {
        [`skein_bridge_consumer_lag_records{${at('b-0')}, bridge="main"}`]: steady(20_000),
      },
      firing: [BRIDGE],
    },
    {
      name: '100 records wait',
      series: { [`skein_bridge_consumer_lag_records{${at('b-0')}, bridge="main"}`]: steady(100) },
    },
  ),
  ...pair(
    'SkeinApiLatencyHigh',
    {
      name: 'a tenth of the lists take a second',
      series: requests('/api/v1/clients', 900),
      firing: [{ namespace: 'prod', job: 'skein-api' }],
    },
    { name: 'streams stay open', series: requests('/api/v1/events', 0) },
  ),
  ...pair(
    'SkeinMetricsCardinality',
    {
      name: 'a process has 6,000 series',
      series: { [`scrape_samples_post_metric_relabeling{${at('b-0')}}`]: steady(6_000) },
      firing: [{ ...JOB, pod: 'b-0', instance: 'b-0:9464' }],
    },
    {
      name: 'a process has 1,200 series',
      series: { [`scrape_samples_post_metric_relabeling{${at('b-0')}}`]: steady(1_200) },
    },
  ),
];

function buffer(bytes: string, limit: number): SeriesOf {
  return {
    [`skein_bridge_buffer_bytes{${at('b-0')}, bridge="main"}`]: bytes,
    [`skein_bridge_buffer_limit_bytes{${at('b-0')}, bridge="main"}`]: steady(limit),
  };
}

function records(outcome: string, reason: string, perMinute: number): SeriesOf {
  const labels = `${at('b-0')}, bridge="main", direction="mqtt_to_kafka", outcome="${outcome}", reason="${reason}"`;
  return { [`skein_bridge_records_total{${labels}}`]: growing(perMinute) };
}

function requests(route: string, fast: number): SeriesOf {
  const bucket = (le: string): string =>
    `skein_api_http_request_duration_seconds_bucket{namespace="prod", job="skein-api", pod="api-0", route="${route}", method="GET", le="${le}"}`;
  return {
    [bucket('0.1')]: growing(fast),
    [bucket('1')]: growing(1_000),
    [bucket('+Inf')]: growing(1_000),
  };
}

/** Every alert on a cause has a case in which it fires and one in which it does not. */
export const CAUSE_CASES: readonly RuleCase[] = [
  ...AVAILABILITY,
  ...CLIENTS,
  ...MESSAGES,
  ...EDGES,
];

import { areas, heat, quantile, rate, series, stat, type Board, type Panel } from './panel.ts';

const REJECTED: Panel = series(
  ['Errors', 'reqps'],
  [
    [rate('skein_broker_sockets_rejected_total{~}', 'reason'), 'socket: {{reason}}'],
    [
      rate('skein_broker_authentications_total{~, outcome!="allowed"}', 'outcome'),
      'login: {{outcome}}',
    ],
    [rate('skein_broker_publish_rejected_total{~}', 'reason'), 'publish: {{reason}}'],
    [rate('skein_broker_deliveries_dropped_total{~}', 'reason'), 'dropped: {{reason}}'],
  ],
  [
    'What nodes refuse or drop each second.',
    'Near zero, but for expired messages of sessions that are away.',
    'Follow the reason: sockets and logins on the connections dashboard, publishes and drops on that of messages.',
  ],
);

const LEFT = (['connect', 'delivery', 'latency', 'bridge', 'api'] as const).map(
  (slo) =>
    [
      `1 - avg_over_time(namespace_job:skein_slo_${slo}_errors:ratio_rate1h{namespace=~"$namespace"}[30d]) / ${{ connect: '0.001', delivery: '0.0001', latency: '0.01', bridge: '0.001', api: '0.005' }[slo]}`,
      slo,
    ] as const,
);

const HEADER: readonly Panel[] = [
  stat(['Nodes alive', 'short'], 'max(skein_broker_cluster_nodes{~, state="alive"}) or vector(0)', {
    bounds: { warning: 2, critical: 1, falling: true },
    text: [
      'Nodes with a lease, as the node that sees most sees them.',
      'As many as are meant to run.',
      'See which pod is missing in the table below.',
      'runbooks/SkeinBrokerTargetDown.md',
    ],
  }),
  stat(['Connections', 'short'], 'sum(skein_broker_connections{~}) or vector(0)', {
    text: [
      'Clients connected now.',
      'Follows the fleet; no steps.',
      'A step down: disconnects by reason below.',
    ],
  }),
  stat(
    ['Of the limit', 'percentunit'],
    'sum(skein_broker_connections{~}) / sum(skein_broker_connections_limit{~})',
    {
      bounds: { warning: 0.7, critical: 0.85 },
      text: [
        'Share of all configured connections in use.',
        'Below 70 %, so that the loss of a node leaves room.',
        'Add nodes.',
        'runbooks/SkeinBrokerConnectionCapacity.md',
      ],
    },
  ),
  stat(['Sessions', 'short'], 'sum(skein_broker_sessions{~}) or vector(0)', {
    text: [
      'Sessions, connected or not.',
      'Steady.',
      'Growing without end: clients with new ids that never expire.',
    ],
  }),
  stat(['Subscriptions', 'short'], 'sum(skein_broker_subscriptions{~}) or vector(0)', {
    text: [
      'Subscriptions of all sessions.',
      'Steady.',
      'A jump: a client that subscribes in a loop.',
    ],
  }),
  stat(['Messages in', 'cps'], `${rate('skein_broker_publish_received_total{~}')} or vector(0)`, {
    text: [
      'Messages that clients publish each second.',
      'Follows the fleet.',
      'A fall: publishers are gone or held.',
    ],
  }),
  stat(['Messages out', 'cps'], `${rate('skein_broker_publish_sent_total{~}')} or vector(0)`, {
    text: [
      'Messages sent to clients each second.',
      'Follows messages in.',
      'A fall alone: subscribers are gone.',
    ],
  }),
  stat(
    ['Dropped', 'cps'],
    `${rate('skein_broker_deliveries_dropped_total{~, reason!="no_subscribers"}')} or vector(0)`,
    {
      bounds: { warning: 1, critical: 100 },
      text: [
        'Deliveries not made each second, without those that nobody wanted.',
        'Zero.',
        'See the reason below.',
        'runbooks/SkeinBrokerDeliveriesDropped.md',
      ],
    },
  ),
  stat(
    ['Connects that succeed', 'percentunit'],
    `${rate('skein_broker_connects_total{~, outcome="success"}')} / ${rate('skein_broker_connects_total{~, outcome!="client_error"}')}`,
    {
      bounds: { warning: 0.999, critical: 0.99, falling: true },
      text: [
        'Share of connects that succeed, without those that the client spoiled.',
        'Above 99.9 %.',
        'See reasons on the connections dashboard.',
        'runbooks/SkeinSloConnectBurn.md',
      ],
    },
  ),
  stat(['Delivery p99', 's'], quantile(0.99, 'skein_broker_delivery_duration_seconds_bucket{~}'), {
    bounds: { warning: 0.1, critical: 0.25 },
    text: [
      'Time from PUBLISH to the socket of the receiver that 99 of 100 messages keep.',
      'Below 100 ms.',
      'Busy nodes or a slow Redis.',
      'runbooks/SkeinSloLatencyBurn.md',
    ],
  }),
  stat(
    ['Bridge records that succeed', 'percentunit'],
    `${rate('skein_bridge_records_total{~, outcome="delivered"}')} / ${rate('skein_bridge_records_total{~, outcome!="filtered"}')}`,
    {
      bounds: { warning: 0.999, critical: 0.99, falling: true },
      text: [
        'Share of records that reach the other side.',
        'Above 99.9 %.',
        'See the bridge dashboard.',
        'runbooks/SkeinSloBridgeBurn.md',
      ],
    },
  ),
  stat(
    ['Alerts firing', 'short'],
    'count(ALERTS{alertname=~"Skein.*", alertstate="firing", namespace=~"$namespace"}) or vector(0)',
    {
      bounds: { warning: 1, critical: 3 },
      text: [
        'Alerts of Skein that fire now.',
        'None.',
        'The last dashboard lists them with their runbooks.',
      ],
    },
  ),
];

const NODES: Panel = {
  ...{ kind: 'table', title: 'Nodes', unit: 'short', width: 24, by: 'pod' },
  queries: [
    ['sum by (pod, version) (skein_broker_build_info{~})', 'up'],
    ['time() - max by (pod) (process_start_time_seconds{~})', 'uptime s'],
    ['sum by (pod) (skein_broker_connections{~})', 'connections'],
    ['sum by (pod) (rate(process_cpu_seconds_total{~}[$__rate_interval]))', 'cores'],
    [
      'sum by (pod) (nodejs_heap_size_used_bytes{~}) / sum by (pod) (skein_broker_heap_limit_bytes{~})',
      'heap',
    ],
    [quantile(0.99, 'skein_broker_event_loop_delay_seconds_bucket{~}', 'pod'), 'loop p99 s'],
    ['max by (pod) (skein_broker_draining{~})', 'draining'],
  ],
  means: 'Every node with what one looks at first.',
  good: 'One version, similar connections, loop p99 below 0.1 s.',
  act: 'The one that differs is the one to look at on the nodes dashboard.',
  page: 'runbooks/README.md',
};

/** What everybody looks at first. */
export const OVERVIEW: Board = {
  uid: 'skein-overview',
  title: 'Skein / Overview',
  description: 'Is all well, and if not, where to look.',
  job: 'skein-broker',
  rows: [
    { title: 'Now', panels: HEADER },
    { title: 'Nodes', panels: [NODES] },
    {
      title: 'Traffic',
      panels: [
        areas(
          ['Messages in by QoS', 'cps'],
          [[rate('skein_broker_publish_received_total{~}', 'qos'), 'QoS {{qos}}']],
          [
            'Messages from clients.',
            'Follows the fleet.',
            'A change of the mix: clients with a new setting.',
          ],
        ),
        areas(
          ['Messages out by QoS', 'cps'],
          [[rate('skein_broker_publish_sent_total{~}', 'qos'), 'QoS {{qos}}']],
          [
            'Messages to clients.',
            'Follows the subscriptions.',
            'More than expected: a wide filter.',
          ],
        ),
        series(
          ['Bytes', 'Bps'],
          [
            [rate('skein_broker_received_bytes_total{~}'), 'in'],
            [rate('skein_broker_sent_bytes_total{~}'), 'out'],
          ],
          [
            'Bytes from and to clients.',
            'Below what the network gives.',
            'Large payloads: the size to the right.',
          ],
        ),
        heat(
          ['Sizes of messages in', 'bytes'],
          'skein_broker_message_size_bytes_bucket{~, direction="in"}',
          [
            'How large the payloads of publishers are.',
            'One or two bands.',
            'A new high band: a client that sends files; see limits.packetBytesMax.',
            'configuration.md',
          ],
        ),
      ],
    },
    {
      title: 'Clients',
      panels: [
        series(
          ['Connects and disconnects', 'cps'],
          [
            [rate('skein_broker_connects_total{~, outcome="success"}'), 'connects'],
            [rate('skein_broker_disconnects_total{~}'), 'disconnects'],
          ],
          [
            'How many come and go each second.',
            'Low and alike.',
            'High: a storm.',
            'runbooks/SkeinBrokerReconnectStorm.md',
          ],
        ),
        areas(
          ['Disconnects by reason', 'cps'],
          [[rate('skein_broker_disconnects_total{~}', 'reason'), '{{reason}}']],
          [
            'Why connections ended.',
            'Mostly normal.',
            'keepalive_timeout: links; taken_over: shared client ids.',
          ],
        ),
        REJECTED,
      ],
    },
    {
      title: 'Objectives',
      panels: [
        {
          ...{ kind: 'bars', title: 'Error budget left', unit: 'percentunit', width: 24 },
          queries: LEFT,
          bounds: { warning: 0.5, critical: 0.1, falling: true },
          means: 'What is left of the budget of 30 days, from hourly ratios.',
          good: 'More than half.',
          act: 'Below a tenth: no risky changes until it has recovered.',
          page: 'runbooks/README.md',
        },
      ],
    },
  ],
};

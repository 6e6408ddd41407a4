import { areas, heat, quantile, rate, series, stat, type Board, type Panel } from './panel.ts';

const REJECTED: Panel = series(
  ['Errors', 'count:/s'],
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

/** What tells whether somebody must act comes first, then how much there is. */
const HEADER: readonly Panel[] = [
  stat(
    ['Alerts firing', 'short'],
    'count(ALERTS{alertname=~"Skein.*", alertstate="firing", namespace=~"$namespace"}) or vector(0)',
    {
      bounds: { warning: 1, critical: 3 },
      to: 'skein-slo',
      text: [
        'Alerts of Skein that fire now.',
        'None.',
        'The last dashboard lists them with their runbooks.',
      ],
    },
  ),
  stat(['Nodes alive', 'short'], 'max(skein_broker_cluster_nodes{~, state="alive"}) or vector(0)', {
    bounds: { warning: 2, critical: 1, falling: true },
    to: 'skein-cluster',
    text: [
      'Nodes with a lease, as the node that sees most sees them.',
      'As many as are meant to run.',
      'See which pod is missing in the table below.',
      'runbooks/SkeinBrokerTargetDown.md',
    ],
  }),
  stat(['Connections', 'short'], 'sum(skein_broker_connections{~}) or vector(0)', {
    to: 'skein-connections',
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
      to: 'skein-nodes',
      text: [
        'Share of all configured connections in use.',
        'Below 70 %, so that the loss of a node leaves room.',
        'Add nodes.',
        'runbooks/SkeinBrokerConnectionCapacity.md',
      ],
    },
  ),
  stat(
    ['Connect success', 'percentunit'],
    `${rate('skein_broker_connects_total{~, outcome="success"}')} / ${rate('skein_broker_connects_total{~, outcome!="client_error"}')}`,
    {
      bounds: { warning: 0.999, critical: 0.99, falling: true },
      to: 'skein-connections',
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
    to: 'skein-messages',
    text: [
      'Time from PUBLISH to the socket of the receiver that 99 of 100 messages keep.',
      'Below 100 ms.',
      'Busy nodes or a slow Redis.',
      'runbooks/SkeinSloLatencyBurn.md',
    ],
  }),
  stat(
    ['Dropped', 'count:msg/s'],
    `${rate('skein_broker_deliveries_dropped_total{~, reason!="no_subscribers"}')} or vector(0)`,
    {
      bounds: { warning: 1, critical: 100 },
      to: 'skein-messages',
      text: [
        'Deliveries not made each second, without those that nobody wanted.',
        'Zero.',
        'See the reason below.',
        'runbooks/SkeinBrokerDeliveriesDropped.md',
      ],
    },
  ),
  stat(
    ['Bridge success', 'percentunit'],
    `${rate('skein_bridge_records_total{~, outcome="delivered"}')} / ${rate('skein_bridge_records_total{~, outcome!="filtered"}')}`,
    {
      bounds: { warning: 0.999, critical: 0.99, falling: true },
      to: 'skein-bridge',
      text: [
        'Share of records that reach the other side.',
        'Above 99.9 %.',
        'See the bridge dashboard.',
        'runbooks/SkeinSloBridgeBurn.md',
      ],
    },
  ),
  stat(
    ['Messages in', 'count:msg/s'],
    `${rate('skein_broker_publish_received_total{~}')} or vector(0)`,
    {
      to: 'skein-messages',
      text: [
        'Messages that clients publish each second.',
        'Follows the fleet.',
        'A fall: publishers are gone or held.',
      ],
    },
  ),
  stat(
    ['Messages out', 'count:msg/s'],
    `${rate('skein_broker_publish_sent_total{~}')} or vector(0)`,
    {
      to: 'skein-messages',
      text: [
        'Messages sent to clients each second.',
        'Follows messages in.',
        'A fall alone: subscribers are gone.',
      ],
    },
  ),
  stat(['Sessions', 'short'], 'sum(skein_broker_sessions{~}) or vector(0)', {
    to: 'skein-connections',
    text: [
      'Sessions, connected or not.',
      'Steady.',
      'Growing without end: clients with new ids that never expire.',
    ],
  }),
  stat(['Subscriptions', 'short'], 'sum(skein_broker_subscriptions{~}) or vector(0)', {
    to: 'skein-messages',
    text: [
      'Subscriptions of all sessions.',
      'Steady.',
      'A jump: a client that subscribes in a loop.',
    ],
  }),
];

const NODES: Panel = {
  ...{ kind: 'table', title: 'Nodes', unit: 'short', width: 24, height: 6, by: 'pod' },
  queries: [
    ['sum by (pod, version) (skein_broker_build_info{~})', 'up', { hidden: true }],
    ['time() - max by (pod) (process_start_time_seconds{~})', 'uptime', { unit: 's' }],
    ['sum by (pod) (skein_broker_connections{~})', 'connections'],
    [
      'sum by (pod) (rate(process_cpu_seconds_total{~}[$__rate_interval]))',
      'cores',
      { bounds: { warning: 0.8, critical: 0.95 } },
    ],
    [
      'sum by (pod) (nodejs_heap_size_used_bytes{~}) / sum by (pod) (skein_broker_heap_limit_bytes{~})',
      'heap',
      { unit: 'percentunit', bounds: { warning: 0.7, critical: 0.9 } },
    ],
    [
      quantile(0.99, 'skein_broker_event_loop_delay_seconds_bucket{~}', 'pod'),
      'loop delay p99',
      { unit: 's', bounds: { warning: 0.1, critical: 0.2 } },
    ],
    [
      'max by (pod) (skein_broker_overload_level{~})',
      'overload',
      { bounds: { warning: 1, critical: 2 } },
    ],
    [
      'max by (pod) (skein_broker_draining{~})',
      'draining',
      { states: { 0: { text: 'no', color: 'green' }, 1: { text: 'drains', color: 'orange' } } },
    ],
  ],
  means: 'Every node with what one looks at first.',
  good: 'One version, similar connections, loop delay below 0.1 s.',
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
      title: 'Clients and errors',
      panels: [
        series(
          ['Connects and disconnects', 'count:/s'],
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
          ['Disconnects by reason', 'count:/s'],
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
      title: 'Traffic',
      panels: [
        areas(
          ['Messages in by QoS', 'count:msg/s'],
          [[rate('skein_broker_publish_received_total{~}', 'qos'), 'QoS {{qos}}']],
          [
            'Messages from clients.',
            'Follows the fleet.',
            'A change of the mix: clients with a new setting.',
          ],
        ),
        areas(
          ['Messages out by QoS', 'count:msg/s'],
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
      title: 'Objectives',
      panels: [
        {
          ...{
            kind: 'bars',
            title: 'Error budget left',
            unit: 'percentunit',
            width: 24,
            height: 7,
          },
          to: 'skein-slo',
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

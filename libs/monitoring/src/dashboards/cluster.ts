import { UP, areas, bounded, quantile, rate, series, type Board } from './panel.ts';

/** Who is in the cluster, and what goes between nodes and through Redis. */
export const CLUSTER: Board = {
  uid: 'skein-cluster',
  title: 'Skein / Cluster and Redis',
  description: 'Membership, routes, messages between nodes, and Redis beneath them.',
  job: 'skein-broker',
  rows: [
    {
      title: 'Members',
      panels: [
        {
          ...{ kind: 'timeline', title: 'Scraped', unit: 'short', width: 16 },
          queries: [['max by (pod) (up{~})', '{{pod}}']],
          states: UP,
          means: 'Whether Prometheus reaches a node.',
          good: 'up.',
          act: 'See the runbook.',
          page: 'runbooks/SkeinBrokerTargetDown.md',
        },
        series(
          ['Seen and scraped', 'short'],
          [
            ['max by (state) (skein_broker_cluster_nodes{~})', '{{state}}, most that a node sees'],
            ['min(skein_broker_cluster_nodes{~, state="alive"})', 'alive, fewest that a node sees'],
            ['count(up{~} == 1)', 'scraped'],
          ],
          [
            'How many nodes nodes see by their leases, and how many are scraped.',
            'All alike.',
            'See the runbook.',
            'runbooks/SkeinBrokerClusterSizeMismatch.md',
          ],
        ),
        {
          ...{ kind: 'table', title: 'Who is who', unit: 'short', width: 12, by: 'pod' },
          queries: [
            [
              'max by (pod, cluster, node_id) (skein_broker_identity_info{~})',
              'node',
              { hidden: true },
            ],
          ],
          means: 'The node id of each pod, as the API and the logs call it.',
          good: 'Each id once.',
          act: 'An id twice: two nodes are started with one `node.id`; the second waits for the lease of the first.',
          page: 'configuration.md',
        },
        {
          ...series(
            ['Sessions of the cluster', 'short'],
            [
              [
                'sum by (state, persistent) (skein_broker_cluster_sessions{~})',
                '{{state}} persistent={{persistent}}',
              ],
            ],
            [
              'All sessions, as one node counts them.',
              'Flat.',
              'Growing: sessions that never expire.',
            ],
          ),
          width: 12,
        },
      ],
    },
    {
      title: 'Between nodes',
      panels: [
        areas(
          ['Messages between nodes', 'count:msg/s'],
          [
            [
              rate('skein_broker_cluster_messages_total{~}', 'direction', 'transport'),
              '{{direction}} {{transport}}',
            ],
          ],
          [
            'Messages for subscribers of other nodes.',
            'Only what is wanted elsewhere.',
            'More than expected: wide filters.',
          ],
        ),
        bounded(
          series(
            ['From node to node, p99', 's'],
            [
              [
                quantile(0.99, 'skein_broker_cluster_delivery_duration_seconds_bucket{~}', 'pod'),
                '{{pod}}',
              ],
            ],
            [
              'How long a message is on its way to a node.',
              'Below 50 ms.',
              'Redis, or a busy node.',
              'runbooks/SkeinBrokerRedisSlow.md',
            ],
          ),
          0.05,
          0.25,
        ),
        bounded(
          series(
            ['Waiting for Redis', 'short'],
            [['sum by (pod) (skein_broker_cluster_backlog_messages{~})', '{{pod}}']],
            [
              'Messages for other nodes that Redis has not stored yet.',
              'Near 0.',
              'See the runbook.',
              'runbooks/SkeinBrokerInterNodeBacklog.md',
            ],
          ),
          1_000,
          10_000,
        ),
        areas(
          ['Batches for inboxes', 'count:/s'],
          [[rate('skein_broker_inbox_appends_total{~}', 'outcome'), '{{outcome}}']],
          [
            'Batches stored for other nodes, and those refused.',
            'stored.',
            'refused: an inbox is full or its node gone.',
          ],
        ),
        series(
          ['Routes', 'short'],
          [['sum by (pod) (skein_broker_route_table_entries{~})', '{{pod}}']],
          [
            'Filters of other nodes that a node knows.',
            'Alike on all.',
            'They differ for long: resyncs to the right.',
          ],
        ),
        series(
          ['Lag of routes', 's'],
          [['max by (pod) (skein_broker_route_table_lag_seconds{~})', '{{pod}}']],
          ['How old route changes are when they arrive.', 'Below 1 s.', 'A slow Redis or node.'],
        ),
        series(
          ['Routes read anew', 'count:/s'],
          [[rate('skein_broker_route_table_resyncs_total{~}', 'pod'), '{{pod}}']],
          ['Tables of routes that a node had to read again.', '0.', 'Redis reconnects.'],
        ),
      ],
    },
    {
      title: 'Redis',
      panels: [
        {
          ...{ kind: 'timeline', title: 'Connected', unit: 'short', width: 8 },
          queries: [['min by (pod, role) (skein_broker_redis_up{~})', '{{pod}} {{role}}']],
          states: UP,
          means: 'Whether a node has its connections to Redis.',
          good: 'up.',
          act: 'See the runbook.',
          page: 'runbooks/SkeinBrokerRedisUnavailable.md',
        },
        areas(
          ['Commands', 'count:/s'],
          [[rate('skein_broker_redis_commands_total{~}', 'operation'), '{{operation}}']],
          [
            'Round trips by operation.',
            'Follows the traffic of durable sessions.',
            'A jump: look for what has changed.',
            'redis.md',
          ],
        ),
        bounded(
          series(
            ['Time of a command, p99', 's'],
            [
              [
                quantile(
                  0.99,
                  'skein_broker_redis_command_duration_seconds_bucket{~}',
                  'operation',
                ),
                '{{operation}}',
              ],
            ],
            [
              'How long round trips take.',
              'Below 10 ms.',
              'See the runbook.',
              'runbooks/SkeinBrokerRedisSlow.md',
            ],
          ),
          0.01,
          0.1,
        ),
        areas(
          ['Failed commands', 'count:/s'],
          [
            [
              rate('skein_broker_redis_commands_total{~, outcome!="ok"}', 'operation'),
              '{{operation}}',
            ],
          ],
          ['Commands that failed.', '0.', 'The log names the error.', 'redis.md'],
        ),
        series(
          ['Connected anew', 'count:/s'],
          [[rate('skein_broker_redis_reconnects_total{~}', 'pod', 'role'), '{{pod}} {{role}}']],
          [
            'Connections to Redis made again.',
            '0.',
            'Network, failover, or a Redis that closes slow readers.',
            'redis.md',
          ],
        ),
        areas(
          ['Waits for replicas', 'count:/s'],
          [[rate('skein_broker_redis_replica_waits_total{~}', 'outcome'), '{{outcome}}']],
          [
            'Writes that waited for replicas (redis.waitReplicas).',
            'reached.',
            'missed: replicas are behind.',
            'redis.md',
          ],
        ),
      ],
    },
    {
      title: 'Change',
      panels: [
        series(
          ['Draining: connections left', 'short'],
          [['max by (pod) (skein_broker_drain_remaining_connections{~})', '{{pod}}']],
          [
            'Clients that a draining node still has.',
            'Sinks in a straight line to 0.',
            'See the runbook.',
            'runbooks/SkeinBrokerDrainStuck.md',
          ],
        ),
        areas(
          ['Sent away', 'count:/s'],
          [[rate('skein_broker_evictions_total{~}', 'reason'), '{{reason}}']],
          [
            'Clients that nodes sent away, and why.',
            '0 but in a drain or rebalance.',
            'overload: nodes have too much to do.',
          ],
        ),
        series(
          ['Spans', 'count:/s'],
          [[rate('skein_broker_trace_spans_total{~}', 'outcome'), '{{outcome}}']],
          [
            'Spans of nodes with tracing, and what became of them.',
            'All are exported.',
            'dropped: raise tracing.queueSpansMax or lower tracing.sampleRatio. failed: look for the collector.',
          ],
        ),
        series(
          ['Configuration read anew', 'short'],
          [
            [
              'sum by (outcome) (increase(skein_broker_config_reloads_total{~}[$__rate_interval]))',
              '{{outcome}}',
            ],
          ],
          [
            'Changes of files and settings that nodes took, or refused.',
            'ok.',
            'The log says which file and why.',
            'tls.md',
          ],
        ),
        series(
          ['Age of the configuration', 's'],
          [
            [
              'time() - max by (pod) (skein_broker_config_last_reload_success_timestamp_seconds{~})',
              '{{pod}}',
            ],
          ],
          [
            'How long ago a node last took its configuration.',
            'Alike on all nodes.',
            'One that is older than the others has refused the last change.',
            'configuration.md',
          ],
        ),
      ],
    },
  ],
};

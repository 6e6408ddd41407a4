import { areas, bounded, quantile, rate, series, type Board } from './panel.ts';

const byPod = (metric: string): string => `sum by (pod) (${metric}{~})`;

/** Utilisation, saturation and errors of each node. */
export const NODES: Board = {
  uid: 'skein-nodes',
  title: 'Skein / Nodes and runtime',
  description: 'What a node has, and how much of it is used.',
  job: 'skein-broker',
  rows: [
    {
      title: 'Processor',
      panels: [
        series(
          ['CPU', 'suffix: cores'],
          [
            [rate('process_cpu_seconds_total{~}', 'pod'), '{{pod}}'],
            [
              'sum by (pod) (rate(container_cpu_cfs_throttled_seconds_total{namespace=~"$namespace", pod=~"$pod"}[$__rate_interval]))',
              '{{pod}} throttled',
            ],
          ],
          [
            'Cores used, and the time for which the container was not let run.',
            'Below 0.8, never throttled.',
            'Remove the CPU limit; add nodes.',
            'runbooks/SkeinBrokerEventLoopLag.md',
          ],
        ),
        bounded(
          series(
            ['Event loop utilisation', 'percentunit'],
            [['max by (pod) (skein_broker_event_loop_utilization_ratio{~})', '{{pod}}']],
            [
              'Share of time that the loop was busy: the truest measure of load.',
              'Below 0.7.',
              'Add nodes and rebalance.',
              'scaling.md',
            ],
          ),
          0.7,
          0.9,
        ),
        bounded(
          series(
            ['Event loop delay', 's'],
            [
              [
                quantile(0.5, 'skein_broker_event_loop_delay_seconds_bucket{~}', 'pod'),
                '{{pod}} p50',
              ],
              [
                quantile(0.99, 'skein_broker_event_loop_delay_seconds_bucket{~}', 'pod'),
                '{{pod}} p99',
              ],
            ],
            [
              'How late turns of the loop begin.',
              'p99 below 50 ms.',
              'Find what the node does: packets by type.',
              'runbooks/SkeinBrokerEventLoopLag.md',
            ],
          ),
          0.05,
          0.2,
        ),
      ],
    },
    {
      title: 'Saturation',
      panels: [
        bounded(
          series(
            ['Overload level', 'short'],
            [['max by (pod) (skein_broker_overload_level{~})', '{{pod}}']],
            [
              'What a node leaves: 1 new clients, 2 also QoS 0, 3 also reading from publishers.',
              '0.',
              'The log names which limit; more nodes.',
              'configuration.md',
            ],
          ),
          1,
          2,
        ),
        series(
          ['Times a level was reached', 'short'],
          [
            [
              'sum by (pod, level) (increase(skein_broker_overloads_total{~}[$__rate_interval]))',
              '{{pod}} level {{level}}',
            ],
          ],
          [
            'How often a node came to a level from below.',
            'Never.',
            'Often for seconds: bursts; rates help.',
            'configuration.md',
          ],
        ),
        series(
          ['Back-pressure of receivers', 'percentunit'],
          [[rate('skein_broker_socket_backpressure_seconds_total{~}', 'pod'), '{{pod}}']],
          [
            'Seconds a second that sockets spent above their high-water mark.',
            'Near 0.',
            'Slow receivers: the messages dashboard.',
          ],
        ),
        series(
          ['Reading held', 'count:/s'],
          [[rate('skein_broker_reading_held_total{~}', 'reason'), '{{reason}}']],
          [
            'How often reading from a client was paused, and why.',
            'Rarely, but for rates that are set.',
            'rate: the client sends more than it may.',
            'security.md',
          ],
        ),
        series(
          ['Commands waiting for Redis', 'short'],
          [['sum by (pod) (skein_broker_redis_pool_waiting{~})', '{{pod}}']],
          [
            'Commands sent that Redis has not answered.',
            'Below some hundred.',
            'A slow Redis.',
            'runbooks/SkeinBrokerRedisSlow.md',
          ],
        ),
        bounded(
          series(
            ['Series exposed', 'short'],
            [['max by (pod) (scrape_samples_post_metric_relabeling{~})', '{{pod}}']],
            [
              'How many series a scrape of the node holds.',
              'Below 1,500.',
              'See the runbook.',
              'runbooks/SkeinMetricsCardinality.md',
            ],
          ),
          1_500,
          5_000,
        ),
      ],
    },
    {
      title: 'Memory',
      panels: [
        series(
          ['Memory', 'bytes'],
          [
            [byPod('process_resident_memory_bytes'), '{{pod}} resident'],
            [byPod('nodejs_heap_size_used_bytes'), '{{pod}} heap'],
            [byPod('nodejs_external_memory_bytes'), '{{pod}} external'],
          ],
          [
            'What the process holds; external is what buffers take.',
            'Flat under steady load.',
            'Growth without end: see the runbook.',
            'runbooks/SkeinBrokerHeapNearLimit.md',
          ],
        ),
        bounded(
          series(
            ['Heap of its limit', 'percentunit'],
            [
              [
                `${byPod('nodejs_heap_size_used_bytes')} / ${byPod('skein_broker_heap_limit_bytes')}`,
                '{{pod}}',
              ],
            ],
            [
              'Share of the heap limit in use.',
              'A saw below 0.7.',
              'Above 0.85 new clients are refused: more memory or nodes.',
              'runbooks/SkeinBrokerHeapNearLimit.md',
            ],
          ),
          0.7,
          0.9,
        ),
        areas(
          ['Garbage collection', 'percentunit'],
          [[rate('nodejs_gc_duration_seconds_sum{~}', 'pod', 'kind'), '{{pod}} {{kind}}']],
          [
            'Share of time spent collecting.',
            'Below 0.05.',
            'Major collections all the time: the heap is too small.',
          ],
        ),
      ],
    },
    {
      title: 'Files and sockets',
      panels: [
        bounded(
          series(
            ['File descriptors of the limit', 'percentunit'],
            [[`${byPod('process_open_fds')} / ${byPod('process_max_fds')}`, '{{pod}}']],
            [
              'Share of the permitted files and sockets that are open.',
              'Below 0.7.',
              'Raise the limit.',
              'runbooks/SkeinBrokerFileDescriptorsNearLimit.md',
            ],
          ),
          0.7,
          0.8,
        ),
        series(
          ['Connections', 'short'],
          [[byPod('skein_broker_connections'), '{{pod}}']],
          [
            'Clients by node.',
            'Alike on all nodes.',
            'Rebalance after a scale-up.',
            'runbooks/SkeinBrokerConnectionImbalance.md',
          ],
        ),
        series(
          ['Network', 'Bps'],
          [
            [rate('skein_broker_received_bytes_total{~}', 'pod'), '{{pod}} in'],
            [rate('skein_broker_sent_bytes_total{~}', 'pod'), '{{pod}} out'],
          ],
          [
            'Bytes from and to clients, by node.',
            'Below what the machine gives.',
            'One node alone: its clients.',
          ],
        ),
      ],
    },
  ],
};

import { UP, areas, bounded, heat, quantile, rate, series, type Board } from './panel.ts';

/** Records on their way to Kafka and back. */
export const BRIDGE: Board = {
  uid: 'skein-bridge',
  title: 'Skein / Kafka bridge',
  description: 'Records to the other side and back: how many, how fast, and what waits.',
  job: 'skein-broker',
  rows: [
    {
      title: 'State',
      panels: [
        {
          ...{ kind: 'table', title: 'Bridges', unit: 'short', width: 24, height: 5, by: 'bridge' },
          queries: [
            ['min by (bridge) (skein_bridge_connected{~})', 'connected', { states: UP }],
            [
              rate('skein_bridge_records_total{~, outcome="delivered"}', 'bridge'),
              'delivered',
              { unit: 'count:rec/s' },
            ],
            [
              rate('skein_bridge_records_total{~, outcome=~"failed|dropped"}', 'bridge'),
              'failed, dropped',
              { unit: 'count:rec/s', bounds: { warning: 0.001, critical: 1 } },
            ],
            ['sum by (bridge) (skein_bridge_buffer_records{~})', 'in memory'],
            ['sum by (bridge) (skein_bridge_spool_records{~})', 'in the spool'],
            ['max by (bridge) (skein_bridge_consumer_lag_records{~})', 'lag'],
          ],
          means: 'Every bridge with what one looks at first.',
          good: 'up, nothing fails, nothing waits.',
          act: 'See the runbook.',
          page: 'runbooks/SkeinBridgeDown.md',
        },
      ],
    },
    {
      title: 'Records',
      panels: [
        areas(
          ['Records', 'count:rec/s'],
          [
            [
              rate('skein_bridge_records_total{~}', 'direction', 'outcome'),
              '{{direction}} {{outcome}}',
            ],
          ],
          [
            'What became of records.',
            'delivered and filtered.',
            'failed, dropped: the reason to the right.',
            'bridge.md',
          ],
        ),
        areas(
          ['Failed and dropped', 'count:rec/s'],
          [
            [
              rate('skein_bridge_records_total{~, outcome=~"failed|dropped"}', 'bridge', 'reason'),
              '{{bridge}} {{reason}}',
            ],
          ],
          [
            'Records that did not reach the other side, and why.',
            '0.',
            'See the runbook.',
            'runbooks/SkeinBridgeDropping.md',
          ],
        ),
        series(
          ['Retries and dead letters', 'count:/s'],
          [
            [rate('skein_bridge_retries_total{~}', 'bridge'), '{{bridge}} retries'],
            [rate('skein_bridge_dead_letters_total{~}', 'bridge'), '{{bridge}} dead letters'],
          ],
          [
            'Batches sent again, and records kept as dead letters.',
            'Near 0.',
            'The other side refuses: its log and ours.',
            'bridge.md',
          ],
        ),
        bounded(
          series(
            ['Time of a batch, p99', 's'],
            [
              [
                quantile(0.99, 'skein_bridge_produce_duration_seconds_bucket{~}', 'bridge'),
                '{{bridge}}',
              ],
            ],
            [
              'How long the other side takes for a batch.',
              'Below 100 ms.',
              'Kafka: its brokers, acks, replicas.',
              'performance.md',
            ],
          ),
          0.1,
          1,
        ),
        series(
          ['End to end', 's'],
          [
            [
              quantile(
                0.5,
                'skein_bridge_end_to_end_duration_seconds_bucket{~}',
                'bridge',
                'direction',
              ),
              '{{bridge}} {{direction}} p50',
            ],
            [
              quantile(
                0.99,
                'skein_bridge_end_to_end_duration_seconds_bucket{~}',
                'bridge',
                'direction',
              ),
              '{{bridge}} {{direction}} p99',
            ],
          ],
          [
            'From one side to the other.',
            'p99 below a second.',
            'What waits: below.',
            'performance.md',
          ],
        ),
        heat(['Records of a batch', 'short'], 'skein_bridge_batch_records_bucket{~}', [
          'How many records go at once.',
          'Larger under load.',
          'Always 1 under load: look at the topic of the rule; each topic is a batch of its own.',
          'bridge.md',
        ]),
      ],
    },
    {
      title: 'What waits',
      panels: [
        bounded(
          series(
            ['Memory of the limit', 'percentunit'],
            [
              [
                'sum by (pod, bridge) (skein_bridge_buffer_bytes{~}) / sum by (pod, bridge) (skein_bridge_buffer_limit_bytes{~})',
                '{{pod}} {{bridge}}',
              ],
              [
                'clamp_min(predict_linear(skein_bridge_buffer_bytes{~}[15m], 3600), 0) / skein_bridge_buffer_limit_bytes{~}',
                '{{pod}} {{bridge}} in an hour',
              ],
            ],
            [
              'Records in memory, and where that will be in an hour.',
              'Near 0.',
              'See the runbook.',
              'runbooks/SkeinBridgeBufferFilling.md',
            ],
          ),
          0.5,
          0.9,
        ),
        bounded(
          series(
            ['Spool of the limit', 'percentunit'],
            [
              [
                'sum by (pod) (skein_bridge_spool_bytes{~}) / sum by (pod) (skein_bridge_spool_limit_bytes{~})',
                '{{pod}}',
              ],
            ],
            [
              'How full the spool is.',
              'Near 0 while the other side is there.',
              'More room, or a quicker other side.',
              'bridge.md',
            ],
          ),
          0.5,
          0.9,
        ),
        series(
          ['Held and unclaimed', 'short'],
          [
            ['sum by (bridge) (skein_bridge_held_records{~})', '{{bridge}} held'],
            [
              rate('skein_bridge_holds_total{~}', 'bridge', 'outcome'),
              '{{bridge}} holds {{outcome}}/s',
            ],
            ['sum(skein_bridge_spool_unclaimed_records{~})', 'unclaimed'],
          ],
          [
            'Records held until another node has sent what came before, and those of rules that are gone.',
            '0 but after moves.',
            'unclaimed: make the rule again, or remove them.',
            'bridge.md',
          ],
        ),
      ],
    },
    {
      title: 'Rules and consumers',
      panels: [
        {
          ...{ kind: 'table', title: 'Rules', unit: 'short', width: 24, height: 6, by: 'rule' },
          queries: [
            [
              rate('skein_bridge_rule_matches_total{~}', 'rule'),
              'matches',
              { unit: 'count:msg/s' },
            ],
            [
              rate('skein_bridge_rule_errors_total{~}', 'rule'),
              'errors',
              { unit: 'count:/s', bounds: { warning: 0.001, critical: 1 } },
            ],
            [
              quantile(0.99, 'skein_bridge_transform_duration_seconds_bucket{~}', 'rule'),
              'expression p99',
              { unit: 's', bounds: { warning: 0.005, critical: 0.05 } },
            ],
          ],
          means: 'What each rule selects, fails at, and how long its expressions take.',
          good: 'No errors, below 1 ms.',
          act: 'POST /bridge-rules/{id}/tests with a message that fails.',
          page: 'expressions.md',
        },
        areas(
          ['Errors by stage', 'count:/s'],
          [[rate('skein_bridge_rule_errors_total{~}', 'rule', 'stage'), '{{rule}} {{stage}}']],
          ['Where rules fail.', '0.', 'Mend the rule; its test tells the stage.', 'expressions.md'],
        ),
        bounded(
          series(
            ['Consumer lag', 'short'],
            [['max by (bridge) (skein_bridge_consumer_lag_records{~})', '{{bridge}}']],
            [
              'Records of Kafka not yet published here.',
              'Near 0.',
              'See the runbook.',
              'runbooks/SkeinBridgeConsumerLag.md',
            ],
          ),
          1_000,
          10_000,
        ),
        series(
          ['Rebalances of the consumer group', 'count:/s'],
          [[rate('skein_bridge_rebalances_total{~}', 'bridge'), '{{bridge}}']],
          [
            'Changes of who consumes which partitions.',
            '0 but when nodes come and go.',
            'Often: time-outs of the group.',
            'bridge.md',
          ],
        ),
      ],
    },
  ],
};

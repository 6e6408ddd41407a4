import { areas, bounded, heat, quantile, rate, series, type Board } from './panel.ts';

/** What becomes of messages. */
export const MESSAGES: Board = {
  uid: 'skein-messages',
  title: 'Skein / Messages and QoS',
  description: 'What is published, delivered, queued and dropped.',
  job: 'skein-broker',
  rows: [
    {
      title: 'Packets',
      panels: [
        areas(
          ['Packets in', 'count:pkt/s'],
          [[rate('skein_broker_packets_received_total{~}', 'type'), '{{type}}']],
          [
            'Control packets from clients by type.',
            'Mostly publish, puback and pingreq.',
            'Much of connect or subscribe: clients in a loop.',
          ],
        ),
        areas(
          ['Packets out', 'count:pkt/s'],
          [[rate('skein_broker_packets_sent_total{~}', 'type'), '{{type}}']],
          [
            'Control packets to clients by type.',
            'As above.',
            'Much of disconnect: nodes end connections.',
          ],
        ),
        bounded(
          series(
            ['Acknowledgement, p99', 's'],
            [
              [
                quantile(0.99, 'skein_broker_publish_ack_duration_seconds_bucket{~}', 'qos'),
                'QoS {{qos}}',
              ],
            ],
            [
              'How long publishers wait for PUBACK or PUBREC.',
              'Some ms; with ack: kafka what Kafka takes.',
              'Redis or Kafka is slow.',
              'performance.md',
            ],
          ),
          0.1,
          1,
        ),
      ],
    },
    {
      title: 'Delivery',
      panels: [
        heat(
          ['Delivery within a node', 's'],
          'skein_broker_delivery_duration_seconds_bucket{~, path="local"}',
          [
            'Time from PUBLISH to the socket of a receiver of the same node.',
            'Below 10 ms.',
            'A busy node.',
            'runbooks/SkeinSloLatencyBurn.md',
          ],
        ),
        heat(
          ['Delivery between nodes', 's'],
          'skein_broker_delivery_duration_seconds_bucket{~, path="remote"}',
          [
            'The same for receivers of other nodes.',
            'Below 50 ms.',
            'Redis, or a node that reads its inbox late.',
            'runbooks/SkeinSloLatencyBurn.md',
          ],
        ),
        heat(['Fan-out', 'short'], 'skein_broker_fanout_receivers_bucket{~}', [
          'Receivers of a message on a node.',
          'As the application is meant to be.',
          'A new high band: somebody subscribes to #.',
        ]),
        areas(
          ['Dropped deliveries', 'count:msg/s'],
          [
            [
              rate('skein_broker_deliveries_dropped_total{~}', 'reason', 'fault'),
              '{{reason}} ({{fault}})',
            ],
          ],
          [
            'Deliveries not made, and whose doing it was.',
            'no_subscribers alone.',
            'See the runbook.',
            'runbooks/SkeinBrokerDeliveriesDropped.md',
          ],
        ),
        areas(
          ['Rejected publishes', 'count:msg/s'],
          [[rate('skein_broker_publish_rejected_total{~}', 'reason'), '{{reason}}']],
          [
            'Messages of clients refused.',
            '0.',
            'acl: /acl-simulations says which rule; quota: rates.',
            'auth.md',
          ],
        ),
        series(
          ['Sent again, received again', 'count:msg/s'],
          [
            [rate('skein_broker_delivery_retries_total{~}', 'qos'), 'sent again QoS {{qos}}'],
            [rate('skein_broker_publish_duplicates_total{~}', 'qos'), 'recognised QoS {{qos}}'],
          ],
          [
            'Messages sent again after a reconnect, and duplicates that were recognised.',
            'Near 0 but after restarts.',
            'Links that break: disconnects by reason.',
          ],
        ),
      ],
    },
    {
      title: 'Waiting',
      panels: [
        series(
          ['In flight', 'short'],
          [['sum by (direction) (skein_broker_inflight_messages{~})', '{{direction}}']],
          [
            'QoS 1 and 2 that wait for an acknowledgement.',
            'Low.',
            'out: clients that do not acknowledge; in: Redis or Kafka.',
          ],
        ),
        series(
          ['Queued messages', 'short'],
          [['sum by (pod) (skein_broker_session_queue_messages{~})', '{{pod}}']],
          [
            'Messages for sessions that are away or slow.',
            'Flat.',
            'See the runbook.',
            'runbooks/SkeinBrokerQueueGrowing.md',
          ],
        ),
        series(
          ['Queued bytes', 'bytes'],
          [['sum by (pod) (skein_broker_session_queue_bytes{~})', '{{pod}}']],
          [
            'The same in bytes, which are in Redis.',
            'Far below its memory.',
            'Bounds of queues.',
            'configuration.md',
          ],
        ),
        series(
          ['Slow consumers', 'short'],
          [['sum by (pod) (skein_broker_slow_consumers{~})', '{{pod}}']],
          [
            'Sockets above their high-water mark now.',
            'Few.',
            'GET /api/v1/clients?queue[gte]=1000 names them.',
          ],
        ),
        series(
          ['Delayed messages', 'short'],
          [
            ['max(skein_broker_delayed_messages{~})', 'waiting'],
            [rate('skein_broker_delayed_total{~}', 'event'), '{{event}}/s'],
          ],
          [
            'Messages published for later.',
            'As many as are meant.',
            'refused: the bound is met.',
            'delayed.md',
          ],
        ),
        series(
          ['Bytes of delayed messages', 'bytes'],
          [['max(skein_broker_delayed_bytes{~})', 'waiting']],
          [
            'What waits, in bytes.',
            'Below its bound.',
            'limits of delayed messages.',
            'delayed.md',
          ],
        ),
      ],
    },
    {
      title: 'Retained messages, wills, shared subscriptions',
      panels: [
        series(
          ['Retained messages', 'short'],
          [['max(skein_broker_retained_messages{~})', 'messages']],
          [
            'Topics with a retained message.',
            'Flat.',
            'Growing: topics with ids in them.',
            'configuration.md',
          ],
        ),
        series(
          ['Retained bytes', 'bytes'],
          [['max(skein_broker_retained_bytes{~})', 'bytes']],
          [
            'Their payloads and topics.',
            'Below the bound.',
            'limits.retainedBytesMax.',
            'configuration.md',
          ],
        ),
        areas(
          ['Work on retained messages', 'count:/s'],
          [[rate('skein_broker_retained_operations_total{~}', 'op'), '{{op}}']],
          [
            'What is set, removed, expired and served.',
            'serve after connects.',
            'Much of serve: wide filters that are subscribed again and again.',
          ],
        ),
        areas(
          ['Wills', 'count:/s'],
          [[rate('skein_broker_wills_total{~}', 'event'), '{{event}}']],
          [
            'What became of wills.',
            'Few published.',
            'Many published at once: a network, or a node that is gone.',
          ],
        ),
        areas(
          ['Shared subscriptions', 'count:msg/s'],
          [[rate('skein_broker_shared_group_deliveries_total{~}', 'outcome'), '{{outcome}}']],
          [
            'What became of messages for groups.',
            'delivered.',
            'dropped: no member could take it.',
            'topics.md',
          ],
        ),
        areas(
          ['Subscribing', 'count:/s'],
          [
            [
              rate('skein_broker_subscribes_total{~}', 'outcome', 'reason'),
              'subscribe {{outcome}} {{reason}}',
            ],
            [
              rate('skein_broker_unsubscribes_total{~}', 'outcome', 'reason'),
              'unsubscribe {{outcome}} {{reason}}',
            ],
          ],
          [
            'Filters subscribed and given up.',
            'success after connects.',
            'Refused: rules of access, or limits.',
            'auth.md',
          ],
        ),
        areas(
          ['Subscriptions', 'short'],
          [['sum by (kind) (skein_broker_subscriptions{~})', '{{kind}}']],
          [
            'Subscriptions of all sessions by kind.',
            'Flat.',
            'wildcard growing: filters made of ids.',
          ],
        ),
      ],
    },
  ],
};

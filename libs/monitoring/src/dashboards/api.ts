import { areas, bounded, quantile, rate, series, type Board } from './panel.ts';

/** Rate, errors and durations of the admin API. */
export const API: Board = {
  uid: 'skein-api',
  title: 'Skein / Admin API',
  description: 'Who asks what, how fast it is answered, and what fails.',
  job: 'skein-api',
  rows: [
    {
      title: 'Requests',
      panels: [
        areas(
          ['Rate by route', 'reqps'],
          [[rate('skein_api_http_requests_total{~}', 'method', 'route'), '{{method}} {{route}}']],
          [
            'Requests each second.',
            'People: few. Automation: steady.',
            'A route in a loop: its caller is in the audit log.',
          ],
        ),
        areas(
          ['Errors', 'reqps'],
          [[rate('skein_api_http_requests_total{~, code=~"[45].."}', 'code'), '{{code}}']],
          [
            'Requests answered with 4xx or 5xx.',
            'Few 4xx, no 5xx.',
            '503: a node or Redis; 500: report it.',
            'runbooks/SkeinSloApiBurn.md',
          ],
        ),
        bounded(
          series(
            ['Durations', 's'],
            [
              [quantile(0.5, 'skein_api_http_request_duration_seconds_bucket{~}'), 'p50'],
              [quantile(0.95, 'skein_api_http_request_duration_seconds_bucket{~}'), 'p95'],
              [quantile(0.99, 'skein_api_http_request_duration_seconds_bucket{~}'), 'p99'],
            ],
            [
              'How long requests take.',
              'p95 below 300 ms.',
              'By route to the right; silent nodes cost two seconds.',
              'runbooks/SkeinApiLatencyHigh.md',
            ],
          ),
          0.3,
          0.5,
        ),
        bounded(
          series(
            ['p95 by route', 's'],
            [
              [
                quantile(0.95, 'skein_api_http_request_duration_seconds_bucket{~}', 'route'),
                '{{route}}',
              ],
            ],
            [
              'Which routes are slow.',
              'Below 300 ms.',
              'Smaller pages, filters.',
              'runbooks/SkeinApiLatencyHigh.md',
            ],
          ),
          0.3,
          0.5,
        ),
        series(
          ['In flight', 'short'],
          [['sum by (pod) (skein_api_http_requests_in_flight{~})', '{{pod}}']],
          [
            'Requests being answered now.',
            'Few.',
            'Many: slow nodes, or callers without time-outs.',
          ],
        ),
        areas(
          ['Refused', 'reqps'],
          [
            [rate('skein_api_http_requests_total{~, code=~"401|403|429"}', 'code'), '{{code}}'],
            [rate('skein_api_rate_limited_total{~}', 'policy'), 'limited: {{policy}}'],
          ],
          [
            'Callers without a right, and those that ask too often.',
            'Near 0.',
            '401: keys that have ended; 429: limits of the key.',
          ],
        ),
      ],
    },
    {
      title: 'Callers, streams, operations',
      panels: [
        areas(
          ['Logins of callers', 'reqps'],
          [[rate('skein_api_authentications_total{~}', 'kind', 'outcome'), '{{kind}} {{outcome}}']],
          ['Who was let in.', 'allowed.', 'denied: wrong or ended keys, or somebody who tries.'],
        ),
        series(
          ['Event streams', 'short'],
          [
            ['sum by (pod) (skein_api_event_streams{~})', '{{pod}} open'],
            [rate('skein_api_event_stream_dropped_total{~}', 'pod'), '{{pod}} dropped/s'],
          ],
          [
            'Streams that are open, and events that their readers were too slow for.',
            'No drops.',
            'Readers that stall: they are told (event: overflow).',
          ],
        ),
        series(
          ['Long operations', 'short'],
          [['max by (state) (skein_api_operations{~})', '{{state}}']],
          [
            'Operations of the cluster by state, as each replica sees them.',
            'They end.',
            'failed: GET /api/v1/operations says why.',
          ],
        ),
        areas(
          ['Audit records', 'count:/s'],
          [[rate('skein_api_audit_records_total{~}', 'outcome'), '{{outcome}}']],
          ['What was recorded of changes.', 'No failures.', 'failed: Redis is away.'],
        ),
        areas(
          ['Webhooks', 'count:/s'],
          [
            [rate('skein_api_webhook_deliveries_total{~}', 'outcome'), '{{outcome}}'],
            [rate('skein_api_webhook_events_lost_total{~}', 'pod'), '{{pod}} events lost'],
          ],
          [
            'Requests to webhooks.',
            'delivered.',
            'retried: an endpoint is away; failed: GET /api/v1/webhooks/ID/deliveries says why.',
          ],
        ),
        areas(
          ['Calls to nodes', 'count:/s'],
          [[rate('skein_api_node_calls_total{~}', 'outcome'), '{{outcome}}']],
          [
            'Commands to nodes.',
            'ok.',
            'timeout: a node is silent.',
            'runbooks/SkeinBrokerTargetDown.md',
          ],
        ),
        bounded(
          series(
            ['Time of a call to a node, p99', 's'],
            [[quantile(0.99, 'skein_api_node_call_duration_seconds_bucket{~}'), 'p99']],
            ['How long nodes take to answer.', 'Below 50 ms.', 'Busy nodes: the nodes dashboard.'],
          ),
          0.05,
          0.5,
        ),
      ],
    },
  ],
};

import {
  CALL_SECONDS,
  histogram,
  metric,
  type HistogramSpec,
  type MetricSpec,
} from './metric-spec.ts';

/** Every counter of the API process. */
export const API_COUNTERS = {
  requests: metric(
    'skein_api_http_requests_total',
    'Requests answered, by route template.',
    ...['route', 'method', 'code'],
  ),
  authentications: metric(
    'skein_api_authentications_total',
    'Decisions on the identity of callers.',
    ...['kind', 'outcome'],
  ),
  rateLimited: metric(
    'skein_api_rate_limited_total',
    'Requests refused because their caller sends too many.',
    'policy',
  ),
  eventStreamDropped: metric(
    'skein_api_event_stream_dropped_total',
    'Events and messages that were gone, or came too fast, before they could be sent to the reader of a stream.',
    'kind',
  ),
  auditRecords: metric(
    'skein_api_audit_records_total',
    'Records for the audit log: stored, or not, since its store was away.',
    'outcome',
  ),
  webhookDeliveries: metric(
    'skein_api_webhook_deliveries_total',
    'Requests to webhooks: delivered, given up after the last attempt, or attempts to be repeated.',
    'outcome',
  ),
  webhookEventsLost: metric(
    'skein_api_webhook_events_lost_total',
    'Events that webhooks did not get: given up, or gone at the node before they could be sent.',
  ),
  nodeCalls: metric('skein_api_node_calls_total', 'Commands sent to nodes.', 'outcome'),
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Every gauge of the API process. */
export const API_GAUGES = {
  inFlight: metric('skein_api_http_requests_in_flight', 'Requests being answered.'),
  eventStreams: metric('skein_api_event_streams', 'Streams that are open.', 'kind'),
  operations: metric(
    'skein_api_operations',
    'Long operations that are known, of the whole cluster: the same at every replica. Of those that have ended, the latest 400.',
    'state',
  ),
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Every histogram of the API process. */
export const API_HISTOGRAMS = {
  requestDuration: histogram(
    metric(
      'skein_api_http_request_duration_seconds',
      'Time to answer a request.',
      ...['route', 'method'],
    ),
    CALL_SECONDS,
  ),
  nodeCallDuration: histogram(
    metric('skein_api_node_call_duration_seconds', 'Time of a command to a node.'),
    CALL_SECONDS,
  ),
} as const satisfies Readonly<Record<string, HistogramSpec>>;

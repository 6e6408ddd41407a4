import { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import { file, flag, milliseconds, section, whole } from './kinds.ts';

/** Spans of connections and messages, for a collector of OpenTelemetry. */
export const tracing = section({
  enabled: flag(
    'Whether spans of connections and messages are sent to a collector of OpenTelemetry. See docs/observability.md.',
    false,
  ),
  endpoint: z.string().refine(isCollector).default('http://127.0.0.1:4318/v1/traces').meta({
    description: 'Where spans go: OTLP over HTTP, as JSON.',
    expects: 'an http: or https: URL without user, password and fragment',
  }),
  authorizationFile: file(
    'File whose first line is the header `authorization` of every export, such as `Bearer TOKEN`.',
  ),
  sampleRatio: z.number().min(0).max(1).default(0.01).meta({
    description:
      'Which part of messages and connections without a context of their own is traced. Those with one go by its sampled flag. The same on all nodes.',
    expects: 'a number from 0 to 1',
  }),
  injectUserProperty: flag(
    'Whether a traced message without the user property `traceparent` is given one, for its MQTT 5 receivers and for bridges. One that its publisher has set is never changed.',
    true,
  ),
  deliverySpansMax: whole(
    'Most deliveries of one message at one node that get a span each; the others are counted in its `route` span.',
    { default: 16, min: 0, max: 10_000, unit: 'spans' },
  ),
  queueSpansMax: whole(
    'Most spans that wait for their export; more are dropped and counted (`skein_broker_trace_spans_total`).',
    { default: 8_192, min: 1, max: 1_000_000, unit: 'spans' },
  ),
  batchSpansMax: whole('Most spans of one export.', {
    default: 512,
    min: 1,
    max: 65_536,
    unit: 'spans',
  }),
  flushIntervalMs: milliseconds('How long a span waits for others at most before its export.', {
    default: 2_000,
    min: 10,
    max: 600_000,
  }),
  exportTimeoutMs: milliseconds(
    'How long an export may take, repeats included; then its spans are lost and counted.',
    { default: 10_000, min: 100, max: 600_000 },
  ),
});

function isCollector(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || url.protocol === 'http:';
}

/** What is wrong between the settings of tracing. @internal */
export function tracingFaults(settings: z.output<typeof tracing>): readonly ConfigFault[] {
  const { batchSpansMax, queueSpansMax } = settings;
  if (batchSpansMax <= queueSpansMax) return [];
  return [
    {
      field: 'tracing.batchSpansMax',
      problem: 'is more than may wait',
      fix: 'lower it to tracing.queueSpansMax, or raise that',
    },
  ];
}

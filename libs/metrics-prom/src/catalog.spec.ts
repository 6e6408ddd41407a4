import { describe, expect, it } from '@jest/globals';
import { API_COUNTERS, API_GAUGES, API_HISTOGRAMS } from './api-catalog.ts';
import { BROKER_COUNTERS, BROKER_GAUGES, BROKER_HISTOGRAMS } from './catalog.ts';

const counters = [...Object.values(BROKER_COUNTERS), ...Object.values(API_COUNTERS)];
const gauges = [...Object.values(BROKER_GAUGES), ...Object.values(API_GAUGES)];
const histograms = [...Object.values(BROKER_HISTOGRAMS), ...Object.values(API_HISTOGRAMS)];
const all = [...counters, ...gauges, ...histograms];

/** Every label a series may have: closed sets, or capped ones (bridge, rule, route). Never who or what a client is. */
const LABELS = new Set([
  ...['action', 'backend', 'bridge', 'cluster', 'code', 'commit', 'direction', 'event', 'fault'],
  ...[
    'initiator',
    'kind',
    'level',
    'listener',
    'method',
    'mqtt_version',
    'node_id',
    'node_version',
    'op',
    'policy',
  ],
  ...['operation', 'outcome', 'path', 'persistent', 'qos', 'reason', 'role', 'route', 'rule'],
  ...[
    'limiter',
    'peer_state',
    'resumed',
    'scope',
    'source',
    'stage',
    'state',
    'transport',
    'type',
    'version',
  ],
]);

describe('metric names', () => {
  it.each(all.map(({ name }) => name))(
    '%s has a prefix, snake case and no reserved end',
    (name) => {
      expect(name).toMatch(/^skein_(?:broker|bridge|api)(?:_[a-z0-9]+)+$/);
      expect(name).not.toMatch(/_(?:count|sum|bucket|milliseconds|ms|kilobytes)$/);
    },
  );

  it('end in _total exactly when they count', () => {
    const total = (list: readonly { readonly name: string }[]) =>
      list.filter(({ name }) => name.endsWith('_total')).length;

    expect(total(counters)).toBe(counters.length);
    expect(total([...gauges, ...histograms])).toBe(0);
  });

  it('are unique, also without the end that OpenMetrics cuts off', () => {
    const families = all.map(({ name }) => name.replace(/_total$/, ''));

    expect(new Set(families).size).toBe(families.length);
  });

  it('measure durations in seconds', () => {
    const durations = histograms.filter(({ name }) => name.includes('duration'));

    expect(durations.filter(({ name }) => !name.endsWith('_seconds'))).toEqual([]);
  });
});

it('uses labels of the list only', () => {
  const strange = all.flatMap(({ labels }) => labels.filter((label) => !LABELS.has(label)));

  expect(strange).toEqual([]);
});

it('has rising bounds, and one at the latency objective', () => {
  for (const { buckets } of histograms) {
    expect(buckets).toEqual([...new Set(buckets)].toSorted((a, b) => a - b));
  }
  expect(BROKER_HISTOGRAMS.deliveryDuration.buckets).toContain(0.25);
});

it('has a sentence of help for each', () => {
  expect(all.filter(({ help }) => !/^[A-Z].*\.$/.test(help))).toEqual([]);
});

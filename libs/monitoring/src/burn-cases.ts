import { JOB, at, growing, pair, type RuleCase, type SeriesOf } from './case-series.ts';
import { THRESHOLDS } from './dial.ts';
import { BURN_RATES, SLOS, burnName, type Slo } from './slos.ts';

/** Good and bad events of an objective, 1,000,000 a minute, of which a share is bad. */
function burning(slo: Slo, share: number): SeriesOf {
  const bad = growing(Math.round(1e6 * share));
  const good = growing(Math.round(1e6 * (1 - share)));
  const pod = at('b-0');
  const api =
    'namespace="prod", job="skein-api", pod="api-0", route="/api/v1/status", method="GET"';
  switch (slo.name) {
    case 'connect':
      return {
        [`skein_broker_connects_total{${pod}, outcome="server_error"}`]: bad,
        [`skein_broker_connects_total{${pod}, outcome="success"}`]: good,
        // Clients with a wrong password are no fault of ours, however many they are.
        [`skein_broker_connects_total{${pod}, outcome="client_error"}`]: growing(1e6),
      };
    case 'delivery':
      return {
        [`skein_broker_deliveries_dropped_total{${pod}, fault="server", reason="cluster_error"}`]:
          bad,
        [`skein_broker_deliveries_dropped_total{${pod}, fault="client", reason="expired"}`]:
          growing(1e6),
        [`skein_broker_publish_sent_total{${pod}, qos="1"}`]: good,
      };
    case 'latency':
      return {
        [`skein_broker_delivery_duration_seconds_bucket{${pod}, le="0.25"}`]: good,
        [`skein_broker_delivery_duration_seconds_count{${pod}}`]: growing(1e6),
      };
    case 'bridge':
      return {
        [`skein_bridge_records_total{${pod}, bridge="main", outcome="failed"}`]: bad,
        [`skein_bridge_records_total{${pod}, bridge="main", outcome="delivered"}`]: good,
        [`skein_bridge_records_total{${pod}, bridge="main", outcome="filtered"}`]: growing(1e6),
      };
    case 'api':
      return {
        [`skein_api_http_requests_total{${api}, code="503"}`]: bad,
        [`skein_api_http_requests_total{${api}, code="200"}`]: good,
      };
  }
}

const BURNS = SLOS.flatMap((slo) =>
  BURN_RATES.flatMap((rate) => {
    const bound = rate.factor * THRESHOLDS[slo.budget][0];
    const job = slo.name === 'api' ? 'skein-api' : 'skein-broker';
    return pair(
      burnName(slo, rate),
      {
        name: `${slo.name}: a quarter more than ${String(rate.factor)} times the budget is bad`,
        series: burning(slo, bound * 1.25),
        firing: [{ namespace: 'prod', job }],
        at: '40m',
      },
      {
        name: `${slo.name}: a quarter less is`,
        series: burning(slo, bound * 0.75),
        at: '40m',
      },
    );
  }),
);

/** Every burn rate has a case in which it fires and one in which it does not. */
export const BURN_CASES: readonly RuleCase[] = [
  ...BURNS,
  {
    name: 'a 3 % share of connects fails by our fault',
    alert: 'SkeinSloConnectBurn14_4x',
    series: burning(SLOS[0] as Slo, 0.03),
    at: '40m',
    firing: [JOB],
  },
  {
    name: 'a burst of errors ended ten minutes ago',
    alert: 'SkeinSloConnectBurn14_4x',
    series: {
      [`skein_broker_connects_total{${at('b-0')}, outcome="server_error"}`]: '0+1000x40 40000x80',
      [`skein_broker_connects_total{${at('b-0')}, outcome="success"}`]: growing(1_000),
    },
    at: '50m',
    firing: [],
  },
];

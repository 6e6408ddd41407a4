import { CAUSES, type Cause } from './causes.ts';
import type { Dial } from './dial.ts';
import {
  BURN_RATES,
  SLOS,
  SLO_WINDOWS,
  burnExpression,
  burnName,
  ratioName,
  sloPage,
  type BurnRate,
  type Slo,
} from './slos.ts';

/** A rule as Prometheus reads it. */
export type Rule =
  | { readonly record: string; readonly expr: string }
  | {
      readonly alert: string;
      readonly expr: string;
      readonly for: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    };

/** A group as Prometheus reads it. */
export interface RuleGroup {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly Rule[];
}

const PLAIN: readonly (readonly [record: string, expression: (dial: Dial) => string])[] = [
  [
    'namespace_job:skein_broker_connections:sum',
    () => 'sum by (namespace, job) (skein_broker_connections)',
  ],
  ...(
    [
      ['namespace_job:skein_broker_connects:rate5m', 'skein_broker_connects_total'],
      ['namespace_job:skein_broker_publish_received:rate5m', 'skein_broker_publish_received_total'],
      ['namespace_job:skein_broker_publish_sent:rate5m', 'skein_broker_publish_sent_total'],
    ] as const
  ).map(
    ([record, series]) =>
      [
        record,
        (dial: Dial) => `sum by (namespace, job) (rate(${series}[${dial.window('5m')}]))`,
      ] as const,
  ),
  [
    'namespace_job_le:skein_broker_delivery_duration_seconds_bucket:rate5m',
    (dial) =>
      `sum by (namespace, job, le) (rate(skein_broker_delivery_duration_seconds_bucket[${dial.window('5m')}]))`,
  ],
];

/** The groups by the name of their file: recorded series, objectives with their burn rates, and one file for each kind of cause. */
export function ruleFiles(dial: Dial): ReadonlyMap<string, readonly RuleGroup[]> {
  const group = (name: string, rules: readonly Rule[]): [string, readonly RuleGroup[]] => [
    name,
    [{ name: `skein-${name}`, interval: dial.interval('30s'), rules }],
  ];
  const kinds = [...new Set(CAUSES.map((cause) => cause.group))];
  return new Map([
    group(
      'recordings',
      PLAIN.map(([record, expression]) => ({ record, expr: expression(dial) })),
    ),
    group('slos', [
      ...SLOS.flatMap((slo) =>
        SLO_WINDOWS.map((window) => ({
          record: ratioName(slo, window),
          expr: slo.ratio(dial.window(window)),
        })),
      ),
      ...SLOS.flatMap((slo) => BURN_RATES.map((rate) => burnAlert(slo, rate, dial))),
    ]),
    ...kinds.map((kind) =>
      group(
        kind,
        CAUSES.filter((cause) => cause.group === kind).map((cause) => causeAlert(cause, dial)),
      ),
    ),
  ]);
}

function burnAlert(slo: Slo, rate: BurnRate, dial: Dial): Rule {
  const name = burnName(slo, rate);
  return {
    alert: name,
    expr: burnExpression(slo, rate, dial),
    for: dial.hold(name, rate.hold),
    labels: { severity: rate.severity, slo: slo.name },
    annotations: {
      summary: `The error budget of ${slo.name} burns ${String(rate.factor)} times too fast in {{ $labels.namespace }}`,
      description: `Objective: ${slo.objective}. Now ${slo.meaning}; at this rate the budget of 30 days is gone after ${rate.gone}.`,
      runbook_url: dial.runbook(sloPage(slo)),
      dashboard: slo.dashboard,
    },
  };
}

function causeAlert(cause: Cause, dial: Dial): Rule {
  return {
    alert: cause.name,
    expr: cause.expression(dial),
    for: dial.hold(cause.name, cause.hold),
    labels: { severity: cause.severity },
    annotations: {
      summary: cause.summary,
      description: cause.description,
      runbook_url: dial.runbook(cause.name),
      dashboard: cause.dashboard,
    },
  };
}

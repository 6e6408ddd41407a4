import type { Rule, RuleGroup } from './rules.ts';
import type { RuleCase } from './case-series.ts';

type Alert = Extract<Rule, { readonly alert: string }>;

/** The cases as a test file of promtool. What fires is asked of the series `ALERTS`, so that texts may change. */
export function promtoolTests(
  ruleFiles: readonly string[],
  groups: readonly RuleGroup[],
  cases: readonly RuleCase[],
): unknown {
  const alerts = new Map(
    groups
      .flatMap(({ rules }) => rules)
      .filter((rule): rule is Alert => 'alert' in rule)
      .map((rule) => [rule.alert, rule]),
  );
  return {
    rule_files: ruleFiles,
    evaluation_interval: '1m',
    tests: cases.map(({ name, alert, series, at, firing }) => ({
      name: `${alert}: ${name}`,
      interval: '1m',
      input_series: Object.entries(series).map(([text, values]) => ({ series: text, values })),
      promql_expr_test: [
        {
          expr: `ALERTS{alertname="${alert}", alertstate="firing"}`,
          eval_time: at,
          exp_samples: firing.map((labels) => ({
            labels: seriesText('ALERTS', {
              ...{ alertname: alert, alertstate: 'firing' },
              ...alerts.get(alert)?.labels,
              ...labels,
            }),
            value: 1,
          })),
        },
      ],
    })),
  };
}

function seriesText(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${pairs.join(', ')}}`;
}

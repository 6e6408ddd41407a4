import { SLOS } from '../slos.ts';
import type { Board, Panel, Row } from './panel.ts';
import { bounded, series, stat } from './panel.ts';
import { THRESHOLDS } from '../dial.ts';

const recorded = (slo: string, window: string): string =>
  `namespace_job:skein_slo_${slo}_errors:ratio_rate${window}{namespace=~"$namespace"}`;

const rows: readonly Row[] = SLOS.map((slo) => {
  const budget = THRESHOLDS[slo.budget][0];
  const page = `runbooks/SkeinSlo${slo.name.slice(0, 1).toUpperCase()}${slo.name.slice(1)}Burn.md`;
  const wide = (panel: Panel, width: number): Panel => ({ ...panel, width, height: 6 });
  return {
    title: slo.name,
    panels: [
      wide(
        stat(
          ['Good, 30 days', 'percentunit'],
          `1 - avg_over_time(${recorded(slo.name, '1h')}[30d])`,
          {
            instant: true,
            bounds: { warning: 1 - budget / 2, critical: 1 - budget, falling: true },
            text: [
              `Objective: ${slo.objective}.`,
              'Above the objective.',
              'See the runbook.',
              page,
            ],
          },
        ),
        6,
      ),
      wide(
        stat(
          ['Budget left', 'percentunit'],
          `1 - avg_over_time(${recorded(slo.name, '1h')}[30d]) / ${String(budget)}`,
          {
            instant: true,
            bounds: { warning: 0.5, critical: 0.1, falling: true },
            text: ['What is left of the budget.', 'More than half.', 'No risky changes.', page],
          },
        ),
        6,
      ),
      wide(
        bounded(
          series(
            ['Burn rate', 'short'],
            (['1h', '6h', '3d'] as const).map((window) => [
              `${recorded(slo.name, window)} / ${String(budget)}`,
              window,
            ]),
            [
              'How many times too fast the budget burns: at 1 it lasts exactly 30 days.',
              'Below 1.',
              'From 6 on somebody is woken.',
              page,
            ],
          ),
          1,
          6,
        ),
        12,
      ),
    ],
  };
});

/** What users are promised, and what fires. */
export const OBJECTIVES: Board = {
  uid: 'skein-slo',
  title: 'Skein / Objectives and alerts',
  description: 'Whether users get what they are promised, and which alerts fire.',
  job: 'skein-broker',
  rows: [
    {
      title: 'Alerts',
      panels: [
        {
          ...{ kind: 'timeline', title: 'Alerts over time', unit: 'short', width: 12, height: 10 },
          states: { 1: { text: 'firing', color: 'red' } },
          queries: [
            [
              'max by (alertname) (ALERTS{alertname=~"Skein.*", alertstate="firing", namespace=~"$namespace"})',
              '{{alertname}}',
            ],
          ],
          means: 'When which alerts fired.',
          good: 'Empty.',
          act: 'Each has a runbook of its name.',
          page: 'runbooks/README.md',
        },
        {
          ...{ kind: 'table', title: 'Firing now', unit: 'short', width: 12, by: 'alertname' },
          ...{ height: 10, sort: 'severity' },
          queries: [
            [
              'max by (alertname, severity, pod, bridge, listener) (ALERTS{alertname=~"Skein.*", alertstate="firing", namespace=~"$namespace"})',
              'firing',
              { hidden: true },
            ],
          ],
          means: 'Alerts that fire now; the runbook of each is docs/runbooks/NAME.md.',
          good: 'Empty.',
          act: 'critical first.',
          page: 'runbooks/README.md',
        },
      ],
    },
    ...rows,
  ],
};

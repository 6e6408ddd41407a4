import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel as GrafanaPanel,
  type Threshold,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Board, Bounds, Panel, Query } from './panel.ts';

const SOURCE = { type: 'prometheus', uid: '$datasource' };
const SELECTION = 'namespace=~"$namespace", job=~"$job", pod=~"$pod"';
const STAT_HEIGHT = 4;
const PANEL_HEIGHT = 8;

/** An expression as Prometheus gets it, with the selection of the dashboard in place of `{~}`. */
export function selected(expression: string): string {
  return expression.replaceAll('{~', `{${SELECTION}`);
}

/** A dashboard as Grafana reads it. */
export function grafanaBoard({ uid, title, description, job, rows }: Board): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['skein'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('Skein')
        .type(DashboardLinkType.Dashboards)
        .tags(['skein'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );
  for (const variable of variables(job)) builder.withVariable(variable);
  for (const annotation of annotations()) builder.annotation(annotation);
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(grafanaPanel(panel));
  }
  return builder.build();
}

function variables(job: Board['job']) {
  const values = (name: string, label: string, query: string) =>
    new QueryVariableBuilder(name)
      .label(label)
      .datasource(SOURCE)
      .query(query)
      .multi(true)
      .includeAll(true)
      .allValue('.+')
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc);
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    values('namespace', 'Namespace', `label_values(up{job="${job}"}, namespace)`),
    values('job', 'Job', `label_values(up{job="${job}", namespace=~"$namespace"}, job)`),
    values('pod', 'Pod', 'label_values(up{job=~"$job", namespace=~"$namespace"}, pod)'),
  ];
}

/** What explains a step in any of the lines. */
function annotations() {
  const marks: readonly (readonly [
    name: string,
    color: string,
    expression: string,
    text: string,
  ])[] = [
    [
      'Deploys',
      'blue',
      'count by (version) (skein_broker_build_info{namespace=~"$namespace"}) unless count by (version) (skein_broker_build_info{namespace=~"$namespace"} offset 2m)',
      'version {{version}}',
    ],
    ['Drains', 'orange', 'skein_broker_draining{namespace=~"$namespace"} == 1', '{{pod}} drains'],
    [
      'Alerts',
      'red',
      'ALERTS{namespace=~"$namespace", alertname=~"Skein.*", alertstate="firing", severity="critical"}',
      '{{alertname}}',
    ],
  ];
  return marks.map(([name, color, expression, text]) =>
    new AnnotationQueryBuilder()
      .name(name)
      .datasource(SOURCE)
      .enable(true)
      .iconColor(color)
      .expr(expression)
      .titleFormat(text)
      .step('60s'),
  );
}

function grafanaPanel(panel: Panel): Builder<GrafanaPanel> {
  switch (panel.kind) {
    case 'stat':
      return framed(new StatBuilder(), panel)
        .height(STAT_HEIGHT)
        .graphMode(common.BigValueGraphMode.Area)
        .colorMode(common.BigValueColorMode.Value)
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
        .thresholds(thresholds(panel.bounds))
        .withTarget(target([panel.query, '']));
    case 'series':
      return seriesPanel(panel);
    case 'heat':
      return framed(new HeatmapBuilder(), panel)
        .calculate(false)
        .yAxis(new YAxisConfigBuilder().unit(panel.unit))
        .color(
          new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Blues').steps(64),
        )
        .withTarget(target([panel.query, '{{le}}']).format(PromQueryFormat.Heatmap));
    case 'timeline':
      return withTargets(
        framed(new TimelineBuilder(), panel).thresholds(thresholds({ warning: 1, critical: 2 })),
        panel.queries,
      );
    case 'bars':
      return withTargets(
        framed(new BarGaugeBuilder(), panel)
          .orientation(common.VizOrientation.Horizontal)
          .min(0)
          .max(1)
          .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
          .thresholds(thresholds(panel.bounds)),
        panel.queries,
      );
    case 'table':
      return tablePanel(panel);
  }
}

function seriesPanel(panel: Extract<Panel, { readonly kind: 'series' }>): Builder<GrafanaPanel> {
  const { stacked = false, queries } = panel;
  const builder = framed(new SeriesBuilder(), panel)
    .min(0)
    // By name, so that a pod has the same colour in every panel.
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .fillOpacity(stacked ? 30 : 0)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi));
  if (stacked) {
    builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  }
  return withTargets(builder, queries);
}

/** One line for each value of a label, one column for each query. */
function tablePanel(panel: Extract<Panel, { readonly kind: 'table' }>): Builder<GrafanaPanel> {
  const builder = framed(new TableBuilder(), panel);
  for (const [index, query] of panel.queries.entries()) {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    builder.withTarget(
      target(query).refId(refId).format(PromQueryFormat.Table).instant().legendFormat(query[1]),
    );
  }
  const columns = panel.queries.map(([, name], index) => [
    `Value #${String.fromCharCode('A'.charCodeAt(0) + index)}`,
    name,
  ]);
  return builder
    .withTransformation({ id: 'joinByField', options: { byField: panel.by, mode: 'outer' } })
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: Object.fromEntries(columns),
        excludeByName: Object.fromEntries(
          panel.queries.map((_, index) => [`Time ${String(index + 1)}`, true]),
        ),
      },
    });
}

/** What all builders of panels share. */
interface Frame {
  title(title: string): this;
  description(text: string): this;
  datasource(source: typeof SOURCE): this;
  unit(unit: string): this;
  span(columns: number): this;
  height(rows: number): this;
  withTarget(query: Builder<DataqueryOf>): this;
}

type DataqueryOf = ReturnType<DataqueryBuilder['build']>;

function framed<Own extends Frame>(builder: Own, panel: Panel): Own {
  const { title, unit, width, means, good, act, page } = panel;
  const text = `${means}\n\n**Good:** ${good}\n\n**Else:** ${act}\n\n[docs/${page}](docs/${page})`;
  return builder
    .title(title)
    .description(text)
    .datasource(SOURCE)
    .unit(unit)
    .span(width)
    .height(PANEL_HEIGHT);
}

function withTargets<Own extends Frame>(builder: Own, queries: readonly Query[]): Own {
  for (const query of queries) builder.withTarget(target(query));
  return builder;
}

function target([expression, legend]: Query): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(SOURCE)
    .expr(selected(expression))
    .legendFormat(legend)
    .range();
}

function thresholds(bounds: Bounds | undefined): ThresholdsConfigBuilder {
  const config = new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute);
  if (bounds === undefined) return config.steps([step(null, 'blue')]);
  const { warning, critical, falling = false } = bounds;
  return config.steps(
    falling
      ? [step(null, 'red'), step(critical, 'yellow'), step(warning, 'green')]
      : [step(null, 'green'), step(warning, 'yellow'), step(critical, 'red')],
  );
}

function step(value: number | null, color: string): Threshold {
  return { value, color };
}

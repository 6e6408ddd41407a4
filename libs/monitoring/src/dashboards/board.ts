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
  MappingType,
  SpecialValueMatch,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type DashboardLink,
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
import { evenWidths } from './layout.ts';
import type { Board, Bounds, Look, Panel, Query, States } from './panel.ts';

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
    for (const panel of evenWidths(row.panels)) builder.withPanel(grafanaPanel(panel));
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
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc);
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    values('namespace', 'Namespace', `label_values(up{job="${job}"}, namespace)`).allValue('.+'),
    // All jobs are those of the list: metrics that every process has, as process_*, would come from anywhere else.
    values('job', 'Job', `label_values(up{job="${job}", namespace=~"$namespace"}, job)`),
    values('pod', 'Pod', 'label_values(up{job=~"$job", namespace=~"$namespace"}, pod)').allValue(
      '.+',
    ),
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
      return statPanel(panel);
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
        framed(new TimelineBuilder(), panel).mappings([mapping(panel.states)]),
        panel.queries,
      );
    case 'bars':
      return barsPanel(panel);
    case 'table':
      return tablePanel(panel);
  }
}

function statPanel(panel: Extract<Panel, { readonly kind: 'stat' }>): Builder<GrafanaPanel> {
  const { query, bounds, instant = false, height = STAT_HEIGHT } = panel;
  const graph = instant ? common.BigValueGraphMode.None : common.BigValueGraphMode.Area;
  const asked = target([query, '']);
  return framed(new StatBuilder(), panel)
    .height(height)
    .graphMode(graph)
    .colorMode(common.BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholds(bounds))
    .withTarget(instant ? asked.instant() : asked);
}

/** A bar for each query, as it is now. */
function barsPanel(panel: Extract<Panel, { readonly kind: 'bars' }>): Builder<GrafanaPanel> {
  const builder = framed(new BarGaugeBuilder(), panel)
    .orientation(common.VizOrientation.Horizontal)
    .min(0)
    .max(1)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholds(panel.bounds));
  for (const [index, query] of panel.queries.entries())
    builder.withTarget(target(query, index).instant());
  return builder;
}

/** Of series that there are for each of many reasons, the legend names those that have been above 0. */
const WITHOUT_ZEROS = {
  matcher: { id: 'byValue', options: { reducer: 'allIsZero', op: 'gte', value: 0 } },
  properties: [{ id: 'custom.hideFrom', value: { legend: true, tooltip: true, viz: false } }],
};

function seriesPanel(panel: Extract<Panel, { readonly kind: 'series' }>): Builder<GrafanaPanel> {
  const { stacked = false, queries, bounds } = panel;
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
  if (bounds !== undefined) {
    const style = new common.GraphThresholdsStyleConfigBuilder();
    builder
      .thresholds(lines(bounds))
      .thresholdsStyle(style.mode(common.GraphThresholdsStyleMode.Dashed));
  }
  if (queries.some(([, legend]) => /{{(?!pod}})/.test(legend))) builder.withOverride(WITHOUT_ZEROS);
  return withTargets(builder, queries);
}

/** What a quantile is of nothing. */
const NOTHING_YET = {
  type: MappingType.SpecialValue as const,
  options: {
    match: SpecialValueMatch.NotANumber,
    result: { text: 'none', color: 'text', index: 9 },
  },
};

/** One line for each value of a label, one column for each query. */
function tablePanel(panel: Extract<Panel, { readonly kind: 'table' }>): Builder<GrafanaPanel> {
  const builder = framed(new TableBuilder(), panel).mappings([NOTHING_YET]);
  for (const [index, query] of panel.queries.entries()) {
    builder.withTarget(target(query, index).format(PromQueryFormat.Table).instant());
    const [, name, look] = query;
    if (look !== undefined && look.hidden !== true)
      builder.withOverride(column(name, lookOf(look)));
  }
  if (panel.by === 'pod') {
    const links = [linkTo('skein-nodes', 'The node', 'var-pod=${__value.text}')];
    builder.withOverride(column('pod', [{ id: 'links', value: links }]));
  }
  const columns = panel.queries.map(([, name], index) => [`Value #${refIdOf(index)}`, name]);
  const hidden = panel.queries.flatMap(([, , look], index) =>
    look?.hidden === true ? [`Value #${refIdOf(index)}`] : [],
  );
  // The times of the answers, which are all the same.
  const times = ['Time', ...panel.queries.map((_, index) => `Time ${String(index + 1)}`)];
  return builder
    .withTransformation({ id: 'joinByField', options: { byField: panel.by, mode: 'outer' } })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: panel.sort ?? panel.by }] } })
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: Object.fromEntries(columns),
        excludeByName: Object.fromEntries([...times, ...hidden].map((name) => [name, true])),
      },
    });
}

const column = (name: string, properties: { id: string; value: unknown }[]) => ({
  matcher: { id: 'byName', options: name },
  properties,
});

/** What a column of a table has of its own. */
function lookOf({ unit, bounds, states }: Look): { id: string; value: unknown }[] {
  const isColored = bounds !== undefined || states !== undefined;
  return [
    ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
    ...(bounds === undefined ? [] : [{ id: 'thresholds', value: thresholds(bounds).build() }]),
    ...(states === undefined ? [] : [{ id: 'mappings', value: [NOTHING_YET, mapping(states)] }]),
    ...(isColored ? [{ id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
  ];
}

function mapping(states: States) {
  const options = Object.entries(states).map(
    ([value, state], index) => [value, { ...state, index }] as const,
  );
  return { type: MappingType.ValueToText as const, options: Object.fromEntries(options) };
}

/** A link to another dashboard that keeps the time and what is selected. */
function linkTo(uid: string, title: string, more = '${pod:queryparam}') {
  const kept = ['${__url_time_range}', '${datasource:queryparam}', '${namespace:queryparam}', more];
  return { title, url: `/d/${uid}?${kept.join('&')}` };
}

/** What all builders of panels share. */
interface Frame {
  title(title: string): this;
  description(text: string): this;
  datasource(source: typeof SOURCE): this;
  unit(unit: string): this;
  span(columns: number): this;
  height(rows: number): this;
  links(links: Builder<DashboardLink>[]): this;
  withTarget(query: Builder<DataqueryOf>): this;
}

type DataqueryOf = ReturnType<DataqueryBuilder['build']>;

function framed<Own extends Frame>(builder: Own, panel: Panel): Own {
  const { title, unit, width, height = PANEL_HEIGHT, means, good, act, page, to } = panel;
  const text = `${means}\n\n**Good:** ${good}\n\n**Else:** ${act}\n\n[docs/${page}](docs/${page})`;
  if (to !== undefined) {
    const { title: name, url } = linkTo(to, 'More of it');
    builder.links([new DashboardLinkBuilder(name).type(DashboardLinkType.Link).url(url)]);
  }
  return builder
    .title(title)
    .description(text)
    .datasource(SOURCE)
    .unit(unit)
    .span(width)
    .height(height);
}

function withTargets<Own extends Frame>(builder: Own, queries: readonly Query[]): Own {
  for (const [index, query] of queries.entries()) builder.withTarget(target(query, index));
  return builder;
}

const refIdOf = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

function target([expression, legend]: Query, index = 0): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(refIdOf(index))
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

/** As lines each bound has a colour of its own, whichever side of it is good. */
function lines({ warning, critical }: Bounds): ThresholdsConfigBuilder {
  const bounds = [step(warning, 'yellow'), step(critical, 'red')];
  const rising = bounds.toSorted((one, other) => (one.value ?? 0) - (other.value ?? 0));
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([step(null, 'transparent'), ...rising]);
}

function step(value: number | null, color: string): Threshold {
  return { value, color };
}

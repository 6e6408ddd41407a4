import { existsSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from '@jest/globals';
import { METRIC_NAMES, PromMeter } from '#libs/metrics-prom';
import { CAUSES } from '../causes.ts';
import { DEFAULT_DIAL } from '../dial.ts';
import { ruleFiles } from '../rules.ts';
import { BOARDS, dashboards } from './dashboards.ts';
import { selected } from './board.ts';
import type { Panel } from './panel.ts';

/** What others expose: prom-client, Prometheus, the kubelet. */
const FOREIGN =
  /^(?:up|ALERTS|process_[a-z_]+|nodejs_[a-z_]+|scrape_samples_post_metric_relabeling|container_cpu_cfs_throttled_seconds_total)$/;

const recorded = new Set(
  [...ruleFiles(DEFAULT_DIAL).values()]
    .flat()
    .flatMap(({ rules }) => rules.flatMap((rule) => ('record' in rule ? [rule.record] : []))),
);

const panels = BOARDS.flatMap(({ rows }) => rows.flatMap((row) => row.panels));

function queriesOf(panel: Panel): readonly string[] {
  if (panel.kind === 'stat' || panel.kind === 'heat') return [panel.query];
  return panel.queries.map(([expression]) => expression);
}

/** An expression as Prometheus would get it from Grafana. */
function filled(expression: string): string {
  return selected(expression).replaceAll('$__rate_interval', '1m');
}

/** Every metric of an expression, and the functions that it stands in, innermost last. */
function metricsOf(expression: string) {
  const text = filled(expression);
  const found: { readonly name: string; readonly inside: readonly string[] }[] = [];
  parser.parse(text).iterate({
    enter(node) {
      if (node.name !== 'VectorSelector') return;
      const id = node.node.getChild('Identifier');
      const inside: string[] = [];
      for (let up = node.node.parent; up !== null; up = up.parent) {
        const name = up.getChild('FunctionIdentifier');
        if (name !== null) inside.push(text.slice(name.from, name.to));
      }
      found.push({ name: id === null ? '' : text.slice(id.from, id.to), inside });
    },
  });
  return found;
}

const family = (name: string): string => name.replace(/_(?:bucket|count|sum)$/, '');

it('there are eight, under the names that alerts point at', () => {
  expect([...dashboards().keys()]).toHaveLength(8);
  const named = [...CAUSES.map(({ dashboard }) => dashboard)];
  expect(named.filter((uid) => !dashboards().has(uid))).toEqual([]);
});

describe.each(BOARDS.map((board) => [board.uid, board] as const))('%s', (uid, board) => {
  const expressions = board.rows.flatMap(({ panels: own }) => own.flatMap(queriesOf));

  it('has queries that are PromQL', () => {
    const faulty = expressions.filter((expression) => {
      let broken = false;
      parser
        .parse(filled(expression))
        .iterate({ enter: ({ type }) => void (broken ||= type.isError) });
      return broken;
    });
    expect(faulty).toEqual([]);
  });

  it('takes counters as rates', () => {
    const bare = expressions
      .flatMap(metricsOf)
      .filter(({ name }) => /_(?:total|bucket|count|sum)$/.test(name) && name.startsWith('skein_'))
      .filter(({ inside }) => !inside.some((name) => ['rate', 'increase'].includes(name)));
    expect(bare).toEqual([]);
  });

  it('gives every panel a title of its own, a unit, advice and a page that exists', () => {
    const own = board.rows.flatMap((row) =>
      row.panels.map(({ title }) => `${row.title}: ${title}`),
    );
    expect(new Set(own).size).toBe(own.length);
    for (const panel of board.rows.flatMap((row) => row.panels)) {
      expect(panel.unit).not.toBe('');
      for (const text of [panel.means, panel.good, panel.act]) expect(text).toMatch(/^.+[.]$/s);
      const page = new URL(`../../../../docs/${panel.page}`, import.meta.url);
      expect({ page: panel.page, there: existsSync(page) }).toEqual({
        page: panel.page,
        there: true,
      });
    }
  });

  it('leaves the data source to whoever opens it, and cannot be edited', () => {
    const made = dashboards().get(uid);
    expect(made?.editable).toBe(false);
    expect(made?.schemaVersion).toBeGreaterThanOrEqual(39);
    const text = JSON.stringify(made);
    const sources = [...text.matchAll(/"datasource":\{"type":"(\w+)","uid":"([^"]+)"\}/g)];
    expect(sources.length).toBeGreaterThan(10);
    expect(new Set(sources.map(([, type, id]) => `${type ?? ''} ${id ?? ''}`))).toEqual(
      new Set(['prometheus $datasource']),
    );
    expect(text).not.toMatch(/"type":"(?:graph|singlestat|angular)/);
  });
});

it('asks only for metrics that are there', () => {
  const known = new Set(METRIC_NAMES);
  const unknown = panels
    .flatMap(queriesOf)
    .flatMap(metricsOf)
    .map(({ name }) => name)
    .filter((name) => !FOREIGN.test(name) && !recorded.has(name) && !known.has(family(name)));
  expect(unknown.map(family)).toEqual([]);
});

it('chooses by values of labels that a node has', async () => {
  const tls = { name: 'tls', connectionsMax: 1, isSecure: true };
  const meter = new PromMeter({ version: '0', cluster: 'c', nodeId: 'n', listeners: [tls] });
  meter.bridgeConnected('main', true);
  const page = (await meter.expose()).body.split('\n');
  const selectors = panels
    .flatMap(queriesOf)
    .flatMap((query) => [...query.matchAll(/(skein_br[a-z_]+)\{~, ([^}]+)\}/g)]);
  const wrong = selectors.flatMap(([, name = '', matchers = '']) =>
    [...matchers.matchAll(/([a-z_]+)!?="([^"]+)"/g)]
      .map(([, label = '', value = '']) => `${label}="${value}"`)
      .filter((text) => !page.some((line) => line.startsWith(`${name}{`) && line.includes(text)))
      .map((text) => `${name} ${text}`),
  );
  expect(selectors.length).toBeGreaterThan(10);
  expect(wrong).toEqual([]);
});

it('leaves no line half empty', () => {
  for (const board of dashboards().values()) {
    const widths = new Map<number, number>();
    for (const panel of board.panels ?? []) {
      const { y, w } = panel.gridPos ?? { y: 0, w: 0 };
      widths.set(y, (widths.get(y) ?? 0) + w);
    }
    expect([board.uid, ...new Set(widths.values())]).toEqual([board.uid, 24]);
  }
});

it('gives each query of a panel a name of its own', () => {
  for (const board of dashboards().values()) {
    for (const { targets = [] } of board.panels as readonly { targets?: { refId?: string }[] }[]) {
      const names = targets.map(({ refId }) => refId);
      expect(new Set(names).size).toBe(names.length);
    }
  }
});

it('shows nine of ten metrics somewhere', () => {
  const shown = new Set(
    panels
      .flatMap(queriesOf)
      .flatMap(metricsOf)
      .map(({ name }) => family(name)),
  );
  const hidden = METRIC_NAMES.filter((name) => !shown.has(name));
  expect(hidden.length / METRIC_NAMES.length).toBeLessThan(0.1);
});

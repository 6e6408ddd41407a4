import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { METRIC_NAMES } from '#libs/metrics-prom';
import { BURN_CASES } from './burn-cases.ts';
import { CAUSE_CASES } from './rule-cases.ts';
import { CHART_DIAL, DEFAULT_DIAL, THRESHOLDS, drillDial } from './dial.ts';
import { ruleFiles, type Rule } from './rules.ts';

type Alert = Extract<Rule, { readonly alert: string }>;

const rulesOf = (dial = DEFAULT_DIAL): readonly Rule[] =>
  [...ruleFiles(dial).values()].flat().flatMap(({ rules }) => rules);
const alertsOf = (dial = DEFAULT_DIAL): readonly Alert[] =>
  rulesOf(dial).filter((rule): rule is Alert => 'alert' in rule);

it('has 40 recorded series, 20 burn rates and 26 causes, each under a name of its own', () => {
  const names = rulesOf().map((rule) => ('alert' in rule ? rule.alert : rule.record));
  expect(new Set(names).size).toBe(names.length);
  expect(alertsOf().filter(({ labels }) => labels['slo'] !== undefined)).toHaveLength(20);
  expect(alertsOf().filter(({ labels }) => labels['slo'] === undefined)).toHaveLength(26);
  expect(rulesOf()).toHaveLength(86);
});

describe.each(alertsOf().map((alert) => [alert.alert, alert] as const))('%s', (name, alert) => {
  it('says what is wrong, how bad it is and where to look', () => {
    expect(['critical', 'warning', 'info']).toContain(alert.labels['severity']);
    expect(alert.for).toMatch(/^\d+[mh]$/);
    expect(alert.annotations['summary']?.length).toBeGreaterThan(10);
    expect(alert.annotations['description']?.length).toBeGreaterThan(30);
    expect(alert.annotations['dashboard']).toMatch(/^skein-[a-z]+$/);
  });

  it('names in its texts only labels that it keeps', () => {
    const used = Object.values(alert.annotations).flatMap((text) =>
      [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label),
    );
    const cases = [...CAUSE_CASES, ...BURN_CASES];
    const kept = cases.find((each) => each.alert === name && each.firing.length > 0)?.firing[0];
    expect(used.filter((label) => label !== undefined && !(label in (kept ?? {})))).toEqual([]);
  });

  it('has a runbook with what it means, what it harms, how to find out and what to do', () => {
    const path = new URL(`../../../${alert.annotations['runbook_url'] ?? ''}`, import.meta.url);
    expect(existsSync(path)).toBe(true);
    const sections = [...readFileSync(path, 'utf8').matchAll(/^## (.+)$/gm)].map(
      ([, title]) => title,
    );
    expect(sections).toEqual(['Meaning', 'Impact', 'Diagnosis', 'Mitigation']);
  });

  it('is tried both ways', () => {
    const cases = [...CAUSE_CASES, ...BURN_CASES].filter((each) => each.alert === name);
    expect(cases.some(({ firing }) => firing.length > 0)).toBe(true);
    expect(cases.some(({ firing }) => firing.length === 0)).toBe(true);
  });
});

it('leaves a place for every number in what a chart fills in, and none that it does not know', () => {
  const text = JSON.stringify(rulesOf(CHART_DIAL));
  const named = new Set([...text.matchAll(/@threshold:(\w+)@/g)].map(([, name]) => name));
  expect(named).toEqual(new Set(Object.keys(THRESHOLDS)));
  for (const alert of alertsOf(CHART_DIAL)) expect(alert.for).toBe(`@for:${alert.alert}@`);
});

/** Asked for by rules and not exposed yet. */
it('asks for no metric that no process has', () => {
  const known = new Set(METRIC_NAMES);
  const asked = rulesOf().flatMap(({ expr }) => [...expr.matchAll(/(?<!:)\bskein_[a-z_]+/g)]);
  const names = new Set(asked.map(([name]) => name.replace(/_(?:bucket|count|sum)$/, '')));
  expect([...names].filter((name) => !known.has(name))).toEqual([]);
});

it('shortens every time for a drill, and no window below four scrapes', () => {
  const dial = drillDial(60, 8);
  expect(dial.window('1h')).toBe('60s');
  expect(dial.window('15m:1m')).toBe('15s:8s');
  expect(dial.hold('SkeinBridgeDown', '2m')).toBe('2s');
  for (const alert of alertsOf(dial)) {
    expect(alert.for).toMatch(/^\d+s$/);
    expect(alert.expr).not.toMatch(/\[\d+[mhd]/);
  }
});

export { CAUSES, type Cause } from './causes.ts';
export { BOARDS, dashboards } from './dashboards/dashboards.ts';
export type { Advice, Board, Bounds, Look, Panel, Query, Row, States } from './dashboards/panel.ts';
export {
  CHART_DIAL,
  DEFAULT_DIAL,
  THRESHOLDS,
  drillDial,
  type Dial,
  type Hold,
  type Threshold,
} from './dial.ts';
export { BURN_CASES } from './burn-cases.ts';
export { type RuleCase, type SeriesOf } from './case-series.ts';
export { CAUSE_CASES } from './rule-cases.ts';
export { INHIBITIONS, inhibitRules, type Inhibition } from './inhibitions.ts';
export { promtoolTests } from './rule-tests.ts';
export { ruleFiles, type Rule, type RuleGroup } from './rules.ts';
export { BURN_RATES, SLOS, SLO_WINDOWS, sloPage, type BurnRate, type Slo } from './slos.ts';

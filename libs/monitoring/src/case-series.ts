/** Series in promtool's notation, one value a minute. */
export type SeriesOf = Readonly<Record<string, string>>;

/** What is there, and whether an alert fires on it. */
export interface RuleCase {
  /** What happens, as an SRE would say it. */
  readonly name: string;
  readonly alert: string;
  readonly series: SeriesOf;
  /** When it is looked at. */
  readonly at: string;
  /** The labels of the alerts that fire, besides those of the rule; empty: none does. */
  readonly firing: readonly Readonly<Record<string, string>>[];
}

const BROKER = 'namespace="prod", job="skein-broker"';
/** The labels of what a pod exposes. */
export const at = (pod: string): string => `${BROKER}, pod="${pod}", instance="${pod}:9464"`;
/** The labels that an alert on a pod keeps. */
export const POD = { namespace: 'prod', pod: 'b-0' };
/** The labels that an alert on all brokers keeps. */
export const JOB = { namespace: 'prod', job: 'skein-broker' };

/** Steady for two hours. */
export const steady = (value: number): string => `${String(value)}x120`;
/** Growing by so much a minute for two hours. */
export const growing = (step: number, from = 0): string => `${String(from)}+${String(step)}x120`;

/** Two cases of one alert: it fires, and it stays quiet. */
export function pair(
  alert: string,
  fires: Omit<RuleCase, 'alert' | 'at'> & { readonly at?: string },
  quiet: Omit<RuleCase, 'alert' | 'at' | 'firing'> & { readonly at?: string },
): readonly RuleCase[] {
  return [
    { at: '90m', ...fires, alert },
    { at: '90m', ...quiet, alert, firing: [] },
  ];
}

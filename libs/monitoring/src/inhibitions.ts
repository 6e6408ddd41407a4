/** An alert that keeps others silent while it fires: who is told of the cause is not told of what follows from it. */
export interface Inhibition {
  /** Why the others say nothing new. */
  readonly reason: string;
  /** Labels of the alert that tells. */
  readonly source: Readonly<Record<string, string>>;
  /** Labels of those that are silent, as patterns. */
  readonly target: Readonly<Record<string, string>>;
  /** Labels that both must have alike. */
  readonly equal: readonly string[];
}

const FASTER_BURNS: readonly Inhibition[] = (
  [
    ['SkeinSlo.*Burn14_4x', 'SkeinSlo.*Burn(6x|3x|1x)'],
    ['SkeinSlo.*Burn6x', 'SkeinSlo.*Burn(3x|1x)'],
    ['SkeinSlo.*Burn3x', 'SkeinSlo.*Burn1x'],
  ] as const
).map(([source, target]) => ({
  reason: 'A budget that burns fast burns slowly, too.',
  source: { alertname: source },
  target: { alertname: target },
  equal: ['namespace', 'job', 'slo'],
}));

/** What an Alertmanager must know so that one cause wakes somebody once. */
export const INHIBITIONS: readonly Inhibition[] = [
  {
    reason:
      'Without Redis sessions cannot be opened, messages and records not be stored, and the API refuses.',
    source: { alertname: 'SkeinBrokerRedisUnavailable' },
    target: { alertname: 'SkeinSlo(Connect|Delivery|Latency|Bridge|Api)Burn.*' },
    equal: ['namespace'],
  },
  {
    reason:
      'A bridge without its other side fails records, and drops those of which rules permit it.',
    source: { alertname: 'SkeinBridgeDown' },
    target: { alertname: 'SkeinBridgeDropping|SkeinSloBridgeBurn.*' },
    equal: ['namespace'],
  },
  {
    reason: 'Where no broker is up, each of them is down.',
    source: { alertname: 'SkeinBrokerAbsent' },
    target: { alertname: 'SkeinBrokerTargetDown' },
    equal: [],
  },
  ...FASTER_BURNS,
];

/** The rules as the configuration of an Alertmanager has them. */
export function inhibitRules(): readonly Readonly<Record<string, readonly string[]>>[] {
  const matchers = (labels: Inhibition['source']): readonly string[] =>
    Object.entries(labels).map(([name, pattern]) => `${name}=~"${pattern}"`);
  return INHIBITIONS.map(({ source, target, equal }) => ({
    source_matchers: matchers(source),
    target_matchers: matchers(target),
    equal,
  }));
}

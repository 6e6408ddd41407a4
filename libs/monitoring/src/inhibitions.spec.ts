import { expect, it } from '@jest/globals';
import { DEFAULT_DIAL } from './dial.ts';
import { INHIBITIONS } from './inhibitions.ts';
import { CAUSE_CASES } from './rule-cases.ts';
import { BURN_CASES } from './burn-cases.ts';
import { ruleFiles } from './rules.ts';

/** Every alert with the labels that it has when it fires. */
const alerts = [...ruleFiles(DEFAULT_DIAL).values()]
  .flat()
  .flatMap(({ rules }) => rules)
  .flatMap((rule) => ('alert' in rule ? [rule] : []))
  .map(({ alert, labels }) => {
    const fired = [...CAUSE_CASES, ...BURN_CASES].find(
      (each) => each.alert === alert && each.firing.length > 0,
    );
    const all: Readonly<Record<string, string>> = {
      ...fired?.firing[0],
      ...labels,
      alertname: alert,
    };
    return all;
  });

const chosen = (patterns: Readonly<Record<string, string>>) =>
  alerts.filter((labels) =>
    Object.entries(patterns).every(([name, pattern]) =>
      new RegExp(`^(?:${pattern})$`).test(labels[name] ?? ''),
    ),
  );

it.each(INHIBITIONS.map((each) => [each.reason, each] as const))(
  'silences alerts that are there, by labels that both sides have: %s',
  (_, { source, target, equal }) => {
    const [told, silent] = [chosen(source), chosen(target)];

    expect(told).not.toEqual([]);
    expect(silent).not.toEqual([]);
    for (const labels of [...told, ...silent])
      expect(Object.keys(labels)).toEqual(expect.arrayContaining([...equal]));
  },
);

it('leaves nobody asleep: what silences a page is a page', () => {
  const isPage = ({ severity }: Readonly<Record<string, string>>): boolean =>
    severity === 'critical';
  const wrong = INHIBITIONS.filter(
    ({ source, target }) => chosen(target).some(isPage) && !chosen(source).every(isPage),
  );

  expect(wrong).toEqual([]);
});

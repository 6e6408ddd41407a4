import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  BURN_CASES,
  CAUSE_CASES,
  DEFAULT_DIAL,
  INHIBITIONS,
  inhibitRules,
  promtoolTests,
  ruleFiles,
} from '#libs/monitoring';

/** What the tools of Prometheus and Alertmanager say to what deploy/monitoring holds. */
export interface RuleCheck {
  readonly rules: number;
  readonly alerts: number;
  /** Cases in which alerts fire, or must not. */
  readonly cases: number;
  readonly inhibitions: number;
  readonly failures: readonly string[];
}

/** Checks the rules, runs their tests, and checks the rules of Alertmanager; everything is written into the directory. */
export function checkRules(directory: string): RuleCheck {
  const write = (name: string, value: unknown): string => {
    const path = join(directory, name);
    writeFileSync(path, stringify(value, { lineWidth: 0 }));
    return path;
  };
  const groups = [...ruleFiles(DEFAULT_DIAL).values()].flat();
  const files = [...ruleFiles(DEFAULT_DIAL)].map(([name, own]) =>
    write(`${name}.yaml`, { groups: own }),
  );
  const cases = [...CAUSE_CASES, ...BURN_CASES];
  const tests = write('test.yaml', promtoolTests(files, groups, cases));
  const alertmanager = write('alertmanager.yaml', {
    route: { receiver: 'nobody' },
    receivers: [{ name: 'nobody' }],
    inhibit_rules: inhibitRules(),
  });
  const runs = [
    ['promtool', 'check', 'rules', '--lint=all', ...files],
    ['promtool', 'test', 'rules', tests],
    ['amtool', 'check-config', alertmanager],
  ] as const;
  const rules = groups.flatMap((group) => group.rules);
  return {
    rules: rules.length,
    alerts: rules.filter((rule) => 'alert' in rule).length,
    cases: cases.length,
    inhibitions: INHIBITIONS.length,
    failures: runs.flatMap(([command, ...args]) => {
      const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
      const output = `${stdout ?? ''}${stderr ?? ''}`;
      return status === 0 ? [] : [`${command} ${args.slice(0, 2).join(' ')}: ${output}`];
    }),
  };
}

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { DEFAULT_DIAL, THRESHOLDS, type Dial } from './dial.ts';
import { BURN_CASES } from './burn-cases.ts';
import { CAUSE_CASES } from './rule-cases.ts';
import { promtoolTests } from './rule-tests.ts';
import { ruleFiles } from './rules.ts';

const PROMTOOL_MS = 300_000;
const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-rules-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const yaml = (value: unknown): string => stringify(value, { lineWidth: 0 });

/** Writes the rules and returns their files. */
async function written(dial: Dial, prefix: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [name, groups] of ruleFiles(dial)) {
    files.set(name, join(folder, `${prefix}-${name}.yaml`));
    await writeFile(join(folder, `${prefix}-${name}.yaml`), yaml({ groups }));
  }
  return files;
}

it.each<[string, Dial]>([
  ['by default', DEFAULT_DIAL],
  ['with other numbers', { ...DEFAULT_DIAL, threshold: (name) => String(THRESHOLDS[name][0] * 3) }],
])('promtool finds no fault in the rules %s', async (_, dial) => {
  const files = await written(dial, 'checked');
  const { stdout } = await run('promtool', ['check', 'rules', '--lint=all', ...files.values()]);
  expect([...stdout.matchAll(/SUCCESS: (\d+) rules/g)].map(([, count]) => Number(count))).toEqual(
    [...ruleFiles(dial).values()].map(([group]) => group?.rules.length),
  );
});

it.each([
  ['causes', CAUSE_CASES, (name: string) => name !== 'slos'],
  ['burn rates', BURN_CASES, (name: string) => name === 'slos'],
])(
  'alerts on %s fire when they should, and only then',
  async (name, cases, wanted) => {
    const files = [...(await written(DEFAULT_DIAL, 'tested'))].filter(([file]) => wanted(file));
    const groups = [...ruleFiles(DEFAULT_DIAL).values()].flat();
    const tests = join(folder, `${name.replace(' ', '-')}.test.yaml`);
    const paths = files.map(([, path]) => path);
    await writeFile(tests, yaml(promtoolTests(paths, groups, cases)));
    const { stdout } = await run('promtool', ['test', 'rules', tests]);
    expect(stdout).toContain('SUCCESS');
  },
  PROMTOOL_MS,
);

// Checks the Helm chart without a cluster, and makes what is made of values.yaml; see --help.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { buildIfStale } from './build.mjs';
import { partsOf } from './chart/parts.mjs';
import { ensureChartTools } from './chart-tools.mjs';
import { valuesSchema, valuesTables } from './chart/values.mjs';

const HELP = `usage: npm run chart [-- --write | --check | --only FILE | --help]

Builds helm 3 and 4 into .tools with Go where they are missing, builds both apps where they are stale, and runs what holds
the chart to Kubernetes, to its policies and to the apps (tools/chart/*.e2e.mjs). Needs no cluster. Ends with a line for each
part: how many held, how many did not, and how long it took.

  --write       write helm/skein/README.md and values.schema.json from values.yaml, and no more
  --check       tell whether they are what values.yaml says, and no more
  --only FILE   run one of tools/chart/*.e2e.mjs
  --help        print this and exit`;

const BEGIN = '<!-- values: made by `npm run chart -- --write` -->\n';
const END = '<!-- end of values -->\n';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = join(root, 'helm/skein/README.md');
const schema = join(root, 'helm/skein/values.schema.json');

/** Both files as they are to be, by path. */
async function generated() {
  const text = readFileSync(join(root, 'helm/skein/values.yaml'), 'utf8');
  const now = readFileSync(readme, 'utf8');
  const [before, rest] = now.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${readme} has no place for the values`);
  const files = [
    [schema, JSON.stringify(valuesSchema(text))],
    [readme, `${before}${BEGIN}\n${valuesTables(text)}\n${END}${after}`],
  ];
  const styled = files.map(async ([path, content]) => {
    const options = { ...(await resolveConfig(path)), filepath: path };
    return [path, await format(content, options)];
  });
  return new Map(await Promise.all(styled));
}

async function differing() {
  const wanted = await generated();
  return [...wanted].filter(([path, content]) => readOr(path) !== content);
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

async function main(args) {
  if (args.includes('--help')) {
    console.log(HELP);
    return;
  }
  const different = await differing();
  if (args.includes('--write')) {
    for (const [path, content] of different) writeFileSync(path, content);
    console.log(different.map(([path]) => `wrote ${path.slice(root.length)}`).join('\n'));
    return;
  }
  if (different.length > 0) {
    const names = different.map(([path]) => path.slice(root.length)).join(', ');
    console.error(`not what values.yaml says: ${names}: run \`npm run chart -- --write\`.`);
    process.exitCode = 1;
    return;
  }
  if (args.includes('--check')) return;
  await ensureChartTools();
  await buildIfStale();
  const only = args.indexOf('--only');
  process.exitCode = runTests(only === -1 ? [] : ['--runTestsByPath', args[only + 1]]);
}

/** Runs the tests and prints what each part of them came to; returns an exit code. */
function runTests(files) {
  const directory = mkdtempSync(join(tmpdir(), 'skein-chart-run-'));
  try {
    const results = join(directory, 'results.json');
    const jest = ['run', '-s', 'jest', '--', '--selectProjects=chart', '--runInBand'];
    const report = ['--json', `--outputFile=${results}`, ...files];
    const { status } = spawnSync('npm', [...jest, ...report], { cwd: root, stdio: 'inherit' });
    console.log(partsOf(JSON.parse(readOr(results) || '{}')));
    return status ?? 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2));

// What an SRE sees: every query of the dashboards against a live cluster, and the alerts when something goes wrong; see --help.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { BOARDS, drillDial, ruleFiles } from '#libs/monitoring';
import { buildIfStale } from './build.mjs';
import { KAFKA_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { startPrometheus } from './observe.mjs';
import { ProcessGroup, onStopSignal } from './process-group.mjs';
import './without-jest.mjs';

const { Scope } = await import('../test/e2e/harness/scope.ts');
const { DRILLS } = await import('../test/drills/drills.ts');
const { runDrill } = await import('../test/drills/drill.ts');
const { runLiveQueries } = await import('../test/drills/live-queries.ts');

const HELP = `usage: npm run drills [-- options]

Starts a Redis, a Kafka, three nodes, the admin API, clients that publish with every QoS, and a Prometheus that scrapes them
each second. "queries" runs every query of the eight dashboards: each must have data, but for those that are listed as empty in
a cluster that is well. Every other drill lets something go wrong, and waits for the alert that tells of it; no other page may
fire. The windows of the alerts are 30 times shorter than in deploy/monitoring.

  --drill LIST   drills, separated by commas (default: all)
  --list         print the drills and exit
  --help         print this and exit

Exit code 0 only when all went as they must.`;

const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;
const TIMES = 30;
/** Four scrapes. */
const LEAST_SECONDS = 4;
const QUERIES = 'queries';

function usage(message) {
  console.error(`${message}; see --help`);
  process.exit(EXIT_USAGE);
}

function parse() {
  try {
    const flag = { type: 'boolean', default: false };
    return parseArgs({ options: { drill: { type: 'string' }, list: flag, help: flag } }).values;
  } catch (error) {
    return usage(error.message);
  }
}

const values = parse();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const names = [QUERIES, ...DRILLS.map(({ name }) => name)];
if (values.list) {
  console.log(`${QUERIES.padEnd(20)} every query of the dashboards`);
  for (const { name, title } of DRILLS) console.log(`${name.padEnd(20)} ${title}`);
  process.exit(0);
}
const wanted = values.drill?.split(',') ?? names;
for (const name of wanted)
  if (!names.includes(name)) usage(`--drill: ${name} is not a drill, --list prints them`);

await ensurePrograms({
  'redis-server': 'redis-server',
  prometheus: 'prometheus',
  ...KAFKA_PROGRAMS,
});
await buildIfStale();
const scope = new Scope();
onStopSignal(
  async () => {
    await scope.close();
    process.exit(EXIT_STOPPED);
  },
  () => process.exit(EXIT_STOPPED),
);

/** Starts a Prometheus with the rules in fast motion, which ends with the scope. */
async function observe(scraped) {
  const directory = mkdtempSync(join(tmpdir(), 'skein-drill-'));
  scope.add(() => rmSync(directory, { recursive: true, force: true }));
  const group = new ProcessGroup();
  scope.add(() => group.stop());
  mkdirSync(join(directory, 'rules'));
  for (const [name, groups] of ruleFiles(drillDial(TIMES, LEAST_SECONDS)))
    writeFileSync(join(directory, 'rules', `${name}.yaml`), stringify({ groups }));
  const rules = [join(directory, 'rules', '*.yaml')];
  const options = { ...scraped, rules, namespace: 'drill', intervalSeconds: 1 };
  return startPrometheus(group, join(directory, 'prometheus'), options);
}

async function askQueries() {
  const { queries, empty, allowed, stale } = await runLiveQueries(scope, BOARDS, observe);
  console.log(
    `queries: ${queries} run, ${empty.length} without data, ${allowed.length} more that may be`,
  );
  for (const { panel, query } of empty) console.log(`  no data: ${panel}: ${query}`);
  for (const name of stale) console.log(`  listed as empty, and is not: ${name}`);
  return empty.length === 0 && stale.length === 0;
}

async function drill(name) {
  const { title, alert } = DRILLS.find((each) => each.name === name);
  const result = await runDrill(
    scope,
    DRILLS.find((each) => each.name === name),
    observe,
  );
  const seconds = result.firedAfterSeconds;
  console.log(
    `${name}: ${title}: ${seconds === undefined ? 'nothing' : `${alert} after ${seconds} s`}; fired: ${result.fired.join(', ')}`,
  );
  for (const failure of result.failures) console.log(`  failure: ${failure}`);
  return result.failures.length === 0;
}

let failed = 0;
for (const name of wanted) {
  try {
    if (!(await (name === QUERIES ? askQueries() : drill(name)))) failed += 1;
  } catch (error) {
    failed += 1;
    console.error(`${name} could not be run: ${error.stack}`);
  }
  await scope.close();
}
process.exitCode = failed > 0 ? 1 : 0;

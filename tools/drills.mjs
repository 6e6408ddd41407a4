// What an SRE sees: every query of the dashboards against a live cluster, its series, and the alerts when something goes wrong; see --help.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { drillDial, inhibitRules, ruleFiles } from '#libs/monitoring';
import { buildIfStale } from './build.mjs';
import { ALERTMANAGER_PROGRAMS, KAFKA_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { alertConfig, startAlertmanager, startPrometheus } from './observe.mjs';
import { ProcessGroup, onStopSignal } from './process-group.mjs';
import './without-jest.mjs';

const { Scope } = await import('../test/e2e/harness/scope.ts');
const { DRILLS } = await import('../test/drills/drills.ts');
const { runDrill } = await import('../test/drills/drill.ts');
const { runLiveQueries } = await import('../test/drills/live-queries.ts');
const { checkRules } = await import('../test/drills/rule-check.ts');
const { runSeries } = await import('../test/drills/series.ts');

const HELP = `usage: npm run drills [-- options]

Starts a Redis, a Kafka, an endpoint for webhooks, three nodes, the admin API, clients that publish with every QoS, a Prometheus
that scrapes them each second, and an Alertmanager. "rules" asks promtool and amtool about the rules. "queries" runs every query
of the eight dashboards: each must have data, but for those that are listed with a reason. "series" lets 20,000 clients with
random ids, users and topics come and go: no process may have a series more or less than before, and no node by default more
than 1,500; promtool must find no fault with what they expose. Every other drill lets something go wrong and waits for the alert
that tells of it; it must be over after the repair, and nobody may get another page. The windows of the alerts are 30 times
shorter than in deploy/monitoring.

  --drill LIST     drills, separated by commas (default: all)
  --without-fault  leave out what goes wrong: every alert must then be reported as one that did not fire
  --clients N      how many clients "series" lets come (default 20000)
  --list           print the drills and exit
  --help           print this and exit

Exit code 0 only when all went as they must.`;

const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;
const TIMES = 30;
/** Four scrapes. */
const LEAST_SECONDS = 4;
const CLIENTS = '20000';

function usage(message) {
  console.error(`${message}; see --help`);
  process.exit(EXIT_USAGE);
}

function parse() {
  try {
    const flag = { type: 'boolean', default: false };
    const text = { type: 'string' };
    return parseArgs({
      options: {
        ...{ drill: text, clients: { ...text, default: CLIENTS } },
        ...{ 'without-fault': flag, list: flag, help: flag },
      },
    }).values;
  } catch (error) {
    return usage(error.message);
  }
}

const values = parse();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const isWithoutFault = values['without-fault'];
const clients = Number(values.clients);
if (!Number.isInteger(clients) || clients < 1)
  usage(`--clients: ${values.clients} is no number of clients`);

let scope = new Scope();

/** Starts a Prometheus with the rules in fast motion, and an Alertmanager; they end with the scope. */
async function observe({ pagerUrl, ...scraped }) {
  const directory = mkdtempSync(join(tmpdir(), 'skein-drill-'));
  scope.add(() => rmSync(directory, { recursive: true, force: true }));
  const group = new ProcessGroup();
  scope.add(() => group.stop());
  mkdirSync(join(directory, 'rules'));
  for (const [name, groups] of ruleFiles(drillDial(TIMES, LEAST_SECONDS)))
    writeFileSync(join(directory, 'rules', `${name}.yaml`), stringify({ groups }));
  const alertmanagerUrl = await startAlertmanager(
    group,
    join(directory, 'alertmanager'),
    alertConfig(pagerUrl, inhibitRules()),
  );
  const rules = [join(directory, 'rules', '*.yaml')];
  const times = { namespace: 'drill', intervalSeconds: 1 };
  const options = { ...scraped, ...times, rules, alertmanagerUrl };
  return startPrometheus(group, join(directory, 'prometheus'), options);
}

const placeOf = ({ board, kind, place, query }) => `${board} / ${place} (${kind}): ${query}`;

async function askPromtool() {
  const directory = mkdtempSync(join(tmpdir(), 'skein-rules-'));
  scope.add(() => rmSync(directory, { recursive: true, force: true }));
  const { rules, alerts, cases, inhibitions, failures } = checkRules(directory);
  console.log(
    `rules: ${rules} rules, ${alerts} of them alerts, in ${cases} cases; ${inhibitions} inhibitions: ${failures.length === 0 ? 'clean' : 'faulty'}`,
  );
  for (const failure of failures) console.log(`  failure: ${failure}`);
  return failures.length === 0;
}

async function askQueries() {
  const { counts, empty, allowed, still, stale } = await runLiveQueries(scope, observe);
  const all = counts.panel + counts.mark + counts.variable;
  console.log(
    `queries: ${all} (${counts.panel} of panels, ${counts.mark} of marks, ${counts.variable} of variables): ` +
      `${all - empty.length - allowed.length} with data, ${allowed.length} allowed to be empty, ${empty.length} empty; ` +
      `${still.length} with nothing but 0`,
  );
  for (const each of allowed) console.log(`  allowed, ${each.reason}: ${placeOf(each)}`);
  for (const each of still) console.log(`  0 all the time: ${placeOf(each)}`);
  for (const each of empty) console.log(`  no data: ${placeOf(each)}`);
  for (const name of stale) console.log(`  listed as empty, and is not: ${name}`);
  return empty.length === 0 && stale.length === 0;
}

async function compareSeries() {
  const { pages, plain, failures } = await runSeries(scope, { clients, observe });
  for (const { name, before, after, lint } of pages)
    console.log(
      `series: ${name}: ${before} before, ${after} after; promtool check metrics: ${lint}`,
    );
  console.log(`series: a node by default: ${plain}`);
  for (const failure of failures) console.log(`  failure: ${failure}`);
  return failures.length === 0;
}

const named = (list) => (list.length === 0 ? 'none' : list.join(', '));
const after = (seconds) => (seconds === undefined ? 'never' : `after ${seconds} s`);

async function drill(name) {
  const one = DRILLS.find((each) => each.name === name);
  const result = await runDrill(scope, one, { observe, isWithoutFault });
  const { firedAfterSeconds, resolvedAfterSeconds, otherPages, inhibited, warnings } = result;
  console.log(
    `${name}: ${isWithoutFault ? 'nothing' : one.title}: ${one.alert} ${after(firedAfterSeconds)}, over ${after(resolvedAfterSeconds)}; ` +
      `other pages: ${named(otherPages)}; kept silent: ${named(inhibited)}; warnings: ${named(warnings)}`,
  );
  for (const failure of result.failures) console.log(`  failure: ${failure}`);
  return isWithoutFault ? firedAfterSeconds === undefined : result.failures.length === 0;
}

const WORK = new Map([
  ['rules', ['promtool and amtool find no fault in the rules', askPromtool]],
  ['queries', ['every query of the dashboards', askQueries]],
  ['series', [`${clients} random clients add no series`, compareSeries]],
  ...DRILLS.map(({ name, title }) => [name, [title, () => drill(name)]]),
]);
if (values.list) {
  for (const [name, [title]] of WORK) console.log(`${name.padEnd(20)} ${title}`);
  process.exit(0);
}
const wanted = values.drill?.split(',') ?? [...WORK.keys()];
for (const name of wanted)
  if (!WORK.has(name)) usage(`--drill: ${name} is not a drill, --list prints them`);

await ensurePrograms({
  'redis-server': 'redis-server',
  ...{ prometheus: 'prometheus', promtool: 'prometheus' },
  ...ALERTMANAGER_PROGRAMS,
  ...KAFKA_PROGRAMS,
});
await buildIfStale();
onStopSignal(
  async () => {
    await scope.close();
    process.exit(EXIT_STOPPED);
  },
  () => process.exit(EXIT_STOPPED),
);

let failed = 0;
for (const name of wanted) {
  const [, work] = WORK.get(name);
  try {
    if (!(await work())) failed += 1;
  } catch (error) {
    failed += 1;
    console.error(`${name} could not be run: ${error.stack}`);
  }
  await scope.close();
  scope = new Scope();
}
process.exitCode = failed > 0 ? 1 : 0;

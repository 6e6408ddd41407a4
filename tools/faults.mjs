// Three real nodes, a real Redis, a fleet under load, and a fault; see --help.
import { parseArgs } from 'node:util';
import { buildIfStale } from './build.mjs';
import { KAFKA_PROGRAMS, MOCK_KAFKA_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { onStopSignal } from './process-group.mjs';
import './without-jest.mjs';

const { Scope } = await import('../test/e2e/harness/scope.ts');
const { ROWS } = await import('../test/faults/rows.ts');
const { holds, runRow } = await import('../test/faults/row.ts');
const { linesOf, table } = await import('../test/faults/table.ts');
const { MOVE_ROWS } = await import('../test/faults/moves/move-rows.ts');
const { BRIDGE_ROWS, REAL_KAFKA_ROWS } = await import('../test/faults/bridge/bridge-rows.ts');
const { CONSUME_ROWS } = await import('../test/faults/bridge/consume-rows.ts');
const { bridgeHolds } = await import('../test/faults/bridge/bridge-row.ts');
const { bridgeLines, bridgeTable } = await import('../test/faults/bridge/bridge-table.ts');
const { MEASUREMENTS } = await import('../test/faults/measurements/measurements.ts');
const { runMeasurement } = await import('../test/faults/measurements/measurement.ts');

const HELP = `usage: npm run faults -- [options]

Starts a Redis that keeps what it is told and three broker processes, lets a fleet of clients with durable sessions publish
with QoS 1 and 2 and receive, applies a fault while it does, and checks the history of what was acknowledged and what came.
The same when clients are moved on purpose: a drain by SIGTERM, one by the API, a rebalance. Then measures, without a fault, what sessions, filters, queues and retained messages take, and what others feel when a node
with thousands of clients over TLS is killed. Then does the same with a bridge to
Kafka: a mock that fails at one request, or three real brokers that are killed and paused, and a check of what Kafka has.

  --row LIST        rows, separated by commas; or "faults", "moves", "measurements", "bridge" (default: all)
  --seconds N       load of a row (default 60); a row whose fault lasts longer goes on until it is over
  --rate N          messages a second, of all publishers together (default 2000)
  --seed N          chooses the moments of the faults (default: one is chosen and printed)
  --clients N       clients of a row that moves them (default 2000, of a rebalance 3000)
  --lease-ms N      redis.leaseMs of the nodes (default 10000, that of the product)
  --json            a JSON line for each row, in place of the table
  --list            print the rows and exit
  --help            print this and exit

A row holds when nothing acknowledged was lost, no QoS 2 message came twice, nothing came that was not published, every message
had its answer, and no process ended that was not told to. A row of the bridge holds when all that was acknowledged is in Kafka,
in order for each client, and nothing is there twice but what a client sent again. Some rows of the spool mount a small file system,
for which they must be run as root. Exit code 0 only when all rows hold.
docs/fault-report.md says what the columns mean.`;

const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;

function usage(message) {
  console.error(`${message}; see --help`);
  process.exit(EXIT_USAGE);
}

function wholeNumber(flag, text, least) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least)
    usage(`--${flag}: a whole number from ${least}`);
  return number;
}

function parse() {
  try {
    return parseArgs({
      options: {
        row: { type: 'string' },
        seconds: { type: 'string', default: '60' },
        rate: { type: 'string', default: '2000' },
        seed: { type: 'string' },
        clients: { type: 'string' },
        'lease-ms': { type: 'string', default: '10000' },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
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
if (values.list) {
  for (const { name, title } of [
    ...ROWS,
    ...MOVE_ROWS,
    ...MEASUREMENTS,
    ...BRIDGE_ROWS,
    ...CONSUME_ROWS,
  ])
    console.log(`${name.padEnd(30)} ${title}`);
  process.exit(0);
}
const GROUPS = {
  faults: ROWS,
  moves: MOVE_ROWS,
  measurements: MEASUREMENTS,
  bridge: [...BRIDGE_ROWS, ...CONSUME_ROWS],
};
const ALL = Object.values(GROUPS).flat();
const rows = (values.row?.split(',') ?? Object.keys(GROUPS)).flatMap(
  (name) =>
    GROUPS[name] ??
    ALL.find((row) => row.name === name) ??
    usage(`--row: ${name} is not a row, --list prints them`),
);
const options = {
  seconds: wholeNumber('seconds', values.seconds, 1),
  rate: wholeNumber('rate', values.rate, 1),
  seed: wholeNumber('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 31)), 0),
  leaseMs: wholeNumber('lease-ms', values['lease-ms'], 1_000),
  ...(values.clients !== undefined && { clients: wholeNumber('clients', values.clients, 40) }),
};

const usesBridge = rows.some((row) => GROUPS.bridge.includes(row));
const usesRealKafka = rows.some((row) => REAL_KAFKA_ROWS.includes(row));
await ensurePrograms({
  'redis-server': 'redis-server',
  ...(rows.some((row) => MOVE_ROWS.includes(row)) && { haproxy: 'haproxy' }),
  ...(usesBridge && { kcat: 'kcat', ...MOCK_KAFKA_PROGRAMS }),
  ...(usesRealKafka && KAFKA_PROGRAMS),
});
await buildIfStale();
console.error(`seed ${options.seed}`);
/** What the row at hand has opened. */
const scope = new Scope();
onStopSignal(
  async () => {
    await scope.close();
    process.exit(EXIT_STOPPED);
  },
  () => process.exit(EXIT_STOPPED),
);
const results = [];
const bridgeResults = [];
let failed = 0;

async function runFault(row) {
  const isConsumption = CONSUME_ROWS.includes(row);
  const result = await (isConsumption ? row.run(scope, options) : runRow(scope, row, options));
  results.push(result);
  if (!holds(result)) failed += 1;
  if (values.json) console.log(JSON.stringify({ ...result, holds: holds(result) }));
  else for (const line of linesOf(result)) console.error(line);
}

async function runBridge(row) {
  const result = await row.run(scope, options);
  bridgeResults.push(result);
  if (!bridgeHolds(result)) failed += 1;
  if (values.json) console.log(JSON.stringify({ ...result, holds: bridgeHolds(result) }));
  else for (const line of bridgeLines(result)) console.error(line);
}

async function measure(measurement) {
  const result = await runMeasurement(scope, measurement);
  const isAsItMust = result.failures.length === 0;
  if (!isAsItMust) failed += 1;
  if (values.json) {
    console.log(JSON.stringify({ ...result, holds: isAsItMust }));
    return;
  }
  console.log(`${result.row}: ${result.title}: ${isAsItMust ? 'holds' : 'DOES NOT HOLD'}`);
  for (const [name, figure] of Object.entries(result.figures)) console.log(`  ${name} ${figure}`);
  for (const failure of result.failures) console.log(`  failure: ${failure}`);
}

for (const row of rows) {
  const beganAtMs = performance.now();
  console.error(`${row.name}: ${row.title} ...`);
  try {
    if (ROWS.includes(row) || MOVE_ROWS.includes(row) || CONSUME_ROWS.includes(row))
      await runFault(row);
    else if (BRIDGE_ROWS.includes(row)) await runBridge(row);
    else await measure(row);
  } catch (error) {
    failed += 1;
    console.error(`${row.name} could not be run: ${error.stack}`);
  }
  await scope.close();
  console.error(`${row.name}: took ${((performance.now() - beganAtMs) / 1_000).toFixed(0)} s`);
}
if (!values.json && results.length > 0) console.log(table(results));
if (!values.json && bridgeResults.length > 0) console.log(bridgeTable(bridgeResults));
process.exitCode = failed > 0 ? 1 : 0;

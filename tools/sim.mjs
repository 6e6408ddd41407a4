// Simulates clusters: real nodes on a simulated network, Redis and time; see --help.
import { parseArgs } from 'node:util';
import './without-jest.mjs';

const { PROFILES } = await import('../test/sim/profiles.ts');
const { check, report, simulate } = await import('../test/sim/simulation.ts');

const HELP = `usage: npm run sim -- [--seeds N] [--from N] [--profile NAME] [--trace] [--help]

Lets nodes (the brain of the broker and its cluster, as shipped) live on a network, a Redis and a time that are simulated,
with clients, and checks the history of what was acknowledged and what came. All that happens follows from the seed.

  --seeds N       how many seeds (default 200)
  --from N        the first seed (default 0)
  --profile NAME  one kind of trouble for all seeds (default: the seed chooses):
                  ${PROFILES.map(({ name }) => name).join(', ')}
  --trace         prints all that happens, line by line

The last line is "total: N seeds, F failed"; exit code 0 only when nothing failed.`;

const EXIT_USAGE = 2;
const PROGRESS_MS = 10_000;
const FAILURES_MAX = 20;

function usage(message) {
  console.error(`${message}; see --help`);
  process.exit(EXIT_USAGE);
}

function wholeNumber(flag, text) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) usage(`--${flag}: a whole number`);
  return number;
}

function parse() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string', default: '200' },
        from: { type: 'string', default: '0' },
        profile: { type: 'string' },
        trace: { type: 'boolean', default: false },
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
const seeds = wholeNumber('seeds', values.seeds);
const from = wholeNumber('from', values.from);
const profile =
  values.profile === undefined
    ? undefined
    : (PROFILES.find(({ name }) => name === values.profile) ??
      usage(`--profile: ${values.profile} is not a profile`));

let seedAtHand = from;
process.on('unhandledRejection', (error) => {
  console.log(`seed ${seedAtHand}, not handled: ${error.stack ?? error}`);
  console.log(`  again: npm run sim -- --seeds 1 --from ${seedAtHand}`);
  process.exit(1);
});

const startedAtMs = performance.now();
const totals = { acknowledged: 0, delivered: 0, qos1Duplicated: 0, reordered: 0, refused: 0 };
let printedAtMs = startedAtMs;
let done = 0;
let failed = 0;

function progress() {
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const mib = Math.round(process.memoryUsage.rss() / 1_048_576);
  const perSecond = (done / seconds).toFixed(1);
  console.log(`${done} of ${seeds} seeds, ${perSecond}/s, ${mib} MiB, ${failed} failed`);
}

async function run(seed) {
  seedAtHand = seed;
  try {
    const run = values.trace ? simulate : check;
    const trace = values.trace ? { trace: (line) => console.log(line) } : {};
    const outcome = await run({ seed, profile, ...trace });
    for (const name of Object.keys(totals)) totals[name] += outcome.verdict[name];
    if (outcome.failures.length === 0) return;
    failed += 1;
    console.log(report(outcome));
  } catch (error) {
    failed += 1;
    console.log(`seed ${seed} could not be run: ${error.stack ?? error}`);
    console.log(`  again: npm run sim -- --seeds 1 --from ${seed}`);
  }
}

for (let seed = from; seed < from + seeds && failed < FAILURES_MAX; seed += 1) {
  await run(seed);
  done += 1;
  if (performance.now() - printedAtMs < PROGRESS_MS) continue;
  printedAtMs = performance.now();
  progress();
}
progress();
for (const [name, count] of Object.entries(totals)) console.log(`${name}: ${count}`);
console.log(`total: ${done} seeds, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

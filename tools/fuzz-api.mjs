// Sends the admin API what it should not get; see --help.
import { parseArgs } from 'node:util';
import './without-jest.mjs';
import { buildIfStale } from './build.mjs';

const HELP = `usage: npm run fuzz:api -- [--seed S] [--rounds N] [--origin URL --key SECRET] [--without IDS] [--help]

Sends requests to every operation of the OpenAPI document, right ones and ones with wrong types, hostile texts, broken
bodies, odd heads, stale tags and altered cursors, some at once under one Idempotency-Key. No answer may be a fault of the
API (5xx), and each has to be documented: status, type, schema, and a valid problem where it is none of success.

Without --origin two nodes and an API are started on a Redis of their own (redis-server), and it is looked afterwards
whether all of them still run and Redis still has what was there before.

  --seed S        a whole number; without it one is chosen and printed
  --rounds N      requests to each operation (default 300)
  --origin URL    an API that runs already; it will be changed in every way that it offers
  --key SECRET    a key of it that may do everything
  --without IDS   operations that are left alone, with commas between them

The last line is "total: N answers, F failed"; exit code 0 only when nothing failed.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    rounds: { type: 'string', default: '300' },
    origin: { type: 'string' },
    key: { type: 'string' },
    without: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const number = (text) => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`${text}: is not a whole number; see --help`);
  process.exit(2);
};

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number(values.seed);
const rounds = number(values.rounds);
if ((values.origin === undefined) !== (values.key === undefined)) {
  console.error('--origin and --key go together; see --help');
  process.exit(2);
}

const { ApiFuzzer } = await import('../test/api/fuzz/api-fuzzer.ts');
const { FuzzedCluster } = await import('../test/api/fuzz/fuzzed-cluster.ts');
if (values.origin === undefined) await buildIfStale();
const cluster = values.origin === undefined ? await FuzzedCluster.start() : undefined;
let failed = 1;
try {
  const { origin, key } = cluster ?? values;
  console.log(`seed ${seed}`);
  const fuzzer = new ApiFuzzer({
    ...{ origin, authorization: `Bearer ${key}`, seed },
    without: values.without.split(',').filter((id) => id !== ''),
  });
  const { statuses, failures } = await fuzzer.run(rounds, (round) => {
    if (round % 50 === 49) console.log(`round ${round + 1} of ${rounds}`);
  });
  const all = [...failures, ...((await cluster?.faults()) ?? [])];
  for (const failure of all) console.log(failure);
  const sorted = [...statuses].sort(([a], [b]) => a - b);
  for (const [status, count] of sorted) console.log(`  ${status} ${count}`);
  const answers = sorted.reduce((sum, [, count]) => sum + count, 0);
  failed = all.length;
  console.log(`total: ${answers} answers, ${failed} failed`);
} finally {
  await cluster?.stop();
}
process.exit(failed > 0 ? 1 : 0);

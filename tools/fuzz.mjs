// Feeds the codec with bytes and a node with clients that do as they like; see --help.
import { inspect, parseArgs } from 'node:util';
import './without-jest.mjs';

const HELP = `usage: npm run fuzz -- [--seed S] [--inputs N] [--sequences N] [--from K] [--trace] [--help]

Two fuzzers, one after the other. What they do follows from the seed alone, and each case can be run again by its number.

  codec      bytes that are almost packets: nothing is thrown, the cuts between chunks do not matter, what is read can be
             written and read again; and npm's mqtt-packet reads the same, or differs for a reason that is known
             (test/fuzz/mqtt-packet-differences.ts)
  sequences  some clients connect, publish, subscribe, acknowledge, vanish and lie; a watch on each checks what the node
             sends it, and nothing may be left of them in the end

  --seed S       a whole number; without it one is chosen and printed
  --inputs N     inputs for the codec (default 1000000)
  --sequences N  sequences of packets (default 20000)
  --runs N       both of them, unless they are given
  --from K       the number of the first case (default 0)
  --trace        prints the packets of a sequence

The last line is "total: N inputs, M sequences, F failed"; exit code 0 only when nothing failed.`;

const PROGRESS_MS = 10_000;
const FAILURES_MAX = 20;
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    inputs: { type: 'string' },
    sequences: { type: 'string' },
    runs: { type: 'string' },
    from: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
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
const from = number(values.from);
const inputs = number(values.inputs ?? values.runs ?? '1000000');
const sequences = number(values.sequences ?? values.runs ?? '20000');
let failed = 0;

/** Runs cases by number, prints how it goes and how to repeat what fails. */
async function run({ name, count, flag, one }) {
  const startedAt = performance.now();
  let printedAt = startedAt;
  for (let index = from; index < from + count; index += 1) {
    try {
      const under = one(index);
      if (under instanceof Promise) await under;
    } catch (error) {
      failed += 1;
      console.log(`${name} ${index} failed: ${inspect(error)}`);
      console.log(`  again: npm run fuzz -- --runs 0 --${flag} 1 --seed ${seed} --from ${index}`);
      if (failed >= FAILURES_MAX) return;
    }
    const now = performance.now();
    if (now - printedAt < PROGRESS_MS) continue;
    printedAt = now;
    const done = index + 1 - from;
    const perSecond = Math.round((done / (now - startedAt)) * 1000);
    const mib = Math.round(process.memoryUsage.rss() / 1_048_576);
    console.log(`${name}: ${done} of ${count}, ${perSecond}/s, ${mib} MiB, ${failed} failed`);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (count > 0) console.log(`${name}: ${count} in ${seconds} s`);
}

const counted = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);

function print(title, counts) {
  if (counts.size === 0) return;
  console.log(title);
  const lines = [...counts].sort(([, a], [, b]) => b - a);
  for (const [key, count] of lines) console.log(`  ${String(count).padStart(9)}  ${key}`);
}

async function fuzzCodec() {
  const { CodecInputs } = await import('../test/fuzz/codec-inputs.ts');
  const { checkCodec } = await import('../test/fuzz/codec-fuzzer.ts');
  const { compare } = await import('../test/fuzz/mqtt-packet-oracle.ts');
  const { Random } = await import('../test/fuzz/random.ts');
  const made = new CodecInputs(seed);
  const outcomes = new Map();
  const comparisons = new Map();
  const one = (index) => {
    const input = made.at(index);
    try {
      const last = checkCodec(input, new Random(seed + 1, index)).at(-1);
      counted(outcomes, last?.kind === 'failure' ? last.message : (last?.kind ?? 'incomplete'));
      if (input.version === undefined) return;
      const found = compare(input.bytes, input.version);
      counted(comparisons, found.kind === 'known' ? found.name : found.kind);
      if (found.kind !== 'unexplained') return;
      throw new Error(
        `${JSON.stringify(found.ours)}, mqtt-packet: ${JSON.stringify(found.theirs)}`,
      );
    } catch (error) {
      const hex = input.bytes.toString('hex');
      throw new Error(`version ${input.version}, bytes ${hex}`, { cause: error });
    }
  };
  await run({ name: 'codec', count: inputs, flag: 'inputs', one });
  print('what the bytes were:', outcomes);
  print('beside mqtt-packet:', comparisons);
}

async function fuzzNode() {
  const { runSequence } = await import('../test/fuzz/node-fuzzer.ts');
  const trace = values.trace ? console.log : undefined;
  const totals = new Map();
  const one = async (index) => {
    const { packetsReceived, packetsSent } = await runSequence(seed, index, trace);
    totals.set('packets received', (totals.get('packets received') ?? 0) + packetsReceived);
    totals.set('packets sent', (totals.get('packets sent') ?? 0) + packetsSent);
  };
  await run({ name: 'sequences', count: sequences, flag: 'sequences', one });
  print('what the node saw:', totals);
}

process.on('uncaughtException', (error) => {
  failed += 1;
  console.log(`thrown out of turn, seed ${seed}: ${error.stack ?? error}`);
  process.exitCode = 1;
});

console.log(`seed ${seed}`);
await fuzzCodec();
await fuzzNode();
console.log(`total: ${inputs} inputs, ${sequences} sequences, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

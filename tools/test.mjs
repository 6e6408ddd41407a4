// Everything a contributor must pass; see --help.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './build.mjs';
import { TEST_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { openKafka, openRedis } from './services.mjs';

const HELP = `usage: npm test [-- --help]

Builds when needed, brings up what the tests need, runs the Jest projects unit, int, sim and e2e, and stops what it
started. Programs that are missing are installed on Debian as root.

  REDIS_URL       the Redis of the end-to-end clusters, each under a key prefix of its own that is removed at the end;
                  else an image if a Docker daemon answers, else redis-server. Tests that stop, freeze, fill or flush
                  a Redis, or want one in cluster mode, always start a redis-server of their own
  KAFKA_BROKERS   use this Kafka; else an image if a Docker daemon answers, else jars through Maven
  CI              set: a skipped test counts as a failure of the run

The last line is "total: N passed, M failed"; exit code 0 only when nothing failed.`;

/**
 * The projects of a run and its flags; end-to-end tests have the machine for themselves. In a worker though, not in
 * band: a worker that has grown is replaced, and the modules of all the files together do not fit into one heap.
 */
const RUNS = [
  ['--selectProjects', 'unit', 'int', 'sim', '--maxWorkers=2'],
  ['--selectProjects', 'e2e', '--maxWorkers=1'],
];

const root = fileURLToPath(new URL('..', import.meta.url));
const undo = [];
let jest;

/** Ends Jest with all processes of its tests, also those that are paused. */
function stop() {
  if (jest?.exitCode === null && jest.signalCode === null) process.kill(-jest.pid, 'SIGKILL');
  for (const close of undo.splice(0).reverse()) close();
  process.exit(130);
}

async function run(args, file) {
  const quiet = ['ExperimentalWarning', 'TimeoutNegativeWarning'];
  const node = ['--experimental-vm-modules', ...quiet.map((name) => `--disable-warning=${name}`)];
  const report = ['--json', `--outputFile=${file}`, '--passWithNoTests', '--errorOnDeprecated'];
  jest = spawn(process.execPath, [...node, 'node_modules/jest/bin/jest.js', ...args, ...report], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(jest, 'exit');
  if (!existsSync(file)) throw new Error(`Jest ended without a result: ${args.join(' ')}`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

async function main() {
  await ensurePrograms(TEST_PROGRAMS);
  await buildIfStale();
  const redis = await openRedis({ undo });
  if (redis !== undefined) process.env.REDIS_URL = redis;
  process.env.KAFKA_BROKERS = await openKafka({ undo });
  const results = mkdtempSync(join(tmpdir(), 'skein-test-'));
  undo.push(() => rmSync(results, { recursive: true, force: true }));
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const [index, args] of RUNS.entries()) {
    const result = await run(args, join(results, `${index}.json`));
    total.passed += result.numPassedTests;
    // A file that could not be run has failed even if none of its tests was counted.
    total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    total.skipped += result.numPendingTests + result.numTodoTests;
  }
  return total;
}

const [flag] = process.argv.slice(2);
if (flag === '--help') {
  console.log(HELP);
  process.exit(0);
}
if (flag !== undefined) {
  console.error(`${flag}: is not a known flag; see --help. Some tests: npm run jest -- FILE`);
  process.exit(2);
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
const total = await main().catch((error) => {
  console.error(error.message);
  return { passed: 0, failed: 1, skipped: 0 };
});
for (const close of undo.splice(0).reverse()) close();
if (total.skipped > 0) console.log(`${total.skipped} tests were skipped`);
console.log(`total: ${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || (process.env.CI && total.skipped > 0) ? 1 : 0;

// What the benches share as commands: flags, a build of Skein, mqttload, and a clean end.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ProcessGroup, onStopSignal } from '../tools/process-group.mjs';
import { buildMqttload } from './mqttload.mjs';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;

const root = fileURLToPath(new URL('..', import.meta.url));

/** A flag that cannot be. */
export class UsageError extends Error {}

/** Flags that every bench has, and how --help explains them. */
export const COMMON_OPTIONS = {
  rounds: { type: 'string', default: '5' },
  build: { type: 'string' },
  cores: { type: 'string', default: '0,1' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

export const COMMON_HELP = `  --rounds N        rounds (default 5)
  --build DIR       where Skein is built (default dist, which is built when a source is younger)
  --cores B,G       cores of the broker and of the generator (default 0,1)
  --json            JSON lines instead of a table
  --help            print this and exit`;

/** Reads a flag's value. @throws UsageError unless it is a whole number from `least`. */
export function wholeNumber(flag, text, least) {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  throw new UsageError(`--${flag}: a whole number from ${least}`);
}

function commonSettings(values) {
  const [broker, generator] = values.cores.split(',').map((core) => wholeNumber('cores', core, 0));
  if (broker === generator || Math.max(broker, generator ?? Infinity) >= cpus().length) {
    throw new UsageError('--cores: two cores of this machine');
  }
  return {
    rounds: wholeNumber('rounds', values.rounds, 1),
    build: resolve(values.build ?? join(root, 'dist')),
    cores: { broker, generator },
    json: values.json,
  };
}

/** Builds dist when a source is younger. What is said of it goes to standard error: standard output is for results. */
function buildSkein() {
  const build = [join(root, 'tools/build.mjs'), '--if-stale'];
  const { status } = spawnSync(process.execPath, build, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the build failed');
}

function parse({ help, options, settingsOf }) {
  try {
    const { values } = parseArgs({ options: { ...COMMON_OPTIONS, ...options } });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    return { values, settings: { ...commonSettings(values), ...settingsOf(values) } };
  } catch (error) {
    console.error(`${error.message}; see --help`);
    return process.exit(EXIT_USAGE);
  }
}

/**
 * Runs a bench: reads its flags, builds what it needs, and stops what it has started, however it ends.
 *
 * @param run - is given the settings and the tools: a process group, a directory for files, and mqttload.
 */
export async function runCommand({ help, options, settingsOf, run }) {
  const { values, settings } = parse({ help, options, settingsOf });
  const group = new ProcessGroup();
  onStopSignal(
    () => void group.stop().then(() => process.exit(EXIT_STOPPED)),
    () => group.kill(),
  );
  const directory = mkdtempSync(join(tmpdir(), 'skein-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    if (values.build === undefined) buildSkein();
    await run(settings, { group, directory, program: buildMqttload(directory) });
  } catch (error) {
    console.error(error.message);
    process.exitCode = EXIT_FAILED;
  } finally {
    await group.stop();
  }
}

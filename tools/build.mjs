// Builds both apps into dist.
// usage: npm run build [-- --if-stale]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { step } from './progress.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}dist/.built`;
const INPUTS = [
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  '{apps,libs}/*/src/**/*.{ts,lua}',
];
const TESTS = /\.(?:spec|fuzz|bench)\.ts$/;

const mtime = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Whether a source is younger than the last good build. */
function stale() {
  const built = mtime(stamp);
  const inputs = globSync(INPUTS, { cwd: root }).filter((path) => !TESTS.test(path));
  return built === 0 || inputs.some((path) => mtime(root + path) > built);
}

/** Builds; the stamp bears the time of the start, so that a source saved meanwhile counts as younger. */
async function build() {
  const started = new Date();
  rmSync(`${root}dist`, { recursive: true, force: true });
  const nest = ['node_modules/@nestjs/cli/bin/nest.js', 'build'];
  const [code] = await once(spawn(process.execPath, nest, { cwd: root, stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error('the build failed; after a pull, run npm install and try again');
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

/** Builds when dist is missing or older than a source. */
export async function buildIfStale() {
  if (stale()) await step('building', build);
}

if (import.meta.main) {
  try {
    await (process.argv.includes('--if-stale') ? buildIfStale() : step('building', build));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

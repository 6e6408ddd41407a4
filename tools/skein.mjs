#!/usr/bin/env node
// The command line of the admin API: npx skein, also with an older Node.js than the one that Skein runs on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = `${root}apps/cli/src/main.ts`;
const own = `${root}node_modules/node/bin/node`;
const isFit = Number(process.versions.node.split('.')[0]) >= 24;
const node = isFit || !existsSync(own) ? process.execPath : own;
const program = existsSync(source)
  ? ['--conditions=source', source]
  : [`${root}dist/apps/cli/src/main.js`];

const child = spawn(
  node,
  ['--disable-warning=ExperimentalWarning', ...program, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
// Ctrl-C reaches both from the terminal; a signal to this process alone is handed on.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
});

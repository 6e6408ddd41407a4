import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { runCli } from './cli.ts';
import { ProcessTerminal } from './process-terminal.ts';

const manifest = JSON.parse(readFileSync(findPackageJSON(import.meta.url) ?? '', 'utf8')) as {
  readonly version: string;
};

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: new ProcessTerminal(process.env),
  version: manifest.version,
});

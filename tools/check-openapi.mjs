// Lints the OpenAPI document that the table of operations makes: Redocly, and Spectral with OWASP's rules and our own.
// usage: npm run check:openapi [-- FILE]; without a file the document is made.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApiDocument } from '#libs/api-contracts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (path) => `${root}node_modules/${path}`;

/** Neither linter may call home from a check. */
const QUIET = {
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  NODE_NO_WARNINGS: '1',
  NO_COLOR: '1',
};

const LINTERS = {
  redocly: [
    bin('@redocly/cli/bin/cli.js'),
    'lint',
    '--format=stylish',
    `--config=${root}tools/openapi/redocly.yaml`,
  ],
  spectral: [
    bin('@stoplight/spectral-cli/dist/index.js'),
    'lint',
    '--fail-severity=warn',
    `--ruleset=${root}tools/openapi/spectral.yaml`,
  ],
};

/** Runs a linter; its exit code and what it has printed. */
function lint(args, file) {
  const child = spawn(process.execPath, [...args, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...QUIET },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, output }));
  });
}

const directory = mkdtempSync(join(tmpdir(), 'openapi-'));
try {
  const [given] = process.argv.slice(2);
  const file = given ?? join(directory, 'openapi.json');
  if (given === undefined) {
    writeFileSync(file, JSON.stringify(openApiDocument('0.0.0'), undefined, 2));
  }
  const results = await Promise.all(Object.values(LINTERS).map((args) => lint(args, file)));
  for (const [index, name] of Object.keys(LINTERS).entries()) {
    const { code, output } = results[index];
    if (code === 0) continue;
    console.error(`${name}:\n${output}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true });
}

// Makes the package @skein/api-client: the client of libs/api-client with types from the OpenAPI document instead of from Skein's own schemas.
// usage: npm run build:client [-- DIRECTORY]; the default is dist/packages/api-client.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openApiDocument } from '#libs/api-contracts';
import { operationsModule } from './api-client/types.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'libs/api-client/src');

const OPTIONS = {
  target: 'ES2023',
  lib: ['ES2023', 'DOM', 'DOM.AsyncIterable', 'DOM.Iterable'],
  types: [],
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  declaration: true,
  rewriteRelativeImportExtensions: true,
  rootDir: 'src',
  outDir: '.',
};

/** What npm has to know of the package. */
function manifestOf({ version, license }) {
  return {
    name: '@skein/api-client',
    version,
    description: 'Typed client of the admin API of Skein.',
    license,
    type: 'module',
    engines: { node: '>=20' },
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
    files: ['*.js', '*.d.ts'],
    sideEffects: false,
  };
}

/** Writes the package into a directory, which is emptied first. */
export async function makePackage(directory) {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'src'), { recursive: true });
  for (const file of readdirSync(source).filter((name) => !name.endsWith('.spec.ts'))) {
    cpSync(join(source, file), join(directory, 'src', file));
  }
  writeFileSync(
    join(directory, 'src/operations.ts'),
    operationsModule(openApiDocument(own.version)),
  );
  writeFileSync(
    join(directory, 'package.json'),
    `${JSON.stringify(manifestOf(own), undefined, 2)}\n`,
  );
  cpSync(join(root, 'tools/api-client/README.md'), join(directory, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  const project = join(directory, 'tsconfig.json');
  writeFileSync(
    project,
    JSON.stringify({ compilerOptions: OPTIONS, include: ['src'], exclude: [] }),
  );
  await promisify(execFile)(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '--project',
    project,
  ]).catch(({ stdout }) => {
    throw new Error(`the package does not compile:\n${stdout}`);
  });
  for (const rest of ['src', 'tsconfig.json']) rmSync(join(directory, rest), { recursive: true });
}

if (import.meta.main) {
  const given = process.argv[2];
  if (given?.startsWith('-')) {
    console.error(
      'usage: npm run build:client [-- DIRECTORY]; makes the package @skein/api-client there',
    );
    process.exitCode = given === '--help' ? 0 : 2;
  } else {
    const directory = resolve(given ?? join(root, 'dist/packages/api-client'));
    await makePackage(directory);
    console.log(directory);
  }
}

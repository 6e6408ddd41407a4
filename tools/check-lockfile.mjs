// Tells whether package-lock.json was made from this package.json; npm itself would mend it in silence.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const manifest = read('package.json');
const locked = read('package-lock.json').packages[''];
const differs = ['version', 'dependencies', 'devDependencies', 'engines'].filter(
  (key) => !isDeepStrictEqual(manifest[key], locked[key]),
);
if (differs.length > 0) {
  console.error(
    `package-lock.json differs from package.json in ${differs.join(', ')}: run npm install.`,
  );
  process.exit(1);
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const manifest = JSON.parse(read('package.json'));
const [, product = '', development = ''] = read('docs/dependencies.md').split('\n## ');

/** The first two columns of a table: package to licence. */
function tableOf(section) {
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const cells = rows.slice(2).map((row) => row.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(cells.map(([, name, licence]) => [name, licence]));
}

/** What the installed packages declare. */
function licencesOf(dependencies) {
  const licence = (name) => JSON.parse(read(`node_modules/${name}/package.json`)).license;
  return Object.fromEntries(Object.keys(dependencies).map((name) => [name, licence(name)]));
}

describe('docs/dependencies.md', () => {
  it('names every package of the product with its licence, and no other', () => {
    expect(tableOf(product)).toEqual(licencesOf(manifest.dependencies));
  });

  it('names every package for development with its licence, and no other', () => {
    expect(tableOf(development)).toEqual(licencesOf(manifest.devDependencies));
  });
});

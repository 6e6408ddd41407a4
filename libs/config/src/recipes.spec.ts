import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from './index.ts';

const RECIPE = /^```yaml\n(.*?)^```$/gmsu;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-recipes-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const recipesOf = (document: string): readonly (readonly [string, string])[] =>
  [...readFileSync(document, 'utf8').matchAll(RECIPE)].map(([, text = ''], index) => [
    `${document}, number ${String(index + 1)}`,
    text,
  ]);

describe('configurations that documents show', () => {
  const recipes = ['docs/bridge.md', 'README.md'].flatMap(recipesOf);

  it('are found', () => expect(recipes.length).toBeGreaterThan(9));

  it.each(recipes)('%s is accepted', (_, text) => {
    const file = join(directory, 'recipe.yaml');
    writeFileSync(file, text);
    expect(loadConfig({ env: {}, argv: [], file }).bridgeRules).not.toHaveLength(0);
  });
});

import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig, type Config } from './index.ts';

const STORED = '{ kind: stored }';
const SECRET = { SKEIN_AUTH_SALT_SECRET: 'a secret of salts'.replaceAll(' ', '-') };

function load(chain: string, env: Readonly<Record<string, string>> = SECRET): Config {
  return loadConfig({ env: { SKEIN_AUTH_CHAIN: chain, ...env } });
}

function faultsOf(...input: Parameters<typeof load>): readonly string[] {
  try {
    load(...input);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ field, problem }) => `${field}: ${problem}`);
  }
  return [];
}

describe('stored users as a source', () => {
  it('have defaults', () => {
    const { auth } = load(`[${STORED}]`);
    expect(auth.chain).toEqual([{ kind: 'stored', cacheBytes: 16_777_216 }]);
    expect(auth.hashCost).toBe(14);
  });

  it('are asked once, and want salts that stay', () => {
    expect(faultsOf(`[${STORED}, ${STORED}]`)).toEqual([
      'auth.chain: asks the stored users more than once',
    ]);
    expect(faultsOf(`[${STORED}]`, {})).toEqual([
      expect.stringContaining('auth.saltSecret: is required by stored users'),
    ]);
  });

  it.each([
    ['[{ kind: stored, cacheBytes: 1 }]', SECRET],
    [`[${STORED}]`, { ...SECRET, SKEIN_AUTH_HASH_COST: '19' }],
  ])('have bounds: %s', (chain, env) => {
    expect(faultsOf(chain, env)).toHaveLength(1);
  });
});

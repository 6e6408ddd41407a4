import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig, parseUserRules, type Config } from './index.ts';

function load(...chain: readonly object[]): Config {
  return loadConfig({ env: { SKEIN_AUTH_CHAIN: JSON.stringify(chain) } });
}

function faultsOf(source: object): readonly string[] {
  try {
    load(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ problem }) => problem);
    throw error;
  }
  return [];
}

describe('a source', () => {
  it('has defaults', () => {
    const webhook = { kind: 'webhook', url: 'https://login.example/' };
    const chain = [{ kind: 'jwt', keyFile: 'k' }, { kind: 'certificate' }, webhook];
    expect(load(...chain).auth.chain).toEqual([
      {
        kind: 'jwt',
        keyFile: 'k',
        leewaySeconds: 30,
        userClaim: 'sub',
        groupsClaim: 'groups',
        aclClaim: 'acl',
        refreshMs: 300_000,
        timeoutMs: 5_000,
      },
      { kind: 'certificate', name: 'commonName' },
      {
        ...webhook,
        headers: {},
        allowPrivate: false,
        timeoutMs: 3_000,
        cacheMs: 60_000,
        concurrency: 64,
        failuresMax: 5,
        restMs: 10_000,
      },
    ]);
  });

  it.each([
    [{ kind: 'jwt' }, 'must have one of secret, keyFile, jwksFile and jwksUrl'],
    [{ kind: 'jwt', keyFile: 'k', secret: { file: 's' } }, 'must have one of secret'],
    [{ kind: 'jwt', keyFile: 'k', algorithms: ['none'] }, 'must be one of HS256'],
    [{ kind: 'jwt', secret: 'plain' }, 'must be { file: PATH } or { env: NAME }'],
    [{ kind: 'jwt', jwksUrl: 'http://login.example/keys' }, 'must be an https: URL'],
    [{ kind: 'jwt', jwksUrl: 'file:///etc/passwd' }, 'must be an https: URL'],
    [{ kind: 'jwt', jwksUrl: 'https://u:p@login.example/' }, 'must be an https: URL'],
    [{ kind: 'certificate', name: 'serial' }, 'must be one of commonName, dns, uri, email'],
    [{ kind: 'webhook' }, 'must be an https: or http: URL'],
    [{ kind: 'webhook', url: 'ftp://login.example/' }, 'must be an https: or http: URL'],
    [{ kind: 'webhook', url: 'https://plain:w@login.example/' }, 'without user, password'],
    [{ kind: 'webhook', url: 'https://e.x/', headers: { 'a b': 'c' } }, 'must be a map'],
    [
      { kind: 'webhook', url: 'https://e.x/', headers: { a: { env: 'SKEIN_X' } } },
      'must be { file',
    ],
    [{ kind: 'webhook', url: 'https://e.x/', concurrency: 0 }, 'concurrency'],
    [{ kind: 'magic' }, 'must have the kind users, stored, jwt'],
  ])('%j is refused', (source, problem) => {
    const faults = faultsOf(source);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(problem);
    expect(faults[0]).not.toContain('plain');
  });

  it('may have its keys at the machine itself', () => {
    expect(faultsOf({ kind: 'jwt', jwksUrl: 'http://127.0.0.1:9000/keys' })).toEqual([]);
  });
});

describe('rules from elsewhere', () => {
  it('are checked like those of a user', () => {
    const rule = { effect: 'allow', topics: ['a/#'] };
    expect(parseUserRules([rule])).toEqual([{ ...rule, actions: ['publish', 'subscribe'] }]);
    expect(parseUserRules([{ ...rule, who: {} }])).toContain('0');
    expect(parseUserRules([{ ...rule, topics: ['a/#/b'] }])).toContain('0.topics.0 must be');
    expect(parseUserRules('allow all')).toBe('must be a list of rules');
    expect(parseUserRules(Array.from({ length: 1_001 }, () => rule))).toContain('at most 1,000');
  });
});

import { describe, expect, it } from '@jest/globals';
import { authChain, loadConfig, opennessFault } from './index.ts';

const ANN = JSON.stringify([{ name: 'ann', password: 'p4ss' }]);
const REDIS = { SKEIN_REDIS_URL: 'redis://localhost' };
const OPEN = { SKEIN_LISTENERS_TCP_HOST: '0.0.0.0' };

describe('who is asked', () => {
  it('is who the chain names, or else the users', () => {
    expect(authChain(loadConfig({ env: {} }))).toEqual([]);
    expect(authChain(loadConfig({ env: { SKEIN_AUTH_USERS: ANN } }))).toEqual([{ kind: 'users' }]);
    const env = { SKEIN_AUTH_CHAIN: '[{ kind: certificate }]' };
    expect(authChain(loadConfig({ env }))).toMatchObject([{ kind: 'certificate' }]);
  });
});

describe('a node that asks nobody', () => {
  it.each([
    ['alone and on loopback', {}, false],
    ['of a cluster', REDIS, true],
    ['with a listener for all', OPEN, true],
    [
      'with a listener for all that is off',
      { ...OPEN, SKEIN_LISTENERS_TCP_ENABLED: 'false' },
      false,
    ],
  ])('%s', (_, env, isRefused) => {
    expect(opennessFault(loadConfig({ env })) !== undefined).toBe(isRefused);
    const told = { ...env, SKEIN_AUTH_ANONYMOUS: 'true' };
    expect(opennessFault(loadConfig({ env: told }))).toBeUndefined();
    expect(opennessFault(loadConfig({ env: { ...env, SKEIN_AUTH_USERS: ANN } }))).toBeUndefined();
    const chain = { ...env, SKEIN_AUTH_CHAIN: '[{ kind: certificate }]' };
    expect(opennessFault(loadConfig({ env: chain }))).toBeUndefined();
  });

  it('is told which keys to set', () => {
    expect(opennessFault(loadConfig({ env: OPEN }))).toEqual({
      field: 'auth',
      problem: 'says not who may connect, and listeners.tcp is at 0.0.0.0',
      fix: 'set auth.users or auth.chain, or auth.anonymous: true (SKEIN_AUTH_ANONYMOUS=true) to let everybody in',
    });
  });
});

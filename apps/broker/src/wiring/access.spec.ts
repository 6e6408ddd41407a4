import { describe, expect, it } from '@jest/globals';
import type { Principal } from '#libs/access';
import { loadConfig } from '#libs/config';
import { openAccess } from './access.ts';

const tokens = { kind: 'jwt', keyFile: 'key.pem' };

type Env = Readonly<Record<string, string>>;

function accessOf(env: Env) {
  return openAccess(loadConfig({ env }));
}

function chainOf(source: object): Env {
  return { SKEIN_AUTH_CHAIN: JSON.stringify([source]) };
}

function mayPublish(env: Env, rules: Principal['rules']): boolean {
  const access = accessOf(env);
  if (access === undefined) return true;
  const client = { user: 'ann', clientId: 'c', address: '192.0.2.1', listener: 'tcp', groups: [] };
  return access.control.admit({ ...client, rules }).mayPublish('a', 0, false);
}

describe('access control', () => {
  it('is not there where nobody has to log in and nothing is said', () => {
    expect(accessOf({})).toBeUndefined();
  });

  it.each(['jwt', 'certificate'])('denies by default where the only source is %s', (kind) => {
    const source = kind === 'jwt' ? tokens : { kind };
    expect(mayPublish(chainOf(source), [])).toBe(false);
  });

  it('keeps to the rules of tokens', () => {
    const rules: Principal['rules'] = [{ effect: 'allow', actions: ['publish'], topics: ['a'] }];
    expect(mayPublish(chainOf(tokens), rules)).toBe(true);
  });

  it('keeps to them also where everything else is allowed', () => {
    const rules: Principal['rules'] = [{ effect: 'deny', actions: ['publish'], topics: ['a'] }];
    const env = { ...chainOf(tokens), SKEIN_ACL_DEFAULT: 'allow' };
    expect(mayPublish(env, rules)).toBe(false);
    expect(mayPublish(env, [])).toBe(true);
  });
});

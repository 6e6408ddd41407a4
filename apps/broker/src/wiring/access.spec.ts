import { describe, expect, it } from '@jest/globals';
import type { AclDocument, Principal } from '#libs/access';
import { loadConfig } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { RecordingLog } from '#libs/testkit';
import { accessOfUsers, openAccess, openRules } from './access.ts';

const tokens = { kind: 'jwt', keyFile: 'key.pem' };

type Env = Readonly<Record<string, string>>;

function accessOf(env: Env) {
  const config = loadConfig({ env });
  const store = new LocalDefinitionStore<AclDocument>('acl');
  return openAccess(config, openRules(config, store, new RecordingLog()));
}

function chainOf(source: object): Env {
  return { SKEIN_AUTH_CHAIN: JSON.stringify([source]) };
}

function mayPublish(env: Env, rules: Principal['rules']): boolean {
  const client = { user: 'ann', clientId: 'c', address: '192.0.2.1', listener: 'tcp', groups: [] };
  return accessOf(env)
    .control.admit({ ...client, rules })
    .mayPublish('a', 0, false);
}

describe('access control', () => {
  it('allows everything where nobody has to log in and nothing is said', () => {
    expect(mayPublish({}, [])).toBe(true);
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

  it('knows the users of the configuration by their prepared names', async () => {
    const rule = { effect: 'allow', topics: ['a'] };
    const users = [{ name: 'a\u00adnn', password: 'low water', groups: ['crew'], acl: [rule] }];
    const env = { SKEIN_AUTH_USERS: JSON.stringify(users) };
    const find = accessOfUsers(loadConfig({ env }), undefined);
    const rules = [{ ...rule, actions: ['publish', 'subscribe'] }];
    expect(await find('ann')).toEqual({ groups: ['crew'], rules });
    expect(await find('bob')).toBeUndefined();
  });
});

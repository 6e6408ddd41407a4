import { describe, expect, it } from '@jest/globals';
import { ClientIdRule } from './client-id-rule.ts';

const certificate = { commonName: 'pump-7', sans: [] };

describe('a rule of client ids', () => {
  it.each([
    [['${username}'], 'ann', 'ann', true],
    [['${username}'], 'ann', 'bob', false],
    [['${username}'], 'ann', 'anna', false],
    [['${username}:*'], 'ann', 'ann:phone', true],
    [['${username}:*'], 'ann', 'ann:', true],
    [['${username}:*'], 'ann', 'ann', false],
    [['${username}:*'], 'ann', 'anna:phone', false],
    [['${username}', 'shared-*'], 'ann', 'shared-1', true],
    [['${username}*'], undefined, 'ann', false],
    [['${username}*'], '', 'ann', false],
    [['${cert.cn}'], undefined, 'pump-7', true],
    [['${cert.cn}/*'], 'ann', 'pump-8/1', false],
    [['*'], undefined, 'whatever', true],
    // What a name holds means itself.
    [['${username}'], '*', 'ann', false],
    [['${username}'], '${cert.cn}', 'pump-7', false],
    [['${username}'], '$&', '$&', true],
  ])('%j lets %j be %j: %j', (...[templates, user, clientId, isAdmitted]) => {
    expect(new ClientIdRule(templates).admits({ user, clientId, certificate })).toBe(isAdmitted);
  });

  it('knows no name of a certificate that is not there', () => {
    expect(new ClientIdRule(['${cert.cn}*']).admits({ user: 'ann', clientId: 'x' })).toBe(false);
  });
});

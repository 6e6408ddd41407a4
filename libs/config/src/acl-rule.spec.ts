import { describe, expect, it } from '@jest/globals';
import { aclRule, userRule } from './acl-rule.ts';

const RULE = { effect: 'allow', topics: ['a/${clientid}/#'] };

/** Where something is wrong with a rule, and what. */
function faultsOf(own: object, schema: typeof aclRule | typeof userRule = aclRule): string[] {
  const { error } = schema.safeParse({ ...RULE, ...own });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a rule of the configuration', () => {
  it('is for both actions unless it says otherwise', () => {
    expect(aclRule.parse(RULE).actions).toEqual(['publish', 'subscribe']);
  });

  it.each([
    { who: { users: ['ann'], clientIds: ['c1'], groups: ['ops'] } },
    { who: { addresses: ['10.0.0.0/8', '2001:db8::/32', '::1', '192.0.2.1'] } },
    { actions: ['publish'], retain: true, qos: [0, 1] },
    { topics: ['#', '+/a', '$SYS/#', 'x/${username}', '${cert.cn}'] },
  ])('may be %j', (own) => {
    expect(faultsOf(own)).toEqual([]);
  });

  it.each([
    [{ effect: 'maybe' }, 'effect: must be allow or deny'],
    [{ actions: [] }, 'actions: must name publish'],
    [{ topics: [] }, 'topics: must have a topic'],
    [{ topics: ['a#'] }, 'topics.0: must be an MQTT topic filter'],
    [{ topics: ['$share/g/a'] }, 'topics.0: must be the topic itself'],
    [{ topics: ['${host}/a'] }, 'topics.0: holds a placeholder'],
    [{ qos: [3] }, 'qos.0: must be 0, 1 or 2'],
    [{ retain: true }, 'retain: needs `actions: [publish]`'],
    [{ who: { users: [] } }, 'who.users: must not be empty'],
    [{ who: { addresses: ['10.0.0.0/33'] } }, 'who.addresses.0: must be an address'],
    [{ who: { addresses: ['::1/129'] } }, 'who.addresses.0: must be an address'],
    [{ who: { addresses: ['a'] } }, 'who.addresses.0: must be an address'],
  ])('may not be %j', (own, fault) => {
    const [first = ''] = faultsOf(own);
    expect(first.slice(0, fault.length)).toBe(fault);
  });

  it('of a user names nobody else', () => {
    expect(faultsOf({ who: { users: ['bob'] } }, userRule)).toHaveLength(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { Principal } from '../principal.ts';
import { Acl, type AccessRequest } from './acl.ts';
import type { AclRule } from './acl-rule.ts';
import { AddressRange } from './address-range.ts';
import { AccessControl } from './client-access.ts';

const BOTH = ['publish', 'subscribe'] as const;
const ANN: Principal = {
  user: 'ann',
  clientId: 'c1',
  address: '192.0.2.7',
  listener: 'tcp',
  groups: [],
  rules: [],
};

function rule(effect: 'allow' | 'deny', topics: string | readonly string[], own = {}): AclRule {
  return { effect, actions: BOTH, topics: [topics].flat(), ...own };
}

const publish = (topic: string, own = {}): AccessRequest => ({
  ...{ kind: 'publish', topic, qos: 1, retain: false },
  ...own,
});
const subscribe = (filter: string, own = {}): AccessRequest => ({
  ...{ kind: 'subscribe', filter, qos: 1 },
  ...own,
});
const receive = (topic: string): AccessRequest => ({ kind: 'receive', topic, qos: 1 });

/** Whether a list that ends with deny, or else with what is given, allows a request. */
function allows(rules: readonly AclRule[], request: AccessRequest, own: Partial<Principal> = {}) {
  return new Acl(rules, 'deny').decide({ ...ANN, ...own }, request).allowed;
}

describe('Acl', () => {
  it('takes the first rule that fits, then the default, and says which', () => {
    const first = rule('deny', 'a/secret', { id: 'first' });
    const second = rule('allow', 'a/#', { id: 'second' });
    const acl = new Acl([first, second], 'deny');
    expect(acl.decide(ANN, publish('a/secret'))).toEqual({ allowed: false, rule: first });
    expect(acl.decide(ANN, publish('a/b'))).toEqual({ allowed: true, rule: second });
    expect(acl.decide(ANN, publish('b'))).toEqual({ allowed: false, rule: undefined });
    expect(new Acl([first], 'allow').decide(ANN, publish('b')).allowed).toBe(true);
  });

  it('puts the rules of the principal before the general ones', () => {
    const own = { rules: [rule('allow', 'a')] };
    expect(allows([rule('deny', '#')], publish('a'), own)).toBe(true);
    expect(allows([rule('deny', '#')], publish('b'), own)).toBe(false);
  });

  it('keeps the order of rules that are found in different ways', () => {
    const rules = [
      rule('deny', 'x', { who: { clientIds: ['c1'] } }),
      rule('allow', '#', { who: { users: ['ann'] } }),
      rule('deny', '#'),
    ];
    expect(allows(rules, publish('x'))).toBe(false);
    expect(allows(rules, publish('y'))).toBe(true);
    expect(allows(rules, publish('y'), { user: 'bob' })).toBe(false);
    expect(allows(rules.toReversed(), publish('y'))).toBe(false);
  });

  it.each([
    [{ users: ['ann'] }, true],
    [{ users: ['bob'] }, false],
    [{ users: ['bob', 'ann'], clientIds: ['c1'] }, true],
    [{ users: ['ann'], clientIds: ['c2'] }, false],
    [{ users: [] }, false],
    [{ groups: ['ops'] }, true],
    [{ groups: ['dev'] }, false],
    [{ groups: ['dev', 'ops'], users: ['ann'] }, true],
    [{ addresses: ['192.0.2.0/24'] }, true],
    [{ addresses: ['198.51.100.0/24', '192.0.2.7'] }, true],
    [{ addresses: ['198.51.100.0/24'] }, false],
  ])('with who %j is for the client: %s', (who, isFor) => {
    expect(allows([rule('allow', '#', { who })], publish('a'), { groups: ['ops'] })).toBe(isFor);
  });

  it('knows a user by the prepared name, however the rule spells it', () => {
    const rules = [rule('allow', '${username}', { who: { users: ['zoe\u0308'] } })];
    expect(allows(rules, publish('zo\u00eb'), { user: 'zo\u00eb' })).toBe(true);
    // Topics are compared as they are: another spelling is another topic, for routing as well.
    expect(allows(rules, publish('zoe\u0308'), { user: 'zo\u00eb' })).toBe(false);
  });

  it('tells actions, QoS and RETAIN apart', () => {
    const writes = [rule('allow', 'a', { actions: ['publish'] })];
    expect(allows(writes, publish('a'))).toBe(true);
    expect(allows(writes, subscribe('a'))).toBe(false);
    expect(allows(writes, receive('a'))).toBe(false);
    const low = [rule('allow', 'a', { qos: [0] })];
    expect(allows(low, publish('a', { qos: 0 }))).toBe(true);
    expect(allows(low, publish('a'))).toBe(false);
    expect(allows(low, subscribe('a'))).toBe(false);
    const kept = [rule('deny', 'a', { actions: ['publish'], retain: true }), rule('allow', 'a')];
    expect(allows(kept, publish('a', { retain: true }))).toBe(false);
    expect(allows(kept, publish('a'))).toBe(true);
    expect(allows(kept, subscribe('a'))).toBe(true);
  });

  it('leaves topics of the broker out of wildcards at the beginning', () => {
    expect(allows([rule('allow', '#')], subscribe('$SYS/#'))).toBe(false);
    expect(allows([rule('allow', '+/uptime')], publish('$SYS/uptime'))).toBe(false);
    expect(allows([rule('allow', ['#', '$SYS/#'])], subscribe('$SYS/#'))).toBe(true);
  });
});

describe('placeholders', () => {
  const OWN = [rule('allow', ['${clientid}/#', 'user/${username}/+', 'cn/${cert.cn}'])];

  it('stand for the client', () => {
    expect(allows(OWN, publish('c1/a/b'))).toBe(true);
    expect(allows(OWN, publish('c2/a/b'))).toBe(false);
    expect(allows(OWN, subscribe('user/ann/+'))).toBe(true);
    expect(allows(OWN, publish('cn/x'))).toBe(false);
    const certificate = { commonName: 'x', sans: [] };
    expect(allows(OWN, publish('cn/x'), { certificate })).toBe(true);
  });

  it.each(['+', '#', 'a/b', 'a+', '', '\0', '$SYS'])(
    'do not match for a client id %j',
    (clientId) => {
      for (const request of [publish(`${clientId}/a`), publish('c1/a'), subscribe('#')]) {
        expect(allows(OWN, request, { clientId })).toBe(false);
      }
    },
  );

  it('are not filled twice', () => {
    expect(allows(OWN, publish('ann/a'), { clientId: '${username}' })).toBe(false);
    expect(allows(OWN, publish('$&/a'), { clientId: '$&' })).toBe(false);
    expect(allows([rule('allow', 'x/${clientid}')], publish('x/$&'), { clientId: '$&' })).toBe(
      true,
    );
  });

  it.each(['${password}', '${clientid', 'a#', '', '$share/g/a', '$exclusive/a'])(
    'and filters are checked: %j',
    (topic) => {
      expect(() => new Acl([rule('allow', topic)], 'deny')).toThrow(/topic/u);
    },
  );

  it('and addresses are checked', () => {
    const who = { addresses: ['10.0.0.0/33'] };
    expect(() => new Acl([rule('allow', 'a', { who })], 'deny')).toThrow(/address/u);
  });
});

describe('a SUBSCRIBE', () => {
  const rules = [
    rule('deny', 'a/secret', { id: 'secret' }),
    rule('allow', 'a/+/#'),
    rule('allow', 'a'),
  ];

  it.each([
    ['a/b', true],
    ['a/b/#', true],
    ['a/secret', false],
    ['a/#', false],
    ['#', false],
    ['+/b', false],
    ['$exclusive/a/b', true],
    ['$exclusive/a/secret', false],
    ['$share/g/a/b/+', true],
    ['$share/g/a/secret', false],
    ['$share/g/#', false],
  ])('for %s is allowed: %s', (filter, isAllowed) => {
    expect(allows(rules, subscribe(filter))).toBe(isAllowed);
  });

  it('is allowed but for what an earlier rule denies, which is asked for with each message', () => {
    const acl = new Acl(rules, 'deny');
    expect(acl.decide(ANN, subscribe('a/+'))).toMatchObject({
      allowed: true,
      except: { id: 'secret' },
    });
    expect(acl.decide(ANN, subscribe('a/b')).except).toBeUndefined();
    expect(acl.decide(ANN, receive('a/secret')).allowed).toBe(false);
    expect(acl.decide(ANN, receive('a/b')).allowed).toBe(true);
    const open = new Acl([rule('deny', 'a/secret')], 'allow');
    expect(open.decide(ANN, subscribe('#')).except).toBeDefined();
  });

  it('for a shared subscription is refused when a part is denied', () => {
    const verdict = new Acl(rules, 'deny').decide(ANN, subscribe('$share/g/a/+'));
    expect(verdict).toMatchObject({ allowed: false, rule: { id: 'secret' } });
  });
});

describe('AddressRange', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.0.0.1', true],
    ['::ffff:a00:1', '10.0.0.1', true],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:DB9::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.0.0.1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::1', '::1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['10.0.0.1', 'no address', false],
  ])('%s has %s: %s', (range, address, isIn) => {
    expect(AddressRange.parse(range)?.has(address)).toBe(isIn);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.0/33',
    '::/129',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7::8:9',
    '::g',
    '::ffff:10.0.0.1/95',
    'a/8',
    '10.0.0.0/',
  ])('does not take %j', (text) => {
    expect(AddressRange.parse(text)).toBeUndefined();
  });
});

describe('ClientAccess', () => {
  const client = { ...ANN, user: 'ann' };

  it('remembers verdicts until the rules are replaced', () => {
    const control = new AccessControl(new Acl([rule('allow', 'a')], 'deny'));
    const access = control.admit(client);
    expect([access.mayPublish('a', 0, false), access.wasCached]).toEqual([true, false]);
    expect([access.mayPublish('a', 0, false), access.wasCached]).toEqual([true, true]);
    expect([access.mayPublish('a', 1, true), access.wasCached]).toEqual([true, false]);
    expect([access.mayReceive('b', 1), access.mayReceive('b', 1)]).toEqual([false, false]);
    expect(access.wasCached).toBe(true);
    control.replace(new Acl([rule('allow', 'b')], 'deny'));
    expect(access.mayPublish('a', 0, false)).toBe(false);
    expect(access.mayReceive('b', 1)).toBe(true);
    expect(access.subscribe('b', 1).allowed).toBe(true);
  });

  it('is right also when it has to forget', () => {
    const control = new AccessControl(new Acl([rule('allow', '+/1')], 'deny'));
    const access = control.admit(client);
    for (let round = 0; round < 2; round += 1) {
      for (let index = 0; index < 3_000; index += 1) {
        const topic = `${String(index)}/${String(index % 2)}`;
        expect(access.mayPublish(topic, 0, false)).toBe(index % 2 === 1);
      }
    }
    const long = 'x'.repeat(65_535);
    expect([access.mayPublish(long, 0, false), access.mayPublish('1/1', 0, false)]).toEqual([
      false,
      true,
    ]);
  });

  it('has the groups and rules of its principal, and others when it is told so', () => {
    const own = { groups: ['ops'], rules: [rule('allow', 'own')] };
    const acl = new Acl([rule('allow', 'ops', { who: { groups: ['ops'] } })], 'deny');
    const control = new AccessControl(acl);
    const access = control.admit({ ...client, ...own });
    expect([access.mayPublish('own', 0, false), access.mayPublish('ops', 0, false)]).toEqual([
      true,
      true,
    ]);
    expect(control.admit(client).mayPublish('own', 0, false)).toBe(false);
    access.principal = { ...access.principal, groups: [], rules: [] };
    expect([access.mayPublish('own', 0, false), access.mayPublish('ops', 0, false)]).toEqual([
      false,
      false,
    ]);
  });
});

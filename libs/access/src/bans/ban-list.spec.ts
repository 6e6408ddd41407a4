import { describe, expect, it } from '@jest/globals';
import { banIdOf, banSubject, type Ban, type BanSubject } from './ban.ts';
import { BanList } from './ban-list.ts';

function banOn(subject: BanSubject, more: Partial<Ban> = {}): Ban {
  const named = banSubject(subject);
  if (named === undefined) throw new Error('nobody can be that');
  return { ...named, id: banIdOf(named), reason: '', by: 'admin', createdAtMs: 0, ...more };
}

const listOf = (...bans: readonly Ban[]): BanList => {
  const list = new BanList();
  for (const ban of bans) list.set(ban);
  return list;
};

const client = { clientId: 'c', user: 'u', address: '192.0.2.7' };

describe('a ban list', () => {
  it.each([
    [{ kind: 'client_id', value: 'c' }, true],
    [{ kind: 'client_id', value: 'C' }, false],
    [{ kind: 'client_id', value: 'u' }, false],
    [{ kind: 'username', value: 'u' }, true],
    [{ kind: 'username', value: 'c' }, false],
    [{ kind: 'address', value: '192.0.2.7' }, true],
    [{ kind: 'address', value: '::ffff:192.0.2.7' }, true],
    [{ kind: 'address', value: '192.0.2.8' }, false],
    [{ kind: 'address', value: '192.0.0.0/16' }, true],
    [{ kind: 'address', value: '192.1.0.0/16' }, false],
    [{ kind: 'address', value: '0.0.0.0/0' }, true],
    [{ kind: 'address', value: '::/0' }, false],
  ] as const)('keeps out whom it is on: %j, %j', (subject, isBanned) => {
    const ban = banOn(subject);
    expect(listOf(ban).find(client, 1)).toBe(isBanned ? ban : undefined);
  });

  it('knows an IPv6 address in a network, with a zone or without', () => {
    const ban = banOn({ kind: 'address', value: '2001:DB8:0::/32' });
    const list = listOf(ban);
    for (const address of ['2001:db8::1', '2001:db8:1::1%eth0']) {
      expect(list.find({ ...client, address }, 1)).toBe(ban);
    }
    expect(list.find({ ...client, address: '2001:db9::1' }, 1)).toBeUndefined();
    expect(list.find({ ...client, address: '' }, 1)).toBeUndefined();
  });

  it('lets in again whose ban has ended', () => {
    for (const value of ['c', 'u', '192.0.2.0/24']) {
      const kind = value === 'c' ? 'client_id' : value === 'u' ? 'username' : 'address';
      const list = listOf(banOn({ kind, value }, { untilMs: 10 }));
      expect(list.find(client, 9)).toBeDefined();
      expect(list.find(client, 10)).toBeUndefined();
    }
  });

  it('finds the ban that is in force behind one that has ended', () => {
    const narrow = banOn({ kind: 'address', value: '192.0.2.7' }, { untilMs: 1 });
    const wide = banOn({ kind: 'address', value: '192.0.2.0/24' });
    expect(listOf(narrow, wide).find(client, 5)).toBe(wide);
  });

  it('has one ban on a subject, however it is written', () => {
    const first = banOn({ kind: 'address', value: '10.1.2.3/8' });
    const second = banOn({ kind: 'address', value: '10.0.0.0/8' }, { reason: 'again' });
    const list = listOf(first, second);
    expect([...list.all()]).toEqual([second]);
    expect(list.get('address:10.0.0.0/8')).toBe(second);
    list.delete(second.id);
    expect(list.size).toBe(0);
    expect(list.find({ ...client, address: '10.0.0.1' }, 1)).toBeUndefined();
  });

  it('removes one of two networks of a length', () => {
    const [one, two] = ['10.0.0.0/8', '11.0.0.0/8'].map((value) =>
      banOn({ kind: 'address', value }),
    );
    if (one === undefined || two === undefined) throw new Error('two are there');
    const list = listOf(one, two);
    list.delete(one.id);
    list.delete('address:12.0.0.0/8');
    expect(list.find({ ...client, address: '10.0.0.1' }, 1)).toBeUndefined();
    expect(list.find({ ...client, address: '11.0.0.1' }, 1)).toBe(two);
  });
});

describe('the subject of a ban', () => {
  it.each([
    ['address', '::ffff:10.0.0.1', '10.0.0.1'],
    ['address', '::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['address', '2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['address', '1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['address', '::', '::'],
    ['address', '::1', '::1'],
    ['address', 'fe80::/10', 'fe80::/10'],
    ['address', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['address', '1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['address', '10:0:0:10:100:0:0:1', '10::10:100:0:0:1'],
    ['username', 'I\u00adX', 'IX'],
    ['client_id', '+/# é', '+/# é'],
  ] as const)('is written in one way: %s %s', (kind, value, text) => {
    expect(banSubject({ kind, value })).toEqual({ kind, value: text });
  });

  it.each([
    ['address', '10.0.0.1/33'],
    ['address', 'localhost'],
    ['username', ''],
    ['username', '\u0000'],
    ['client_id', ''],
  ] as const)('is somebody: %s %j', (kind, value) => {
    expect(banSubject({ kind, value })).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { deriveScramCredential, formatScramCredential, type StoredUser } from '#libs/access';
import { NodeScramCrypto } from '#libs/access-sources';
import type { CommandOf, WireUserFilter } from '#libs/api-contracts';
import { LocalDefinitionStore } from '#libs/store-local';
import { UserCommands } from './user-commands.ts';

const RULE = { effect: 'allow', actions: ['publish'], topics: ['a/#'] } as const;
const HASH = '$scrypt$ln=10,r=8,p=1$secret$secret';
const SCRAM = formatScramCredential(
  await deriveScramCredential(new NodeScramCrypto(), 'low water', {
    ...{ mechanism: 'SCRAM-SHA-256', salt: Buffer.alloc(16), iterations: 4096 },
  }),
);

function open() {
  const store = new LocalDefinitionStore<StoredUser>('users');
  let nowMs = 1_000;
  const commands = new UserCommands({ users: store, nowMs: () => nowMs++ });
  const put = (id: string, own: Partial<CommandOf<'put-user'>> = {}) =>
    commands.put({ kind: 'put-user', id, groups: ['crew'], rules: [RULE], ...own });
  return { store, commands, put };
}

describe('stored users', () => {
  it('are made, shown without a secret, and removed', async () => {
    const { commands, put } = open();
    const shown = { id: 'ann', groups: ['crew'], rules: [RULE], hasScram: true };
    const user = { ...shown, passwordSetAtMs: 1_000, revision: 1 };
    const credentials = [HASH, SCRAM];
    expect(await put('ann', { credentials })).toEqual({ kind: 'stored', user });
    expect(await commands.user({ kind: 'user', id: 'ann' })).toEqual({ user });
    expect(await put('ann', { credentials })).toEqual({ kind: 'conflict' });
    const remove = (revision: number) =>
      commands.remove({ kind: 'remove-user', id: 'ann', revision });
    expect(await remove(7)).toEqual({ kind: 'conflict' });
    expect(await remove(1)).toEqual({ kind: 'stored' });
    expect(await remove(1)).toEqual({ kind: 'absent' });
    expect(await commands.user({ kind: 'user', id: 'ann' })).toEqual({ user: undefined });
  });

  it('are given with their credentials for export, page by page', async () => {
    const { commands, put } = open();
    for (const id of ['ann', 'bob']) await put(id, { credentials: [HASH, SCRAM] });
    const command = { kind: 'users-with-credentials', limit: 1 } as const;
    const ann = { groups: ['crew'], rules: [RULE], credentials: [HASH, SCRAM] };
    expect(await commands.defined(command)).toEqual({
      ...{ items: [{ id: 'ann', ...ann, revision: 1 }], hasMore: true },
    });
    expect(await commands.defined({ ...command, after: 'ann' })).toMatchObject({
      ...{ items: [{ id: 'bob' }], hasMore: false },
    });
  });

  it('keep their password unless there is another one', async () => {
    const { store, put } = open();
    await put('ann', { credentials: [HASH] });
    const kept = await put('ann', { groups: [], revision: 1 });
    expect(kept).toMatchObject({ user: { groups: [], passwordSetAtMs: 1_000, revision: 2 } });
    expect((await store.get('ann'))?.item.credentials).toEqual([HASH]);
    const changed = await put('ann', { credentials: [SCRAM], revision: 2 });
    expect(changed).toMatchObject({ user: { hasScram: true, passwordSetAtMs: 1_001 } });
    expect(await put('ann', { revision: 2 })).toEqual({ kind: 'conflict' });
    expect(await put('bob')).toEqual({ kind: 'absent' });
    expect(await put('bob', { revision: 2 })).toEqual({ kind: 'absent' });
  });

  it('are refused with a rule that cannot be', async () => {
    const { put } = open();
    const rules = [{ ...RULE, topics: ['$share/g/a'] }];
    const refused = await put('ann', { credentials: [HASH], rules });
    expect(refused).toEqual({ kind: 'invalid', detail: expect.stringContaining('$share/g/a') });
  });

  it('are listed in pages, which are not larger than an answer should be', async () => {
    const { commands, put } = open();
    const topics = Array.from(
      { length: 100 },
      (_, index) => `${'t'.repeat(1_000)}/${String(index)}`,
    );
    const large = Array.from({ length: 25 }, () => ({ ...RULE, topics }));
    for (const id of ['a', 'b', 'c']) await put(id, { credentials: [HASH], rules: large });
    const first = await commands.users({ kind: 'users', limit: 3 });
    expect(first).toMatchObject({ items: [{ id: 'a' }], next: 'a' });
    const rest = await commands.users({ kind: 'users', limit: 1, after: 'b' });
    expect(rest).toMatchObject({ items: [{ id: 'c' }] });
    expect(rest.next).toBeUndefined();
  });

  it('are found by name, by its beginning, and by group, page by page', async () => {
    const { commands, put } = open();
    const names = ['a', 'ab', 'abc', 'b', 'ba'];
    for (const id of names) await put(id, { credentials: [HASH], groups: [`of-${id[0] ?? ''}`] });
    const walk = async (filter: WireUserFilter): Promise<readonly string[]> => {
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const own = after === undefined ? {} : { after };
        const page = await commands.users({ kind: 'users', limit: 1, filter, ...own });
        seen.push(...page.items.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      return seen;
    };
    expect(await walk({})).toEqual(names);
    expect(await walk({ namePrefix: 'a' })).toEqual(['a', 'ab', 'abc']);
    expect(await walk({ namePrefix: 'ab' })).toEqual(['ab', 'abc']);
    expect(await walk({ namePrefix: 'c' })).toEqual([]);
    expect(await walk({ group: 'of-b' })).toEqual(['b', 'ba']);
    expect(await walk({ namePrefix: 'a', group: 'of-b' })).toEqual([]);
    expect(await walk({ names: ['ba', 'x', 'a'] })).toEqual(['ba', 'a']);
  });

  it('are looked at so many for one page, and not more', async () => {
    const { store, commands, put } = open();
    for (let each = 0; each < 6_001; each += 1) {
      const id = `u${String(each).padStart(4, '0')}`;
      await put(id, { credentials: [HASH], groups: each === 6_000 ? ['late'] : [] });
    }
    expect((await store.list()).length).toBe(6_001);
    const filter = { group: 'late' };
    const first = await commands.users({ kind: 'users', limit: 10, filter });
    expect(first).toMatchObject({ items: [], next: expect.stringMatching(/^u[45]/u) });
    const own = first.next === undefined ? {} : { after: first.next };
    const rest = await commands.users({ kind: 'users', limit: 10, filter, ...own });
    expect(rest.items).toMatchObject([{ id: 'u6000' }]);
  });
});

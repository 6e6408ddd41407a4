import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthChain, PasswordCheck, UserSource } from '#libs/access';
import { ConfiguredUsers, NodeScramCrypto, type ConfiguredUser } from './index.ts';

const OPTIONS = { iterations: 4096, saltSecret: 'pinch of salt' };
/** `pencil`, of RFC 7677. */
const SCRAM =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-users-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

async function open(users: readonly ConfiguredUser[]): Promise<ConfiguredUsers> {
  const opened = await ConfiguredUsers.open(users, OPTIONS);
  if (opened.kind === 'faulty') throw new Error(JSON.stringify(opened.faults));
  return opened.users;
}

async function faultsOf(users: readonly ConfiguredUser[]): Promise<readonly string[]> {
  const opened = await ConfiguredUsers.open(users, OPTIONS);
  if (opened.kind === 'opened') throw new Error('the users were accepted');
  return opened.faults.map(({ field, problem, fix }) => `${field} ${problem}; ${fix}`);
}

describe('configured users', () => {
  it('log in with a password, one from a file, and one that only its owner knows', async () => {
    const credentials = await open([
      { name: 'ann', password: 'p4ss', groups: ['crew'] },
      { name: 'bob', passwordFile: write('bob', 'from a file\r\nand a remark\n') },
      { name: 'user', scram: [SCRAM] },
    ]);
    const crypto = new NodeScramCrypto();
    const passwords = new PasswordCheck({ crypto, ...OPTIONS });
    const sources = [new UserSource(credentials, passwords)];
    const chain = new AuthChain({ sources, passwords, anonymous: false });
    const login = async (username: string, password: string) =>
      await chain.login({
        clientId: 'c',
        username,
        password: Buffer.from(password),
        address: '10.0.0.1',
        listener: 'tcp',
      });

    const crew = { groups: ['crew'], rules: [] };
    expect(await login('ann', 'p4ss')).toMatchObject({ identity: { user: 'ann', ...crew } });
    expect(await login('bob', 'from a file')).toMatchObject({ identity: { user: 'bob' } });
    expect(await login('user', 'pencil')).toMatchObject({ identity: { user: 'user' } });
    expect(await login('ann', 'pencil')).toMatchObject({ kind: 'denied' });
  });

  it('have salts that every node makes alike, each of its own', async () => {
    const find = async (password: string, name: string) =>
      (await (await open([{ name, password }])).find(name))?.credentials[0];
    const ann = await find('p4ss', 'ann');
    expect(ann).toMatchObject({ iterations: 4096 });
    expect(ann?.salt).toHaveLength(16);
    expect(await find('p4ss', 'ann')).toEqual(ann);
    expect((await find('p4ss', 'bob'))?.salt).not.toEqual(ann?.salt);
    expect(await (await open([])).find('ann')).toBeUndefined();
  });

  it('are all told what is wrong with them, without a secret', async () => {
    const faults = await faultsOf([
      { name: 'ann', password: 'hunter2' },
      { name: 'an\u00ADn', password: 'hunter2' },
      { name: '\u00AD', password: 'hunter2' },
      { name: 'b\u0007', password: 'hunter2' },
      { name: 'cat', password: 'hunter2\uE000' },
      { name: 'dan', passwordFile: join(directory, 'absent') },
      { name: 'eve', passwordFile: write('empty', '\n') },
      { name: 'fay', scram: ['hunter2'] },
      { name: 'gus', scram: [SCRAM, SCRAM] },
    ]);
    expect(faults.toSorted()).toEqual([
      '[1].name is the name of an earlier user; choose another name',
      '[2].name is empty; give the user a name',
      '[3].name holds a control, private or unassigned character; choose another name',
      '[4].password holds a control, private or unassigned character; choose another password',
      '[5].passwordFile cannot be read; name a file that the process may read',
      '[6].passwordFile is empty; choose a password',
      '[7].scram[0] is no SCRAM credential; make it with `npm run scram`',
      '[8].scram[1] has the mechanism of an earlier one; remove one of them',
    ]);
    expect(faults.join()).not.toContain('hunter2');
  });
});

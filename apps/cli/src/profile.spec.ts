import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryTerminal } from '../../../test/cli/memory-terminal.ts';
import { runCli } from './cli.ts';
import { resolveTarget } from './profile.ts';

let directory: string;
let env: Readonly<Record<string, string>>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skein-cli-'));
  env = { XDG_CONFIG_HOME: directory };
});

afterEach(() => rm(directory, { recursive: true }));

async function skein(argv: readonly string[], secrets: string[] = []) {
  const terminal = new MemoryTerminal(env, { secrets });
  const code = await runCli(argv, { terminal, version: '1' });
  return { code, out: terminal.out, notes: terminal.notes };
}

describe('profiles', () => {
  it('are made, used, shown and removed; a key in them is for the owner alone and not shown', async () => {
    const server = ['--server', 'https://plant.example'];
    expect(
      (await skein(['profiles', 'set', 'plant', ...server, '--ask-key'], ['skn_1'])).code,
    ).toBe(0);
    expect((await skein(['profiles', 'set', 'lab', '--server', 'http://lab.example'])).code).toBe(
      0,
    );
    const shown = await skein(['profiles']);

    expect((await stat(join(directory, 'skein/config.yaml'))).mode & 0o777).toBe(0o600);
    expect(shown.out).toContain('https://plant.example');
    expect(shown.out).not.toContain('skn_1');
    expect(await resolveTarget({}, env)).toMatchObject({
      server: 'https://plant.example',
      credential: 'skn_1',
    });
    expect((await skein(['profiles', 'use', 'lab'])).code).toBe(0);
    expect(await resolveTarget({}, env)).toMatchObject({ server: 'http://lab.example' });
    expect((await skein(['profiles', 'remove', 'lab'])).code).toBe(0);
    expect(await readFile(join(directory, 'skein/config.yaml'), 'utf8')).not.toContain('lab');
  });

  it.each(['two words', 'two\nlines', 'schlüssel'])(
    'take no key that cannot be one, and do not show it: %j',
    async (key) => {
      await expect(resolveTarget({}, { ...env, SKEINCTL_KEY: key })).rejects.toThrow(
        /^the key has a blank, a line break or another character/,
      );
    },
  );

  it('with a key that others may read are refused with the command that mends it', async () => {
    await skein(['profiles', 'set', 'plant', '--ask-key'], ['skn_1']);
    const path = join(directory, 'skein/config.yaml');
    await chmod(path, 0o644);

    expect(await skein(['profiles'])).toEqual({
      code: 1,
      out: '',
      notes: `skein: ${path}: holds a key and others may read it: chmod 600 ${path}\n`,
    });
  });

  it('that are not there are named, with those that are', async () => {
    await skein(['profiles', 'set', 'plant', '--server', 'https://plant.example']);
    const { code, notes } = await skein(['status', '--profile', 'lab']);

    expect(code).toBe(2);
    expect(notes).toContain("there is no profile 'lab'");
    expect(notes).toContain('there are: plant');
  });

  it.each([
    ['profiles: { a: { colour: red } }', 'profiles.a.colour: unknown'],
    ['profiles: { a: { server: 7 } }', 'profiles.a.server: must be a text'],
    ['profiles: [', 'is not YAML'],
  ])('written as %s are refused', async (text, fault) => {
    const path = join(directory, 'own.yaml');
    await writeFile(path, text);

    await expect(resolveTarget({}, { SKEINCTL_CONFIG: path })).rejects.toThrow(fault);
  });
});

describe('the API that is meant', () => {
  it('is that of a flag, else of a variable, else of the profile, else the local one', async () => {
    const key = join(directory, 'key');
    await writeFile(key, 'skn_file\n');
    const both = { ...env, SKEINCTL_SERVER: 'http://v', SKEINCTL_KEY: 'skn_variable' };

    expect(await resolveTarget({}, env)).toEqual({
      server: 'http://127.0.0.1:8080',
      credential: undefined,
      caFile: undefined,
    });
    expect(await resolveTarget({}, both)).toMatchObject({
      server: 'http://v',
      credential: 'skn_variable',
    });
    expect(await resolveTarget({ server: 'http://f/', 'key-file': key }, both)).toMatchObject({
      server: 'http://f',
      credential: 'skn_file',
    });
  });

  it('is that of a profile that a flag names, whatever variables say', async () => {
    const key = join(directory, 'there.key');
    await writeFile(key, 'skn_there\n');
    await skein(['profiles', 'set', 'there', '--server', 'http://there', '--key-file', key]);
    await skein(['profiles', 'set', 'open', '--server', 'http://open']);
    const both = { ...env, SKEINCTL_SERVER: 'http://v', SKEINCTL_KEY: 'skn_variable' };

    expect(await resolveTarget({ profile: 'there' }, both)).toMatchObject({
      server: 'http://there',
      credential: 'skn_there',
    });
    expect(await resolveTarget({ profile: 'open' }, both)).toMatchObject({
      server: 'http://open',
      credential: 'skn_variable',
    });
    expect(await resolveTarget({}, { ...both, SKEINCTL_PROFILE: 'there' })).toMatchObject({
      server: 'http://v',
      credential: 'skn_variable',
    });
  });

  it('has its files wherever the profile is used', async () => {
    await skein(['profiles', 'set', 'a', '--key-file', 'a.key', '--ca-file', '~/ca.crt']);

    const text = await readFile(join(directory, 'skein/config.yaml'), 'utf8');
    expect(text).toContain(`keyFile: ${join(process.cwd(), 'a.key')}`);
    expect(text).toContain('caFile: ~/ca.crt');
  });

  it('is refused with an address that is none, or a key file that is not there', async () => {
    await expect(resolveTarget({ server: 'plant' }, env)).rejects.toThrow("'plant' is no address");
    await expect(resolveTarget({ 'key-file': '/nothing' }, env)).rejects.toThrow(
      '/nothing: cannot be read (ENOENT)',
    );
  });
});

import { resolve } from 'node:path';
import { textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { table } from '../format.ts';
import { readProfiles, writeProfiles, type Profile } from '../profile.ts';

/** Which APIs there are, on this machine's file. */
export const PROFILE_COMMANDS: readonly Command[] = [
  {
    words: 'profiles list',
    summary: 'List profiles',
    run: list,
    examples: ['skein profiles'],
  },
  {
    words: 'profiles set',
    summary: 'Make or change a profile from --server, --key-file, --ca-file and --ask-key',
    positionals: ['name'],
    options: {
      'ask-key': {
        type: 'boolean',
        description: 'Ask for the key and keep it in the file of profiles.',
      },
    },
    run: set,
    examples: [
      'skein profiles set plant --server https://skein.plant.example --key-file ~/.config/skein/plant.key',
      'skein profiles set local --server http://127.0.0.1:8080 --ask-key',
    ],
  },
  {
    words: 'profiles use',
    summary: 'Use a profile from now on',
    positionals: ['name'],
    run: use,
    examples: ['skein profiles use plant'],
  },
  {
    words: 'profiles remove',
    summary: 'Remove a profile',
    positionals: ['name'],
    run: remove,
    examples: ['skein profiles remove plant'],
  },
];

async function list({ terminal, json }: Invocation): Promise<void> {
  const { current, profiles } = await readProfiles(terminal.env);
  const rows = Object.entries(profiles).map(([name, { server, key, keyFile, caFile }]) => ({
    name,
    current: name === current,
    server: server ?? null,
    key: keyFile ?? (key === undefined ? null : 'in the file'),
    ca_file: caFile ?? null,
  }));
  if (json) terminal.print(JSON.stringify({ items: rows }));
  else if (rows.length === 0)
    terminal.note('none; make one with skein profiles set NAME --server URL');
  else terminal.print(table(rows, ['name', 'current', 'server', 'key', 'ca_file']));
}

async function set({ terminal, values, options }: Invocation): Promise<void> {
  const name = values['name'] ?? '';
  const file = await readProfiles(terminal.env);
  const fields = {
    server: textOption(options, 'server'),
    keyFile: lasting(textOption(options, 'key-file')),
    caFile: lasting(textOption(options, 'ca-file')),
    key: options['ask-key'] === true ? await terminal.askSecret('key') : undefined,
  };
  const changed = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Profile;
  const profiles = { ...file.profiles, [name]: { ...file.profiles[name], ...changed } };
  const path = await writeProfiles(terminal.env, { current: file.current ?? name, profiles });
  terminal.note(`written to ${path}`);
}

/** A path that means the same file wherever the profile is used. */
function lasting(path: string | undefined): string | undefined {
  return path === undefined || path.startsWith('~/') ? path : resolve(path);
}

async function use({ terminal, values }: Invocation): Promise<void> {
  const name = known(await readProfiles(terminal.env), values['name']);
  const { profiles } = await readProfiles(terminal.env);
  await writeProfiles(terminal.env, { current: name, profiles });
}

async function remove({ terminal, values }: Invocation): Promise<void> {
  const file = await readProfiles(terminal.env);
  const name = known(file, values['name']);
  const { [name]: _, ...profiles } = file.profiles;
  const isCurrent = file.current === name || file.current === undefined;
  await writeProfiles(terminal.env, { profiles, ...(!isCurrent && { current: file.current }) });
}

function known(
  { profiles }: { readonly profiles: Readonly<Record<string, unknown>> },
  name = '',
): string {
  if (Object.hasOwn(profiles, name)) return name;
  throw new UsageError(`there is no profile '${name}': skein profiles shows them`);
}

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { LocalError, UsageError } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** Where the API is and with what one comes to it. */
export interface Profile {
  readonly server?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly caFile?: string;
}

/** The file of profiles. */
export interface ProfileFile {
  readonly current?: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Flags that choose the API. */
export interface TargetFlags {
  readonly server?: string | undefined;
  readonly profile?: string | undefined;
  readonly 'key-file'?: string | undefined;
  readonly 'ca-file'?: string | undefined;
}

/** An API that can be called. */
export interface Target {
  readonly server: string;
  readonly credential: string | undefined;
  readonly caFile: string | undefined;
}

/** Where an API without settings listens. */
export const DEFAULT_SERVER = 'http://127.0.0.1:8080';

const FIELDS = ['server', 'key', 'keyFile', 'caFile'];
const OTHERS_MAY = 0o077;

type Env = Terminal['env'];

/** The path of the file of profiles. */
export function profilePath(env: Env): string {
  const { SKEINCTL_CONFIG: own, XDG_CONFIG_HOME: xdg } = env;
  return (
    own ??
    join(xdg === undefined || xdg === '' ? join(homedir(), '.config') : xdg, 'skein/config.yaml')
  );
}

/** @throws LocalError when the file is not one of profiles, or shows a key to others. */
export async function readProfiles(env: Env): Promise<ProfileFile> {
  const path = profilePath(env);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new LocalError(`${path}: cannot be read (${error.code})`);
  });
  if (text === '') return { profiles: {} };
  const file = checkedFile(path, text);
  const holdsKey = Object.values(file.profiles).some(({ key }) => key !== undefined);
  if (holdsKey && ((await stat(path)).mode & OTHERS_MAY) !== 0) {
    throw new LocalError(`${path}: holds a key and others may read it: chmod 600 ${path}`);
  }
  return file;
}

function checkedFile(path: string, text: string): ProfileFile {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw new LocalError(`${path}: is not YAML: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
  const { current, profiles = {} } = (content ?? {}) as Partial<ProfileFile>;
  for (const [name, profile] of Object.entries(profiles)) {
    for (const [field, value] of Object.entries(profile)) {
      const place = `${path}: profiles.${name}.${field}`;
      if (!FIELDS.includes(field))
        throw new LocalError(`${place}: unknown; there are ${FIELDS.join(', ')}`);
      if (typeof value !== 'string') throw new LocalError(`${place}: must be a text`);
    }
  }
  return { profiles, ...(current === undefined ? {} : { current }) };
}

/** Writes the file of profiles for its owner alone. */
export async function writeProfiles(env: Env, file: ProfileFile): Promise<string> {
  const path = profilePath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, stringify(file), { mode: 0o600 });
  return path;
}

/**
 * Which API is meant: a flag beats a variable, a variable the profile. A profile that a flag names beats variables too: a key
 * goes to the server that it belongs to.
 *
 * @throws UsageError for a profile that is not there; LocalError for a file that cannot be read.
 */
export async function resolveTarget(flags: TargetFlags, env: Env): Promise<Target> {
  const name = flags.profile ?? env['SKEINCTL_PROFILE'];
  const profile = profileNamed(await readProfiles(env), name, env);
  const variables = flags.profile === undefined ? env : withoutThoseOf(profile, env);
  const server = flags.server ?? variables['SKEINCTL_SERVER'] ?? profile.server ?? DEFAULT_SERVER;
  if (!/^https?:\/\/[^/]+/.test(server) || !URL.canParse(server)) {
    throw new UsageError(`'${server}' is no address of an API: write it like ${DEFAULT_SERVER}`);
  }
  return {
    server: server.replace(/\/+$/, ''),
    credential: await credentialOf(flags, variables, profile),
    caFile: flags['ca-file'] ?? variables['SKEINCTL_CA_FILE'] ?? profile.caFile,
  };
}

/** The variables but those for which the profile has something. */
function withoutThoseOf({ server, key, keyFile, caFile }: Profile, env: Env): Env {
  const hidden = [
    ...(server === undefined ? [] : ['SKEINCTL_SERVER']),
    ...(key === undefined && keyFile === undefined ? [] : ['SKEINCTL_KEY', 'SKEINCTL_KEY_FILE']),
    ...(caFile === undefined ? [] : ['SKEINCTL_CA_FILE']),
  ];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.includes(name)));
}

function profileNamed(file: ProfileFile, name: string | undefined, env: Env): Profile {
  const wanted = name ?? file.current;
  if (wanted === undefined) return {};
  const profile = file.profiles[wanted];
  if (profile !== undefined) return profile;
  const names = Object.keys(file.profiles).join(', ') || 'none';
  throw new UsageError(
    `there is no profile '${wanted}' in ${profilePath(env)}; there are: ${names}`,
  );
}

async function credentialOf(
  flags: TargetFlags,
  env: Env,
  profile: Profile,
): Promise<string | undefined> {
  const credential = await givenCredential(flags, env, profile);
  // What refuses it later would show it.
  if (credential !== undefined && !/^[!-~]+$/.test(credential)) {
    throw new UsageError(
      'the key has a blank, a line break or another character that no key has; give the secret alone',
    );
  }
  return credential;
}

async function givenCredential(
  flags: TargetFlags,
  env: Env,
  profile: Profile,
): Promise<string | undefined> {
  const file = flags['key-file'];
  if (file !== undefined) return secretOf(file);
  const { SKEINCTL_KEY: key, SKEINCTL_KEY_FILE: keyFile } = env;
  if (key !== undefined && key !== '') return key;
  if (keyFile !== undefined && keyFile !== '') return secretOf(keyFile);
  return profile.keyFile === undefined ? profile.key : secretOf(profile.keyFile);
}

/** A path as files of profiles have it, in which `~` is the home of who runs this. */
export const wholePath = (path: string): string => path.replace(/^~(?=\/)/, homedir());

/** The first line of a file. @throws LocalError when there is none. */
export async function secretOf(path: string): Promise<string> {
  const text = await readFile(wholePath(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LocalError(`${path}: cannot be read (${error.code})`);
  });
  const [line = ''] = text.split(/\r?\n/, 1);
  if (line === '')
    throw new LocalError(`${path}: its first line is empty; it should be the secret`);
  return line;
}

import { stringify } from 'yaml';
import type { Config } from './load.ts';

const MASK = '***';

/**
 * Renders a configuration as YAML, secrets masked: what is in force, for people.
 *
 * @remarks Except for the masked secrets it can be given to `--config`.
 */
export function printConfig(config: Config): string {
  const { version } = config.node;
  return `# Skein ${version}\n${stringify(maskedConfig(config), { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** A configuration as it may be shown: secrets are masked. */
export function maskedConfig(config: Config): Readonly<Record<string, unknown>> {
  const { version: _version, ...node } = config.node;
  return {
    ...config,
    node,
    api: maskRead(config.api, 'key'),
    auth: {
      ...maskRead(config.auth, 'saltSecret'),
      users: config.auth.users.map(maskUser),
    },
    redis: {
      ...config.redis,
      ...(config.redis.url === undefined ? {} : { url: maskUrl(config.redis.url) }),
      ...(config.redis.password === undefined ? {} : { password: MASK }),
      ...(config.redis.sentinelPassword === undefined ? {} : { sentinelPassword: MASK }),
    },
  };
}

/** A section without a secret: masked where it was given, left out where its file is named instead. */
function maskRead<Section extends object>(section: Section, key: keyof Section & string): object {
  const { [key]: secret, ...rest } = section;
  const hasFile = `${key}File` in rest;
  return { ...rest, ...(secret === undefined || hasFile ? {} : { [key]: MASK }) };
}

function maskUser(user: Config['auth']['users'][number]): object {
  const { password, scram } = user;
  if (password !== undefined) return { ...user, password: MASK };
  return scram === undefined ? user : { ...user, scram: scram.map(() => MASK) };
}

/** Hides the password of a URL, for printing and logging. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = MASK;
  return url.href;
}

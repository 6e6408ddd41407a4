import { stringify } from 'yaml';
import type { Config } from './load.ts';

const MASK = '***';

/**
 * Renders a configuration as YAML, secrets masked: what is in force, for people.
 *
 * @remarks Except for the masked secrets it can be given to `--config`.
 */
export function printConfig(config: Config): string {
  const { version, ...node } = config.node;
  const masked = {
    ...config,
    node,
    api: { ...config.api, ...(config.api.key === undefined ? {} : { key: MASK }) },
    redis: {
      ...config.redis,
      ...(config.redis.url === undefined ? {} : { url: maskUrl(config.redis.url) }),
    },
  };
  return `# Skein ${version}\n${stringify(masked, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** Hides the password of a URL, for printing and logging. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = MASK;
  return url.href;
}

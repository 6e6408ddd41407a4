import { FLAGS_HELP, parseFlags } from './flags.ts';
import { loadConfig, packageVersion, type ConfigSource } from './load.ts';
import { printConfig } from './print.ts';

/**
 * What a process that is called `title` prints, instead of starting, for `--help`, `--version` and `--print-config`;
 * undefined without them.
 *
 * @throws ConfigError when a flag is wrong, or a setting that is to be printed.
 */
export function answerFlags(title: string, source: ConfigSource): string | undefined {
  const flags = parseFlags(source.argv ?? []);
  if (flags.help) return `${title}\n\n${FLAGS_HELP}`;
  if (flags.version) return packageVersion();
  return flags.printConfig ? printConfig(loadConfig(source)).trimEnd() : undefined;
}

import { ConfigError } from './config-error.ts';
import { nearest } from './nearest.ts';

/** The command line of a process, checked. */
export interface Flags {
  /** The file of `--config`. */
  readonly config?: string;
  /** The directory of `--data`. */
  readonly data?: string;
  readonly printConfig: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const FLAGS = [
  { flag: '--config', value: 'FILE', text: 'read the configuration from this YAML file' },
  { flag: '--data', value: 'DIR', text: 'keep sessions, retained messages and rules here' },
  { flag: '--print-config', value: '', text: 'print the configuration in force and exit' },
  { flag: '--help', value: '', text: 'print this and exit' },
  { flag: '--version', value: '', text: 'print the version and exit' },
] as const;

/** The list of flags for a help text, one line each. */
export const FLAGS_HELP: string = FLAGS.map(
  ({ flag, value, text }) => `  ${`${flag} ${value}`.padEnd(16)}  ${text}`,
).join('\n');

/**
 * Reads the command line; `--flag value` and `--flag=value` mean the same.
 *
 * @throws ConfigError on an unknown flag, naming the nearest known one, and on a missing value.
 */
export function parseFlags(argv: readonly string[]): Flags {
  const given = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 1) {
    const [name, inline] = splitOnce(argv[index] ?? '');
    const known = FLAGS.find(({ flag }) => flag === name);
    if (known === undefined) throw unknownFlag(name);
    if (known.value === '') {
      if (inline !== undefined) throw fault(name, 'takes no value', `write ${name} alone`);
      given.set(name, '');
      continue;
    }
    const value = inline ?? argv[(index += 1)] ?? '';
    if (value === '' || value.startsWith('--')) {
      throw fault(name, 'needs a value', `write ${name} ${known.value}`);
    }
    given.set(name, value);
  }
  const config = given.get('--config');
  const data = given.get('--data');
  return {
    ...(config === undefined ? {} : { config }),
    ...(data === undefined ? {} : { data }),
    printConfig: given.has('--print-config'),
    help: given.has('--help'),
    version: given.has('--version'),
  };
}

function splitOnce(argument: string): readonly [string, string | undefined] {
  const equals = argument.indexOf('=');
  return equals === -1
    ? [argument, undefined]
    : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function unknownFlag(name: string): ConfigError {
  const known = FLAGS.map(({ flag }) => flag);
  const fix = `the nearest is ${nearest(name, known)}, see --help; settings are keys of the file and SKEIN_* variables, see docs/configuration.md`;
  return fault(name, 'is not a known flag', fix);
}

function fault(field: string, problem: string, fix: string): ConfigError {
  return new ConfigError([{ field, problem, fix }]);
}

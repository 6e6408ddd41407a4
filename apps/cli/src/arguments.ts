import { parseArgs } from 'node:util';
import {
  GLOBAL_OPTIONS,
  optionsOf,
  positionalsOf,
  type Command,
  type OptionSpec,
  type Options,
} from './command.ts';
import { UsageError } from './exit-code.ts';

/** A command line that has been understood. */
export interface Parsed {
  readonly options: Options;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Which command the words name, and what is left of them; undefined when they name none. */
export function findCommand(
  commands: readonly Command[],
  argv: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const { head, words } = split(argv);
  for (let count = Math.min(words.length, 3); count > 0; count -= 1) {
    const name = words.slice(0, count).join(' ');
    const command =
      commands.find((each) => each.words === name) ?? listOf(commands, name, words[count]);
    if (command !== undefined) return { command, rest: [...head, ...words.slice(count)] };
  }
  return undefined;
}

/** `skein clients` means `skein clients list`, unless another word follows. */
function listOf(
  commands: readonly Command[],
  name: string,
  next: string | undefined,
): Command | undefined {
  if (next !== undefined && !next.startsWith('-')) return undefined;
  return commands.find(({ words }) => words === `${name} list`);
}

/** Global options may stand before the words of a command. */
function split(argv: readonly string[]) {
  let at = 0;
  while (at < argv.length && argv[at]?.startsWith('-') === true) {
    const [name = '', value] = (argv[at] ?? '').replace(/^--?/, '').split('=', 2);
    const spec = GLOBAL_OPTIONS[name];
    at += spec?.type === 'string' && value === undefined ? 2 : 1;
  }
  return { head: argv.slice(0, at), words: argv.slice(at) };
}

/**
 * Reads what follows the words of a command.
 *
 * @throws UsageError naming what is wrong and what there is.
 */
export function parseCommand(command: Command, argv: readonly string[]): Parsed {
  const specs = optionsOf(command);
  const { values, positionals } = parsed(command, argv, specs);
  for (const [name, { choices }] of Object.entries(specs)) {
    const value = values[name];
    if (choices === undefined || value === undefined || typeof value !== 'string') continue;
    if (!choices.includes(value)) {
      throw new UsageError(`--${name}: '${value}' is none of ${choices.join(', ')}`);
    }
  }
  if (values['help'] === true) return { options: values, values: {} };
  return { options: values, values: placed(command, positionals) };
}

function parsed(
  command: Command,
  argv: readonly string[],
  specs: Readonly<Record<string, OptionSpec>>,
) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple, short }]) => [
      name,
      {
        type,
        ...(multiple === undefined ? {} : { multiple }),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true }) as {
      readonly values: Options;
      readonly positionals: readonly string[];
    };
  } catch (error) {
    const [message = ''] = (error as Error).message.split('. ');
    throw new UsageError(`${message}\nsee skein ${command.words} --help`, { cause: error });
  }
}

function placed(
  command: Command,
  given: readonly string[],
): Readonly<Record<string, string | undefined>> {
  const wanted = positionalsOf(command);
  const needed = wanted.filter((name) => !name.startsWith('['));
  const missing = needed[given.length];
  const usage = `usage: ${usageOf(command)}`;
  if (missing !== undefined) throw new UsageError(`<${missing}> is missing\n${usage}`);
  if (given.length > wanted.length) {
    throw new UsageError(`'${given[wanted.length] ?? ''}' is one word too many\n${usage}`);
  }
  return Object.fromEntries(
    wanted.map((name, index) => [name.replaceAll(/[[\]]/g, ''), given[index]]),
  );
}

/** How a command is written. */
export function usageOf(command: Command): string {
  const positionals = positionalsOf(command).map((name) =>
    name.startsWith('[') ? name : `<${name}>`,
  );
  return ['skein', command.words, ...positionals, '[options]'].join(' ');
}

/** A whole number from an option. @throws UsageError when it is none. */
export function numberOption(options: Options, name: string): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value)) {
    throw new UsageError(`--${name}: must be a whole number, not '${String(value)}'`);
  }
  return Number(value);
}

/** A text from an option. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Texts from an option that may be given more than once, or with commas. */
export function listOption(options: Options, name: string): readonly string[] | undefined {
  const value = options[name];
  if (value === undefined || typeof value === 'boolean') return undefined;
  return [value]
    .flat()
    .flatMap((each) => each.split(','))
    .map((each) => each.trim())
    .filter(Boolean);
}

import { usageOf } from './arguments.ts';
import {
  GLOBAL_OPTIONS,
  operationOf,
  optionsOf,
  summaryOf,
  type Command,
  type OptionSpec,
} from './command.ts';
import { EXIT_HELP } from './exit-code.ts';

const ENVIRONMENT = `SKEINCTL_SERVER, SKEINCTL_KEY or SKEINCTL_KEY_FILE, SKEINCTL_CA_FILE and SKEINCTL_PROFILE say the same as the options; an option
beats a variable, a variable the profile. Profiles are in ~/.config/skein/config.yaml (SKEINCTL_CONFIG, XDG_CONFIG_HOME).`;

/** What the program can do. */
export function overview(commands: readonly Command[]): string {
  return [
    'usage: skein COMMAND [options]     administers a Skein cluster through its API',
    lines(commands),
    'Every command has --help with examples.',
    section('Options of every command', options(GLOBAL_OPTIONS)),
    ENVIRONMENT,
    EXIT_HELP,
    'Completion of words: source <(skein completion bash), or zsh; skein completion fish | source',
  ].join('\n\n');
}

/** The commands that begin with the same word. */
export function groupHelp(commands: readonly Command[], word: string): string {
  const group = commands.filter(({ words }) => words.split(' ')[0] === word);
  return `usage: skein ${word} COMMAND [options]\n\n${lines(group)}`;
}

/** What a command does, takes and needs. */
export function commandHelp(command: Command): string {
  const operation = operationOf(command);
  const own = Object.fromEntries(
    Object.entries(optionsOf(command)).filter(([name]) => !(name in GLOBAL_OPTIONS)),
  );
  return [
    `usage: ${usageOf(command)}`,
    summaryOf(command),
    ...(operation?.description === undefined ? [] : [wrapped(operation.description)]),
    ...(Object.keys(own).length === 0 ? [] : [section('Options', options(own))]),
    section('Options of every command', options(GLOBAL_OPTIONS)),
    section('Examples', command.examples.map((each) => `  ${each}`).join('\n')),
    ...(operation === undefined ? [] : [`Needs the scope ${operation.scope}.`]),
  ].join('\n\n');
}

const section = (title: string, text: string): string => `${title}:\n${text}`;

function lines(commands: readonly Command[]): string {
  const longest = Math.max(...commands.map(({ words }) => words.length));
  return commands
    .map((command) => `  ${command.words.padEnd(longest)}  ${summaryOf(command)}`)
    .join('\n');
}

function options(specs: Readonly<Record<string, OptionSpec>>): string {
  const rows = Object.entries(specs).map(([name, spec]) => {
    const value =
      spec.type === 'boolean' ? '' : ` ${spec.value ?? spec.choices?.join('|') ?? 'VALUE'}`;
    return [
      `${spec.short === undefined ? '' : `-${spec.short}, `}--${name}${value}`,
      spec.description,
    ];
  });
  const longest = Math.min(36, Math.max(...rows.map(([name = '']) => name.length)));
  return rows.map(([name = '', text = '']) => `  ${name.padEnd(longest)}  ${text}`).join('\n');
}

function wrapped(text: string): string {
  const result: string[] = [''];
  for (const word of text.split(' ')) {
    const line = result.at(-1) ?? '';
    if (line.length + word.length > 100) result.push(word);
    else result[result.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return result.join('\n');
}

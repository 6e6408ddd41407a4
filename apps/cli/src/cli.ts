import { findCommand, parseCommand } from './arguments.ts';
import type { Command, Options } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { SHELLS, candidates, completionScript } from './completion.ts';
import { Connection } from './connection.ts';
import { EXIT, UsageError, exitCodeOf, explain } from './exit-code.ts';
import { commandHelp, groupHelp, overview } from './help.ts';
import { runOperation } from './operation-command.ts';
import { resolveTarget, type TargetFlags } from './profile.ts';
import type { Terminal } from './terminal.ts';

/** What the program is run with. */
export interface CliOptions {
  readonly terminal: Terminal;
  readonly version: string;
}

/** Runs a command line; the exit code. */
export async function runCli(
  argv: readonly string[],
  { terminal, version }: CliOptions,
): Promise<number> {
  try {
    if (!answered(argv, terminal, version)) await dispatch(argv, terminal);
    return EXIT.done;
  } catch (error) {
    if (terminal.stop.aborted) return EXIT.done;
    terminal.note(`skein: ${explain(error)}`);
    return exitCodeOf(error);
  }
}

/** Answers what is no command of its own: help, version, completion. */
function answered(argv: readonly string[], terminal: Terminal, version: string): boolean {
  const [first, second = ''] = argv;
  if (first === '__complete') {
    for (const word of candidates(COMMANDS, argv.slice(1))) terminal.print(word);
    return true;
  }
  if (first === 'completion') {
    const script = completionScript(second);
    if (script === undefined) throw new UsageError(`usage: skein completion ${SHELLS.join('|')}`);
    terminal.print(script);
    return true;
  }
  if (first === '--version') terminal.print(version);
  else if (first === undefined || ['help', '--help', '-h'].includes(first)) {
    terminal.print(helpOn(argv.slice(1)));
  } else return false;
  return true;
}

function helpOn(words: readonly string[]): string {
  if (words.length === 0) return overview(COMMANDS);
  const found = findCommand(COMMANDS, words);
  return found === undefined ? groupOf(words) : commandHelp(found.command);
}

function groupOf([word = '']: readonly string[]): string {
  if (COMMANDS.some(({ words }) => words.split(' ')[0] === word)) return groupHelp(COMMANDS, word);
  throw new UsageError(`there is no command '${word}': skein --help shows them`);
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<void> {
  const found = findCommand(COMMANDS, argv);
  const words = argv.filter((word) => !word.startsWith('-'));
  if (found === undefined) {
    const help = groupOf(words);
    if (argv.includes('--help') || argv.includes('-h')) return terminal.print(help);
    throw new UsageError(`'${words.join(' ')}' is no command\n${help}`);
  }
  const { command, rest } = found;
  const { options, values } = parseCommand(command, rest);
  const isGroup = command.words.endsWith(' list') && words[1] !== 'list';
  if (options['help'] === true) {
    return terminal.print(
      isGroup ? `${groupOf(words)}\n\n${commandHelp(command)}` : commandHelp(command),
    );
  }
  await run(command, { options, values, terminal });
}

async function run(
  command: Command,
  given: {
    readonly options: Options;
    readonly values: Readonly<Record<string, string | undefined>>;
    readonly terminal: Terminal;
  },
): Promise<void> {
  const { options, terminal } = given;
  const api = new Connection(() => resolveTarget(options as TargetFlags, terminal.env));
  const invocation = { ...given, command, api, json: options['json'] === true };
  await (command.run ?? runOperation)(invocation);
}

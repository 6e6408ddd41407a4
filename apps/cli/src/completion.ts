import { findCommand } from './arguments.ts';
import { optionsOf, type Command } from './command.ts';

const SCRIPTS = {
  bash: `_skein() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(skein __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _skein skein`,
  zsh: `#compdef skein
_skein() {
  local -a candidates
  candidates=("\${(@f)$(skein __complete "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  compadd -a candidates
}
compdef _skein skein`,
  fish: `complete -c skein -f -a '(skein __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
} as const;

/** The shells that words can be completed in. */
export const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

/** The script that a shell reads; undefined for a shell that is not known. */
export function completionScript(shell: string): string | undefined {
  return Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell as keyof typeof SCRIPTS] : undefined;
}

/** What may stand where the last of the words is being written. */
export function candidates(
  commands: readonly Command[],
  given: readonly string[],
): readonly string[] {
  const before = given.slice(0, -1);
  const begun = given.at(-1) ?? '';
  return all(commands, before, begun).filter((word) => word.startsWith(begun));
}

function all(
  commands: readonly Command[],
  before: readonly string[],
  begun: string,
): readonly string[] {
  const words = before.filter((word) => !word.startsWith('-'));
  const depth = words.length;
  const next = commands
    .map((command) => command.words.split(' '))
    .filter((parts) => parts.length > depth && words.every((word, index) => parts[index] === word))
    .map((parts) => parts[depth] ?? '');
  if (next.length > 0 && !begun.startsWith('-')) {
    return [...new Set(depth === 0 ? [...next, 'completion', 'help'] : next)];
  }
  const found = findCommand(commands, before);
  if (found === undefined) return [];
  const options = optionsOf(found.command);
  const open = /^--([\w-]+)$/.exec(before.at(-1) ?? '')?.[1] ?? '';
  const { type, choices = [] } = options[open] ?? {};
  if (type === 'string') return choices;
  return Object.keys(options)
    .filter((name) => !before.includes(`--${name}`) || options[name]?.multiple === true)
    .map((name) => `--${name}`);
}

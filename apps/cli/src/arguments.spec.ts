import { describe, expect, it } from '@jest/globals';
import { OPERATIONS, type Operation } from '#libs/api-contracts';
import { findCommand, listOption, parseCommand, usageOf } from './arguments.ts';
import { operationOf, optionName, optionsOf, positionalsOf, type Command } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { candidates, completionScript } from './completion.ts';
import { commandHelp } from './help.ts';

const commandOf = (words: string): Command => {
  const found = COMMANDS.find((command) => command.words === words);
  if (found === undefined) throw new Error(`no command ${words}`);
  return found;
};

const faultOf = (words: string, argv: readonly string[]): string => {
  try {
    parseCommand(commandOf(words), argv);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

describe('the words of a command line', () => {
  it.each([
    [['clients', 'show', 'a'], 'clients show', ['a']],
    [['clients'], 'clients list', []],
    [['clients', '--state', 'connected'], 'clients list', ['--state', 'connected']],
    [['--json', '--server', 'http://x', 'status'], 'status', ['--json', '--server', 'http://x']],
    [['--server=http://x', 'nodes'], 'nodes list', ['--server=http://x']],
    [['pub', 'list', 'x'], 'pub', ['list', 'x']],
  ])('%j are %s with %j', (argv, words, rest) => {
    const found = findCommand(COMMANDS, argv);

    expect(found?.command.words).toBe(words);
    expect(found?.rest).toEqual(rest);
  });

  it.each([[['nothing']], [['clients', 'nothing']], [[]]])('%j are none', (argv) => {
    expect(findCommand(COMMANDS, argv)).toBeUndefined();
  });
});

describe('what follows the words', () => {
  it('is values in their order and options', () => {
    const parsed = parseCommand(commandOf('pub'), ['--retain', 'a/b', '-q', '1', '--', '-payload']);

    expect(parsed.values).toEqual({ topic: 'a/b', payload: '-payload' });
    expect(parsed.options).toMatchObject({ retain: true, qos: '1' });
  });

  it('may be help, whatever else is missing', () => {
    expect(parseCommand(commandOf('clients show'), ['--help']).options['help']).toBe(true);
  });

  it.each([
    ['clients show', [], '<client_id> is missing'],
    ['clients show', ['a', 'b'], "'b' is one word too many"],
    ['clients list', ['--colour', 'red'], "Unknown option '--colour'"],
    ['clients list', ['--state', 'odd'], "--state: 'odd' is none of connected, disconnected"],
    ['pub', ['t', '--qos', '3'], "--qos: '3' is none of 0, 1, 2"],
  ])('of %s cannot be %j', (words, argv, fault) => {
    expect(faultOf(words, argv)).toContain(fault);
  });

  it('splits lists at commas, given once or more often', () => {
    expect(listOption({ group: ['a, b', 'c'] }, 'group')).toEqual(['a', 'b', 'c']);
    expect(listOption({}, 'group')).toBeUndefined();
  });
});

/** What has no command of its own: documents, and what others do. */
const WITHOUT_COMMAND = [
  ...['getOpenApi', 'getOpenApiYaml', 'getDocs', 'getDocsAsset', 'getProblem'],
  // config list --section, config set, pub --retain, retained clear.
  ...['getConfigSection', 'patchConfigSection', 'putRetainedMessage', 'deleteRetainedMessage'],
  // users add and users change; one command an item, or an import.
  ...['replaceUser', 'changeAclRules', 'changeBans'],
];

it('has a command for every operation that an administrator would look for, and each once', () => {
  const places = new Set(COMMANDS.map(({ operation }) => operation));
  const missing = Object.entries<Operation>(OPERATIONS).filter(
    ([id, { method, path }]) =>
      !WITHOUT_COMMAND.includes(id) &&
      !places.has(`${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
  );
  const words = COMMANDS.map((command) => command.words);

  expect(missing.map(([id]) => id)).toEqual([]);
  expect(words.toSorted()).toEqual([...new Set(words)].toSorted());
});

describe.each(COMMANDS.map((command) => [command.words, command] as const))(
  'skein %s',
  (words, command) => {
    it('has a help with its use, and examples that it understands', () => {
      const help = commandHelp(command);

      expect(help).toContain(usageOf(command));
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) {
        const [, own = ''] = /(?:^|\| )skein (.+?)(?: \||$| > )/.exec(example) ?? [];
        const argv = [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
          ([, single, double, bare]) => single ?? double ?? bare ?? '',
        );
        const found = findCommand(COMMANDS, argv);
        expect(found?.command.words).toBe(words);
        expect(() => parseCommand(command, found?.rest ?? [])).not.toThrow();
      }
    });

    it('has a value for every parameter of its path, and options that differ', () => {
      const path = operationOf(command)?.path ?? '';
      const needed = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const names = Object.keys(optionsOf(command));

      expect(positionalsOf(command)).toEqual(expect.arrayContaining(needed));
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    });
  },
);

it('names options after the parameters of the query', () => {
  expect(optionName('client_id[like]')).toBe('client-id-like');
  expect(Object.keys(optionsOf(commandOf('clients list')))).toEqual(
    expect.arrayContaining(['client-id-like', 'state', 'limit', 'all', 'json']),
  );
});

describe('completion', () => {
  it.each([
    [['cli'], ['clients']],
    [['clients', 'sh'], ['show']],
    [['clients', 'list', '--st'], ['--state']],
    [['clients', 'list', '--state', 'c'], ['connected']],
    [['completion-of-nothing', ''], []],
  ])('of %j offers %j', (given, offered) => {
    expect(candidates(COMMANDS, given)).toEqual(offered);
  });

  it('is there for the usual shells', () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      expect(completionScript(shell)).toContain('__complete');
    expect(completionScript('toString')).toBeUndefined();
  });
});

// What the pages name is there: files and headings that they link to, scripts of npm, commands of `skein` and their options.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { findCommand, parseCommand } from '../apps/cli/src/arguments.ts';
import { COMMANDS } from '../apps/cli/src/commands/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { stdout } = spawnSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'],
  { cwd: root, encoding: 'utf8' },
);
const pages = stdout.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
const textOf = (path) => readFileSync(join(root, path), 'utf8');
const { scripts } = JSON.parse(textOf('package.json'));

/** Words that npm knows without a script. */
const OF_NPM = ['install', 'test', 'start'];
/** What stands for any lib. */
const ANY_LIB = /^libs\/x(?:\/|$)/;
/** Where the project's own files are; a path in a text that begins so is one of them. */
const FOLDERS = 'apps|bench|deploy|docs|helm|libs|test|tools';

/** A page without the blocks of code in it. */
const proseOf = (text) => text.replaceAll(/^```[^]*?^```/gm, '');

/** Headings of a page, as links name them. */
function headingsOf(path) {
  const seen = new Map();
  return [...proseOf(textOf(path)).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const name = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? name : `${name}-${String(before)}`;
  });
}

/** Where the links of a page lead within the project, as `[as written, path, heading]`. */
function linksOf(path) {
  const prose = proseOf(textOf(path)).replaceAll(/`[^`\n]*`/g, '');
  const targets = [
    ...[...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target),
    ...[...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)].map(([, target]) => target),
  ];
  return targets
    .filter((target) => !/^(?:[a-z]+:|<)/.test(target))
    .map((target) => {
      const [file, heading] = target.split('#');
      return [target, file === '' ? path : normalize(join(dirname(path), file)), heading];
    });
}

function brokenLinksOf(path) {
  return linksOf(path)
    .filter(([, file, heading]) => {
      if (!existsSync(join(root, file))) return true;
      return heading !== undefined && file.endsWith('.md') && !headingsOf(file).includes(heading);
    })
    .map(([target]) => target);
}

/** Paths in the text that are of the project and not there; what is made by a build, or stands for many, is left out. */
function missingPathsOf(path) {
  const found = textOf(path).matchAll(
    new RegExp(`(?<![\\w/.@-])(?:${FOLDERS})/[\\w./-]*\\w(?![\\w*{<$/])`, 'g'),
  );
  return [...found]
    .map(([each]) => each)
    .filter((each) => !ANY_LIB.test(each) && !/[A-Z]{4,}(?!\w*\.md)/.test(each))
    .filter((each) => !existsSync(join(root, each)));
}

/** Lines of shells in a page, continued ones put together, and code in its sentences. */
function codeOf(path) {
  const text = textOf(path);
  const blocks = [...text.matchAll(/^```sh[^\n]*\n([^]*?)^```/gm)].map(([, block]) => block);
  const spans = [...proseOf(text).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
  return [...blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')), ...spans];
}

function missingScriptsOf(path) {
  return codeOf(path)
    .flatMap((line) => [...line.matchAll(/\bnpm (?:run )?(?:-s )?([a-z][\w:-]*)/g)])
    .filter(([whole]) => whole.includes(' run '))
    .map(([, name]) => name)
    .filter((name) => name !== 'run' && !OF_NPM.includes(name) && scripts[name] === undefined);
}

/** The words of the `skein` commands in a line; what comes after a pipe or a comment is another matter. */
function skeinCallsOf(line) {
  return [...line.matchAll(/(?:^|[\s(|;&])(?<!helm \w+ )(?:npx )?skein ([a-z][^|;&#<>)`]*)/g)].map(
    ([, rest]) =>
      [...rest.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
        ([, one, two, bare]) => one ?? two ?? bare,
      ),
  );
}

function faultyCommandsOf(path) {
  const calls = codeOf(path).flatMap(skeinCallsOf);
  return calls
    .filter((words) => !['completion', '--help', '--version'].includes(words[0]))
    .filter((words) => {
      const found = findCommand(COMMANDS, words);
      if (found === undefined) return true;
      // A mention of a command has no words of its own; what is written out has to parse.
      if (found.rest === undefined || found.rest.length === 0) return false;
      try {
        parseCommand(found.command, found.rest);
        return false;
      } catch {
        return true;
      }
    })
    .map((words) => words.join(' '));
}

it('finds what is not there', () => {
  const directory = mkdtempSync(join(tmpdir(), 'skein-docs-'));
  const page = join(directory, 'page.md');
  const lines = [
    '# A heading',
    '[a](page.md#a-heading) [b](page.md#none) [c](gone.md) `npm run gone` docs/gone.md',
    '```sh',
    'npm run check && npx skein clients list --no-such-option',
    'skein users vanish ann',
    '```',
  ];
  writeFileSync(page, lines.join('\n'));
  const path = relative(root, page);
  try {
    expect(brokenLinksOf(path)).toEqual(['page.md#none', 'gone.md']);
    expect(missingPathsOf(path)).toEqual(['docs/gone.md']);
    expect(missingScriptsOf(path)).toEqual(['gone']);
    expect(faultyCommandsOf(path)).toEqual(['clients list --no-such-option', 'users vanish ann']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('there are pages', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/api.md']));
});

describe.each(pages)('%s', (path) => {
  it('leads to files and headings that are there', () => {
    expect(brokenLinksOf(path)).toEqual([]);
  });

  it('names paths that are there', () => {
    expect(missingPathsOf(path)).toEqual([]);
  });

  it('names scripts of npm and commands of skein that are there', () => {
    expect({ npm: missingScriptsOf(path), skein: faultyCommandsOf(path) }).toEqual({
      npm: [],
      skein: [],
    });
  });
});

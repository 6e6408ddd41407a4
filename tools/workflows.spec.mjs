import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { notesOf, notesOfTag } from './release-notes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(root + path, 'utf8');
const { scripts } = JSON.parse(read('package.json'));

describe.each(globSync('.github/workflows/*.yml', { cwd: root }))('%s', (path) => {
  const { permissions, concurrency, jobs } = parse(read(path));
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const commands = steps.map((step) => step.run ?? '').join('\n');

  it('may read and no more, but where a job says otherwise', () => {
    expect(permissions).toEqual({ contents: 'read' });
  });

  it('writes only where something is released', () => {
    const writing = Object.entries(jobs).flatMap(([name, { permissions: own = {} }]) =>
      Object.entries(own).flatMap(([right, value]) =>
        value === 'write' ? [`${name} ${right}`] : [],
      ),
    );
    const released = [
      ...['images attestations', 'images id-token'],
      ...['release attestations', 'release contents', 'release id-token'],
    ];

    expect(writing).toEqual(path.endsWith('/release.yml') ? released : []);
  });

  it('takes actions by their commit, and says which version that is', () => {
    const used = [...read(path).matchAll(/^\s*-? ?uses: (.*)$/gm)].map((match) => match[1]);

    expect(used.length).toBe(steps.filter((step) => step.uses !== undefined).length);
    expect(
      used.filter((each) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v?\d+\.\d+\.\d+$/.test(each)),
    ).toEqual([]);
  });

  it('leaves no key to the repository in the checkout', () => {
    const checkouts = steps.filter((step) => step.uses?.startsWith('actions/checkout@'));

    expect(checkouts.length).toBe(Object.keys(jobs).length);
    expect(checkouts.filter((step) => step.with?.['persist-credentials'] !== false)).toEqual([]);
  });

  it('does not run twice for the same thing', () => {
    expect(concurrency.group).toMatch(/^[a-z]+(?:-\$\{\{ github\.ref \}\})?$/);
  });

  it('ends by itself', () => {
    expect(Object.values(jobs).filter((job) => !(job['timeout-minutes'] > 0))).toEqual([]);
  });

  it('runs scripts that exist', () => {
    const named = [...commands.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map((match) => match[1]);
    expect(named.filter((name) => !scripts[name])).toEqual([]);
  });

  it('names files that exist', () => {
    const named = [...commands.matchAll(/(?:^|\s)((?:\.ci|tools|deploy|helm)\/[\w./-]+)/gm)];
    const files = steps.map((step) => step.with?.file ?? step.with?.dockerfile).filter(Boolean);
    expect(
      [...named.map((match) => match[1]), ...files].filter((file) => !existsSync(root + file)),
    ).toEqual([]);
  });

  it('takes no text of events into a shell', () => {
    expect(commands).not.toMatch(/\$\{\{\s*(?:github\.event|inputs)/);
  });
});

describe('the notes of a release', () => {
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-02\n\n### Added\n\n- x\n\n## [1.1.0]\n\n- y\n';

  it('are the section of its version', () => {
    expect(notesOfTag('v1.2.0', { version: '1.2.0', changelog })).toBe('### Added\n\n- x');
    expect(notesOf(changelog, '1.1.0')).toBe('- y');
  });

  it.each([
    [
      'v1.2.0',
      '1.3.0',
      'the tag is "v1.2.0" and package.json has the version 1.3.0: the tag must be v1.3.0',
    ],
    ['v1.3.0', '1.3.0', 'CHANGELOG.md says nothing under "## [1.3.0]"'],
  ])('are missing for %s when the version is %s', (tag, version, said) => {
    expect(() => notesOfTag(tag, { version, changelog })).toThrow(said);
  });
});

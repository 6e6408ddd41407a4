// Writes docs/conformance.md from the statements of MQTT and the titles of the tests that prove them.
// usage: npm run conformance [-- --check]
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { parse } from 'yaml';
import { proofs, readStatements, strayIds } from './conformance/statements.mjs';
import { testTitles } from './conformance/test-titles.mjs';
import { DIFFERENCES } from '../test/fuzz/mqtt-packet-differences.ts';

const HELP = `usage: npm run conformance [-- --check] [-- --help]

Writes docs/conformance.md: each numbered normative statement of MQTT 3.1.1 and 5.0 with the tests that prove it, or
with the reason why none does. With --check the page is compared instead.

The statements are in tools/conformance/*.yaml. A test proves one by naming it in its title: [MQTT-3.1.2-24] is a
statement of MQTT 5.0, [MQTT3-3.1.2-24] one of MQTT 3.1.1, whose numbers mean other things.

Exit code 1 when a statement has neither a test nor a reason, a title or a comment names one that does not exist, or
the page is not what it would be.`;

const root = new URL('..', import.meta.url);
const page = new URL('docs/conformance.md', root);
const LISTS = ['tools/conformance/mqtt-5.0.yaml', 'tools/conformance/mqtt-3.1.1.yaml'];
const TESTS = [
  '{apps,libs}/*/src/**/*.{spec,fuzz}.ts',
  'libs/testkit/src/*-{suite,cases}.ts',
  'test/**/*.{spec,fuzz,e2e,sim}.ts',
];
const SOURCES = ['{apps,libs,test}/**/*.ts'];

const read = (path) => readFileSync(new URL(path, root), 'utf8');
const find = (globs) =>
  globs
    .flatMap((glob) => globSync(glob, { cwd: root, exclude: (name) => name === 'node_modules' }))
    .toSorted();

function counts({ statements }, byId) {
  const proven = statements.filter(({ id }) => byId.get(id).length > 0).length;
  return { all: statements.length, proven, explained: statements.length - proven };
}

function summary(versions, byId) {
  const rows = versions.map((version) => {
    const { all, proven, explained } = counts(version, byId);
    return `| ${version.version} | ${all} | ${proven} | ${explained} |`;
  });
  const heads = [
    '| version | statements | proven by tests | explained |',
    '| --- | --- | --- | --- |',
  ];
  return [...heads, ...rows].join('\n');
}

function section({ version, statements }, byId) {
  const items = statements.map(({ id, text, reason }) => {
    const proof = reason === undefined ? byId.get(id).map(nameOf) : [`_${reason}_`];
    return [`- **${id}** ${text}`, ...proof.map((line) => `  - ${line}`)].join('\n');
  });
  return `## ${version}\n\n${items.join('\n')}`;
}

const nameOf = ({ file, title }) => `${file}: ${title.replaceAll(/[*_<>[\]#`|]/g, '\\$&')}`;

const differenceItem = ({ name, why, example: [version, hex] }, { met }) =>
  `- **${name}**: ${why} Example: \`${hex}\` in version ${version}. Met ${numberOf(met[name] ?? 0)} times.`;

const numberOf = (count) => count.toLocaleString('en');

function differences() {
  const run = parse(read('tools/conformance/fuzz-run.yaml'));
  const { seed, inputs, same, incomplete } = run;
  const figures =
    `The run with seed ${seed} had ${numberOf(inputs)} inputs: ${numberOf(same)} read the same, ` +
    `${numberOf(incomplete)} no whole packet, none unexplained; inputs before CONNECT are not compared.`;
  return [figures, '', ...DIFFERENCES.map((each) => differenceItem(each, run))].join('\n');
}

function render(versions, byId) {
  const parts = {
    summary: summary(versions, byId),
    statements: versions.map((version) => section(version, byId)).join('\n\n'),
    differences: differences(),
  };
  return read('tools/conformance/page.md').replaceAll(/\{\{(\w+)\}\}/g, (_, part) => parts[part]);
}

function fail(lines) {
  for (const line of lines) console.error(line);
  process.exit(1);
}

if (process.argv.includes('--help')) {
  console.log(HELP);
  process.exit(0);
}

const versions = LISTS.map((path) => readStatements(read(path)));
const tests = find(TESTS).flatMap((file) =>
  testTitles(file, read(file)).map((test) => ({ file, ...test })),
);
const sources = find(SOURCES).map((file) => ({ file, text: read(file) }));
const { byId, faults } = proofs(versions, tests);
const wrong = [...new Set([...faults, ...strayIds(versions, sources)])];
if (wrong.length > 0) fail([...wrong, `${wrong.length} faults`]);

const options = await resolveConfig(page);
const text = await format(render(versions, byId), { ...options, parser: 'markdown' });
if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (readFileSync(page, 'utf8') !== text) {
  fail(['docs/conformance.md is not what the tests say: run `npm run conformance`.']);
}
for (const version of versions) {
  const { all, proven, explained } = counts(version, byId);
  console.log(
    `${version.version}: ${all} statements, ${proven} proven by tests, ${explained} explained`,
  );
}

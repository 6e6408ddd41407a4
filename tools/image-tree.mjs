// The file tree of an image without a container engine: carries out the instructions of a Dockerfile, each stage in a directory of its own.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { basename, isAbsolute, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HELP = `usage: npx node tools/image-tree.mjs DIRECTORY | --help

Makes the trees of both images below DIRECTORY, which must not be there yet, as deploy/docker/Dockerfile says, with what
\`npm run build\` has built, and prints how to start what is in them. Needs npm and no container engine.`;

const EXIT_USAGE = 2;
const IMAGES = ['broker', 'api'];

/** What a stage has come to: where its tree is, and how a process of it is started. */
const emptyStage = (root) => ({
  ...{ root, workdir: '/', env: {}, args: {}, labels: {} },
  ...{ user: 'root', exposed: [], entrypoint: [] },
});

/** The instructions of a Dockerfile, as `[name, text]`, continued lines put together. */
export function instructionsOf(text) {
  return text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line.trim());
      return [name.toUpperCase(), rest];
    });
}

/** `a=b c="d e"` with variables filled in. */
function pairsOf(text, variables) {
  const filled = text.replaceAll(/\$(\w+)/g, (_, name) => variables[name] ?? '');
  return Object.fromEntries(
    [...filled.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(([, name, quoted, bare]) => [
      name,
      quoted ?? bare,
    ]),
  );
}

/**
 * Builds all stages of a Dockerfile below `directory`, by their names; `context` is what COPY takes from, and `given` has trees
 * that stand for stages, so that what is there already is not built again. The base image is one file: the Node.js that runs
 * this.
 *
 * @throws Error on an instruction that is not known here, and when one fails.
 */
export function buildTrees(dockerfile, { context, directory, given = {}, args = {} }) {
  const stages = new Map();
  let stage;
  for (const [name, text] of instructionsOf(dockerfile)) {
    if (name === 'FROM') {
      const [, base, own] = /^(\S+) AS (\S+)$/.exec(text);
      stage = begin({ base: stages.get(base), own, directory, given });
      stages.set(own, stage);
    } else if (stage.isGiven !== true) carryOut(stage, [name, text], { stages, context, args });
  }
  return stages;
}

function begin({ base, own, directory, given }) {
  if (given[own] !== undefined) return { ...emptyStage(given[own]), isGiven: true };
  const root = join(directory, own);
  if (base !== undefined) {
    cpSync(base.root, root, { recursive: true, verbatimSymlinks: true });
    return { ...structuredClone(base), root };
  }
  const bin = join(root, 'usr/local/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(process.execPath, join(bin, 'node'));
  chmodSync(join(bin, 'node'), 0o755);
  return emptyStage(root);
}

function carryOut(stage, [name, text], { stages, context, args }) {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = text;
      mkdirSync(join(stage.root, text), { recursive: true });
      break;
    case 'COPY':
      copy(stage, text, { stages, context });
      break;
    case 'RUN':
      run(stage, text);
      break;
    case 'ARG':
      Object.assign(stage.args, pairsOf(text, {}), args);
      break;
    case 'ENV':
      Object.assign(stage.env, pairsOf(text, { ...stage.env, ...stage.args }));
      break;
    case 'LABEL':
      Object.assign(stage.labels, pairsOf(text, { ...stage.env, ...stage.args }));
      break;
    case 'USER':
      stage.user = text;
      break;
    case 'EXPOSE':
      stage.exposed = text.split(' ').map(Number);
      break;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(text);
      break;
    default:
      throw new Error(`${name}: is not an instruction that is known here`);
  }
}

function copy(stage, text, { stages, context }) {
  const words = text.split(/\s+/);
  const from = words[0].startsWith('--from=') ? words.shift().slice(7) : undefined;
  const other = from === undefined ? undefined : stages.get(from);
  const goal = words.pop();
  const into = join(stage.root, posix.resolve(stage.workdir, goal));
  for (const word of words) {
    const path = sourceOf(word, { other, context });
    const isTree = statSync(path).isDirectory();
    const to = isTree || !goal.endsWith('/') ? into : join(into, basename(path));
    mkdirSync(isTree ? to : join(to, '..'), { recursive: true });
    cpSync(path, to, { recursive: true, verbatimSymlinks: true });
  }
}

/** Where COPY takes a path from; a stage that was given has its working directory where its tree begins. */
function sourceOf(word, { other, context }) {
  if (other === undefined) return join(context, word);
  if (!isAbsolute(word)) throw new Error(`COPY --from: ${word} must begin with a slash`);
  if (other.isGiven === true) return join(other.root, word.split('/').slice(2).join('/'));
  const [path] = globSync(join(other.root, word));
  if (path === undefined) throw new Error(`COPY --from: there is no ${word}`);
  return path;
}

function run(stage, command) {
  const { status, stderr } = spawnSync('/bin/sh', ['-c', command], {
    cwd: join(stage.root, stage.workdir),
    env: { ...process.env, ...stage.env },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`RUN ${command}: exit code ${status}\n${stderr}`);
}

/** The line that starts what an image holds, with its variables, as a shell takes it. */
function startLine({ root, workdir, env, entrypoint }) {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const [program, ...args] = entrypoint;
  const command = [join(root, 'usr/local/bin', program), ...args].join(' ');
  return `cd ${join(root, workdir)} && env ${variables.join(' ')} ${command}`;
}

function main([goal, ...more]) {
  if (goal === '--help') return console.log(HELP);
  const root = fileURLToPath(new URL('..', import.meta.url));
  const fault =
    goal === undefined || goal.startsWith('-') || more.length > 0
      ? HELP.split('\n', 1)[0]
      : existsSync(goal)
        ? `${goal}: is there already; name a directory that is not`
        : !existsSync(join(root, 'dist')) && 'dist: is missing; run npm run build';
  if (fault) {
    console.error(fault);
    process.exitCode = EXIT_USAGE;
    return;
  }
  const dockerfile = readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8');
  const options = { context: root, directory: resolve(goal), given: { build: root } };
  const stages = buildTrees(dockerfile, options);
  for (const name of IMAGES) console.log(`${name}:\n  ${startLine(stages.get(name))}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));

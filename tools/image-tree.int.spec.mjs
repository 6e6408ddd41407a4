import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { buildIfStale } from './build.mjs';
import { besideOwner, canMount, inSandbox, placesIn, stateOf } from './image-sandbox.mjs';
import { buildTrees, instructionsOf } from './image-tree.mjs';
import { freePort, until } from './ports.mjs';
import { ProcessGroup } from './process-group.mjs';
import { awaitReady } from './readiness.mjs';
import { startRedis } from './services.mjs';

const BUILD_MS = 300_000;
const KEY = 'key-of-a-test-0123456789';
const HOST = '127.0.0.1';
const OUTSIDER = { SKEIN_AUTH_ANONYMOUS: 'true', SKEIN_NODE_CLUSTER_NAME: 'image' };

const root = fileURLToPath(new URL('..', import.meta.url));
const dockerfile = readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'skein-image-'));
const apps = new ProcessGroup();
const servers = new ProcessGroup();
let images;

/** What the chart mounts to write to: a volume of a node, and one of the API. Their group is that of the pod. */
const VOLUMES = { broker: '/var/lib/skein', api: '/var/lib/skein/backups' };
const isMounted = canMount();

beforeAll(async () => {
  await buildIfStale();
  // Whoever runs the image is nobody special, and must get there.
  chmodSync(directory, 0o755);
  const given = { build: root };
  images = buildTrees(dockerfile, { context: root, directory, given, args: { COMMIT: 'abc123' } });
  for (const name of ['broker', 'api']) {
    const { root: tree } = images.get(name);
    if (isMounted) placesIn(tree, [VOLUMES[name]]);
    // Whoever runs this owns the trees, and would be let in.
    else if (process.getuid() !== 0) spawnSync('chmod', ['-R', 'a-w', tree]);
  }
}, BUILD_MS);

afterAll(async () => {
  await apps.stop();
  await servers.stop();
  spawnSync('chmod', ['-R', 'u+w', directory]);
  rmSync(directory, { recursive: true, force: true });
}, BUILD_MS);

/** A directory of this machine that stands for the volume of a pod. */
function volumeOf(name) {
  const path = join(directory, `volume-${name}`);
  if (!existsSync(path)) {
    mkdirSync(path);
    chmodSync(path, 0o775);
    if (process.getuid() === 0) chownSync(path, 0, Number(images.get(name).user.split(':')[1]));
  }
  return path;
}

/** Where the process of an image finds its volume. */
const dataOf = (name) => (isMounted ? VOLUMES[name] : volumeOf(name));

const commandOf = (name, args = images.get(name).entrypoint) =>
  isMounted
    ? inSandbox(images.get(name), args, { [VOLUMES[name]]: volumeOf(name) })
    : besideOwner(images.get(name), args);

const optionsOf = (name, env) => {
  const { root: tree, workdir, env: own } = images.get(name);
  return { cwd: join(tree, workdir), env: { ...own, ...env } };
};

function start(name, env) {
  const [command, ...args] = commandOf(name);
  let output = '';
  const { child, ended } = apps.start(command, args, {
    ...optionsOf(name, env),
    output: (line) => (output += `${line}\n`),
  });
  return { child, ended, output: () => output };
}

/** Runs a command in an image to its end. */
function run(name, args, env = {}) {
  const [command, ...rest] = commandOf(name, args);
  const options = { ...optionsOf(name, env), encoding: 'utf8' };
  const { status, stdout, stderr } = spawnSync(command, rest, options);
  return { status, stdout, stderr };
}

it(
  'both images run as nobody special, write to nothing but their volumes, and hear their own command line',
  async () => {
    const [ops, apiOps, api, tcp, ws, commands] = await Promise.all(
      Array.from({ length: 6 }, () => freePort()),
    );
    const trees = ['broker', 'api'].map((name) => images.get(name).root);
    const before = trees.map(stateOf);
    const shared = {
      ...OUTSIDER,
      SKEIN_REDIS_URL: await startRedis(servers, join(directory, 'redis')),
    };
    const node = start('broker', {
      ...{ ...shared, SKEIN_NODE_ID: 'node1', SKEIN_OPS_PORT: ops, SKEIN_COMMANDS_PORT: commands },
      ...{ SKEIN_LISTENERS_TCP_PORT: tcp, SKEIN_LISTENERS_WS_PORT: ws },
      ...{ SKEIN_BRIDGE_SPOOL_KIND: 'local', SKEIN_BRIDGE_SPOOL_DIR: `${dataOf('broker')}/spool` },
    });
    const admin = start('api', {
      ...{ ...shared, SKEIN_NODE_ID: 'api', SKEIN_API_KEY: KEY, SKEIN_BACKUPS_DIR: dataOf('api') },
      ...{ SKEIN_API_PORT: api, SKEIN_API_OPS_PORT: apiOps },
    });
    const failed = Promise.race([node.ended, admin.ended]);
    const ready = await Promise.all([
      awaitReady('the node', { host: HOST, port: ops }, failed),
      awaitReady('the API', { host: HOST, port: apiOps }, failed),
    ]);
    expect({ ready, said: ready.every(Boolean) ? '' : node.output() + admin.output() }).toEqual({
      ready: [true, true],
      said: '',
    });
    for (const port of [ops, apiOps])
      for (const probe of ['startup', 'live', 'ready'])
        expect((await fetch(`http://${HOST}:${port}/healthz/${probe}`)).status).toBe(200);

    const env = { SKEINCTL_SERVER: `http://${HOST}:${api}`, SKEINCTL_KEY: KEY, HOME: '/nowhere' };
    const listed = run('api', ['node', 'tools/skein.mjs', 'nodes', '--json'], env);
    expect(listed).toMatchObject({ status: 0, stderr: '' });
    const nodes = JSON.parse(listed.stdout);
    expect(nodes.items ?? nodes).toMatchObject([{ id: 'node1' }]);
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const made = await fetch(`http://${HOST}:${api}/api/v1/backups`, {
      ...{ method: 'POST', headers, body: '{}' },
    });
    expect(made.status).toBe(202);
    await until('a backup', () => readdirSync(volumeOf('api')).length > 0, { deadlineMs: 20_000 });

    for (const { child } of [node, admin]) child.kill('SIGTERM');
    expect(await Promise.all([node.ended, admin.ended])).toEqual([0, 0]);
    expect(readdirSync(volumeOf('broker'))).toEqual(['spool']);
    expect(trees.map(stateOf)).toEqual(before);
  },
  BUILD_MS,
);

/** What a process of an image is and may do, as it sees it. */
const SELF = `
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const tried = (path) => {
  try { writeFileSync(path + '/probe', ''); return 'written'; } catch ({ code }) { return code; }
};
const status = readFileSync('/proc/self/status', 'utf8');
console.log(JSON.stringify({
  user: [process.getuid(), process.getgid()],
  writes: Object.fromEntries(JSON.parse(process.argv[1]).map((path) => [path, tried(path)])),
  shells: ['/bin/sh', '/usr/bin/sh', '/bin/bash'].filter(existsSync),
  capabilities: /CapEff:\\s*(\\w+)/.exec(status)[1],
  noNewPrivileges: /NoNewPrivs:\\s*(\\d)/.exec(status)[1],
}));`;

/** What SELF says: of a root of its own, of the image's user beside the tree's owner, or of whoever runs this test. */
function expectedOf(closed) {
  const id = [10_001, 10_001];
  const powerless = { user: id, capabilities: '0'.repeat(16), noNewPrivileges: '1' };
  const writes = Object.fromEntries(closed.map((path) => [path, isMounted ? 'EROFS' : 'EACCES']));
  if (isMounted) return { ...powerless, writes, shells: [] };
  if (process.getuid() === 0) return { ...powerless, writes };
  return { user: [process.getuid(), process.getgid()], writes };
}

it('what keeps a process from writing is there', () => {
  const { root: tree } = images.get('broker');
  const paths = ['/app', '/app/dist', '/usr/local/bin', '/'];
  const closed = isMounted ? paths : paths.map((path) => join(tree, path));
  const { status, stdout, stderr } = run('broker', [
    ...['node', '-e', SELF],
    JSON.stringify([...closed, dataOf('broker')]),
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  rmSync(join(volumeOf('broker'), 'probe'));

  expect(JSON.parse(stdout)).toMatchObject(expectedOf(closed));
  expect(JSON.parse(stdout).writes[dataOf('broker')]).toBe('written');
});

it('has what runs and says what that is, and nothing that only builds or tests', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json')));
  for (const name of ['broker', 'api']) {
    const { root: tree, user, labels, env } = images.get(name);
    const has = (path) => existsSync(join(tree, 'app', path));
    const bill = JSON.parse(readFileSync(join(tree, 'app/sbom.cdx.json')));
    const named = new Set(
      bill.components.map((each) => [each.group, each.name].filter(Boolean).join('/')),
    );

    expect(Object.keys(dependencies).filter((each) => !has(`node_modules/${each}`))).toEqual([]);
    expect(Object.keys(dependencies).filter((each) => !named.has(each))).toEqual([]);
    expect(
      ['jest', '@nestjs/cli', 'typescript'].filter(
        (each) => devDependencies[each] && has(`node_modules/${each}`),
      ),
    ).toEqual([]);
    expect(['apps', 'libs', 'test', '.git'].filter(has)).toEqual([]);
    expect(user).toBe('10001:10001');
    expect(env.SKEIN_NODE_COMMIT).toBe('abc123');
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': `skein-${name}`,
      'org.opencontainers.image.revision': 'abc123',
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
  }
});

it('an instruction that is not known is told', () => {
  const options = { context: root, directory };

  expect(() => buildTrees('FROM node AS odd\nHEALTHCHECK NONE\n', options)).toThrow(
    'HEALTHCHECK: is not an instruction that is known here',
  );
  expect(instructionsOf('RUN a \\\n  b\n# c\nUSER d\n')).toEqual([
    ['RUN', 'a    b'],
    ['USER', 'd'],
  ]);
});

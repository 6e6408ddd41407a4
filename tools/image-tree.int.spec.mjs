import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { buildIfStale } from './build.mjs';
import { buildTrees, instructionsOf } from './image-tree.mjs';
import { freePort } from './ports.mjs';
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

beforeAll(async () => {
  await buildIfStale();
  // Whoever runs the image is nobody special, and must get there.
  chmodSync(directory, 0o755);
  const given = { build: root };
  images = buildTrees(dockerfile, { context: root, directory, given, args: { COMMIT: 'abc123' } });
}, BUILD_MS);

afterAll(async () => {
  await apps.stop();
  await servers.stop();
  rmSync(directory, { recursive: true, force: true });
}, BUILD_MS);

/** The command of an image's process, as the user that the image names where this test may become another. */
function commandOf({ root: tree, entrypoint, user }, args = entrypoint) {
  const [uid, gid] = user.split(':');
  const program = [join(tree, 'usr/local/bin', args[0]), ...args.slice(1)];
  if (process.getuid() !== 0) return program;
  const nobody = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...nobody, '--bounding-set=-all', ...program];
}

function start(image, env) {
  const [command, ...args] = commandOf(image);
  const cwd = join(image.root, image.workdir);
  let output = '';
  const { ended } = apps.start(command, args, {
    ...{ cwd, env: { ...image.env, ...env } },
    output: (line) => (output += `${line}\n`),
  });
  return { ended, output: () => output };
}

it(
  'both images run as nobody special, from a tree that is not theirs, and hear their own command line',
  async () => {
    const [ops, apiOps, api, tcp, ws, commands] = await Promise.all(
      Array.from({ length: 6 }, () => freePort()),
    );
    const shared = {
      ...OUTSIDER,
      SKEIN_REDIS_URL: await startRedis(servers, join(directory, 'redis')),
    };
    const node = start(images.get('broker'), {
      ...{ ...shared, SKEIN_NODE_ID: 'node1', SKEIN_OPS_PORT: ops, SKEIN_COMMANDS_PORT: commands },
      ...{ SKEIN_LISTENERS_TCP_PORT: tcp, SKEIN_LISTENERS_WS_PORT: ws },
    });
    const admin = start(images.get('api'), {
      ...{ ...shared, SKEIN_NODE_ID: 'api', SKEIN_API_KEY: KEY },
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

    const image = images.get('api');
    const [command, ...args] = commandOf(image, ['node', 'tools/skein.mjs', 'nodes', '--json']);
    const env = { SKEINCTL_SERVER: `http://${HOST}:${api}`, SKEINCTL_KEY: KEY, HOME: '/nowhere' };
    const { status, stdout, stderr } = spawnSync(command, args, {
      ...{ cwd: join(image.root, image.workdir), env, encoding: 'utf8' },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout).items ?? JSON.parse(stdout)).toMatchObject([{ id: 'node1' }]);
  },
  BUILD_MS,
);

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

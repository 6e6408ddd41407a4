import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
let directory;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-start-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a tool as its npm script does, with a clean environment. */
function run(tool, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=source', `tools/${tool}.mjs`, ...args],
    { cwd: root, encoding: 'utf8', env: { PATH: process.env.PATH, ...env } },
  );
  return { status, stdout, stderr };
}

describe('npm start', () => {
  it('tells the nearest flag to an unknown one and exits with 2', () => {
    expect(run('start', ['--dat', 'x'])).toEqual({
      status: 2,
      stdout: '',
      stderr:
        '--dat: is not a known flag; the nearest is --data, see --help; settings are keys of the file and SKEIN_* variables, see docs/configuration.md\n',
    });
  });

  it('names the field and the fix of a bad file in one line and exits with 2', () => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'listeners:\n  tcp: { port: mqtt }\n');

    expect(run('start', ['--config', file])).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'listeners.tcp.port: must be a whole number from 0 to 65535; correct it, or remove it for the default 1883\n',
    });
  });

  it('names the setting of a port that somebody has and exits with 2', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const others = ['OPS', 'API', 'COMMANDS', 'LISTENERS_WS'].map((name) => [
      `SKEIN_${name}_PORT`,
      '0',
    ]);
    const env = { ...Object.fromEntries(others), SKEIN_API_OPS_PORT: '0' };

    const answer = run('start', [], { ...env, SKEIN_LISTENERS_TCP_PORT: String(port) });
    server.close();

    expect(answer).toEqual({
      status: 2,
      stdout: '',
      stderr: `listeners.tcp.port: 127.0.0.1:${port} is in use; choose another port or stop the program that has it\n`,
    });
  });

  it('prints the configuration in force, from flags and environment, without secrets', () => {
    const env = { SKEIN_API_KEY: 'open-sesame-open-sesame', SKEIN_LISTENERS_TCP_PORT: '2883' };
    const { status, stdout } = run('start', ['--print-config', '--data', 'somewhere'], env);

    expect(status).toBe(0);
    expect(stdout).toContain('port: 2883');
    expect(stdout).toContain('dir: somewhere');
    expect(stdout).not.toContain('open-sesame');
  });

  it('answers --help and --version at once', () => {
    expect(run('start', ['--help']).stdout).toMatch(/^usage: npm start[\s\S]*--print-config/);
    expect(run('start', ['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('npm run cluster', () => {
  it('knows its flags', () => {
    expect(run('cluster', ['--help']).stdout).toMatch(/^usage: npm run cluster[\s\S]*--no-kafka/);
    expect(run('cluster', ['--kafka'])).toMatchObject({ status: 2, stdout: '' });
  });
});

it('tools/api-client.mjs takes no flag for a directory', () => {
  expect(run('api-client', ['--force'])).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringMatching(/^usage: npm run build:client/),
  });
});

describe('tools/image-tree.mjs', () => {
  it('tells what it does, and refuses what it cannot do', () => {
    expect(run('image-tree', ['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^usage: npx node tools\/image-tree\.mjs DIRECTORY/),
    });
    expect(run('image-tree', [])).toMatchObject({ status: 2, stdout: '' });
    expect(run('image-tree', [directory])).toEqual({
      status: 2,
      stdout: '',
      stderr: `${directory}: is there already; name a directory that is not\n`,
    });
  });
});

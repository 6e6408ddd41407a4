import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
let project;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'client-'));
  const directory = join(project, 'node_modules/@skein/api-client');
  await mkdir(directory, { recursive: true });
  await run(process.execPath, ['--conditions=source', `${root}tools/api-client.mjs`, directory]);
  await mkdir(join(project, 'node_modules/@types'));
  for (const name of ['@types/node', 'undici-types']) {
    await symlink(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  await writeFile(join(project, 'package.json'), '{"type":"module"}');
});

afterAll(() => rm(project, { recursive: true }));

/** What the compiler says of a program of somebody who has installed the package; empty when all is well. */
async function compiled(text) {
  await writeFile(join(project, 'main.ts'), text);
  const tsc = [
    ...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'],
    ...[
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023',
      '--types',
      'node',
      'main.ts',
    ],
  ];
  const { stdout } = await run(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, ...tsc],
    {
      cwd: project,
    },
  ).catch((error) => error);
  return stdout;
}

it('is typed for those who have nothing else of Skein', async () => {
  const fine = `
    import { ApiClient, ApiError } from '@skein/api-client';
    const skein = new ApiClient({ server: 'http://127.0.0.1:8080' });
    const { body } = await skein.call('getStatus');
    const connections: number = body.connections;
    for await (const { client_id } of skein.items('listClients', { query: { limit: 2 } })) {
      const { status } = await skein.call('disconnectClient', { path: { client_id } });
      const done: 204 = status;
    }
    await skein.call('createBan', { body: { kind: 'ip', value: '192.0.2.1' } });
  `;
  const faulty = `
    import { ApiClient } from '@skein/api-client';
    const skein = new ApiClient({ server: 'http://127.0.0.1:8080' });
    await skein.call('createBan', { body: { kind: 'colour', value: 'red' } });
    await skein.call('getClient');
  `;

  expect(await compiled(fine)).toBe('');
  expect(await compiled(faulty)).toMatch(/main\.ts\(4,.*colour[^]*main\.ts\(5,/);
});

it('works without anything else of Skein', async () => {
  const server = createServer((request, response) => {
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ code: 'not-found', detail: request.url }));
  });
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const program = `
      import { ApiClient } from '@skein/api-client';
      const skein = new ApiClient({ server: 'http://127.0.0.1:${server.address().port}' });
      await skein.call('getClient', { path: { client_id: 'a/b' } }).catch(({ code, message }) => console.log(code, message));
    `;
    await writeFile(join(project, 'main.mjs'), program);
    const { stdout } = await run(process.execPath, ['main.mjs'], { cwd: project });

    expect(stdout).toBe('not-found /api/v1/clients/a%2Fb\n');
  } finally {
    server.close();
  }
});

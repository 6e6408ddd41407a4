import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SchemaRegistry } from '#libs/broker-ports';
import { startSchemaRegistry, type SchemaRegistryServer } from '#libs/testkit';
import { SchemaError } from './codec.ts';
import { RegistryClient } from './registry-client.ts';

let server: SchemaRegistryServer;

beforeAll(async () => {
  server = await startSchemaRegistry();
});

afterAll(() => server.stop());

beforeEach(() => {
  server.mood = 'well';
  server.login = undefined;
});

const clientOf = (changes: Partial<SchemaRegistry> = {}): RegistryClient =>
  new RegistryClient(
    { url: server.url, timeoutMs: 5_000, refreshMs: 60_000, ...changes },
    (secret) => ('env' in secret ? secret.env : secret.file),
  );

describe('RegistryClient', () => {
  it('finds schemas by id and by version, with what they refer to in order', async () => {
    server.register('base', { schema: '"string"' });
    const toBase = { name: 'Base', subject: 'base', version: 1 };
    server.register('middle', { schema: '"int"', references: [toBase] });
    const toMiddle = { name: 'Middle', subject: 'middle', version: 1 };
    const schema = { schema: '"long"', references: [toMiddle, toBase] };
    const id = server.register('a/b value', schema);
    const expected = {
      id,
      format: 'avro',
      text: '"long"',
      references: [
        { name: 'Base', text: '"string"' },
        { name: 'Middle', text: '"int"' },
      ],
    };
    expect(await clientOf().byVersion('a/b value', 'latest')).toEqual(expected);
    expect(await clientOf().byVersion('a/b value', 1)).toEqual(expected);
    expect(await clientOf().byId(id)).toEqual(expected);
    const proto = server.register('p', { schema: 'message A {}', schemaType: 'PROTOBUF' });
    expect(await clientOf({ url: `${server.url}/` }).byId(proto)).toMatchObject({
      format: 'protobuf',
    });
  });

  it('tells what the registry does not have from what it cannot say', async () => {
    server.register('known', { schema: '"string"' });
    const absent = { code: 'NOT_FOUND' };
    await expect(clientOf().byVersion('unknown', 'latest')).rejects.toMatchObject(absent);
    await expect(clientOf().byVersion('known', 7)).rejects.toMatchObject(absent);
    await expect(clientOf().byId(4_711)).rejects.toMatchObject({
      ...absent,
      message: 'schema registry: Schema 4711 not found',
    });
    // Another server is there, or another path.
    const astray = clientOf({ url: `${server.url}/api` });
    await expect(astray.byId(1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    server.mood = 500;
    await expect(clientOf().byId(1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'schema registry: Error in the backend data store',
    });
  });

  it('logs in with the secret as it is now, and shows it nowhere', async () => {
    server.login = 'skein:s3cret';
    const client = clientOf({ username: 'skein', password: { env: 's3cret' } });
    expect(await client.types()).toEqual(['JSON', 'PROTOBUF', 'AVRO']);
    server.login = 'skein:other';
    const refused = await client.types().catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'schema registry: Unauthorized',
    });
    expect(JSON.stringify(refused)).not.toContain('s3cret');
  });

  it('gives up a registry that does not answer, and what is under way when it is closed', async () => {
    server.mood = 'hang';
    const late = clientOf({ timeoutMs: 100 }).types();
    await expect(late).rejects.toThrow('schema registry: no answer within 100 ms');
    const client = clientOf();
    const cut = client.types();
    client.close();
    await expect(cut).rejects.toThrow('schema registry: closed');
    await expect(client.types()).rejects.toThrow('schema registry: closed');
    const nobody = clientOf({ url: 'http://127.0.0.1:1' });
    await expect(nobody.types()).rejects.toThrow('ECONNREFUSED');
  });

  it('names the file of authorities that it cannot read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'registry-'));
    const missing = clientOf({ caFile: join(dir, 'ca.pem') });
    await expect(missing.types()).rejects.toThrow('ca.pem');
    await writeFile(join(dir, 'ca.pem'), '');
    expect(await missing.types()).toHaveLength(3);
    await rm(dir, { recursive: true });
  });

  it.each([
    ['not JSON', 'UNAVAILABLE'],
    ['{}', 'UNAVAILABLE'],
    ['null', 'UNAVAILABLE'],
    ['{"schema":"x","references":1}', 'UNAVAILABLE'],
    [`"${'x'.repeat(5_000_000)}"`, 'UNAVAILABLE'],
    [JSON.stringify({ schema: 'x', schemaType: 'THRIFT' }), 'SCHEMA_UNUSABLE'],
  ])('refuses answers that are none: %#', async (body, code) => {
    const strange = http.createServer((_request, response) => response.end(body));
    await once(strange.listen(0, '127.0.0.1'), 'listening');
    const { port } = strange.address() as AddressInfo;
    const client = clientOf({ url: `http://127.0.0.1:${port}` });
    await expect(client.byId(1)).rejects.toMatchObject({ code });
    strange.close();
  });

  it('does not follow references in circles, nor without end', async () => {
    const round = { name: 'Round', subject: 'round', version: 1 };
    server.register('round', { schema: '"x"', references: [round] });
    expect((await clientOf().byVersion('round', 1)).references).toHaveLength(1);
    const many = Array.from({ length: 101 }, (_, index) => ({ ...round, name: `r${index}` }));
    server.register('many', { schema: '"x"', references: many });
    await expect(clientOf().byVersion('many', 1)).rejects.toThrow(SchemaError);
  });
});

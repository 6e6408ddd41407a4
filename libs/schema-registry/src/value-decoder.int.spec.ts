import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordError, type RecordBatch } from '#libs/bridge';
import { startSchemaRegistry, type SchemaRegistryServer } from '#libs/testkit';
import { RegistryClient } from './registry-client.ts';
import { ValueDecoder } from './value-decoder.ts';
import { frame } from './wire-format.ts';

describe('ValueDecoder', () => {
  let server: SchemaRegistryServer;
  let decoder: ValueDecoder;
  let nowMs = 0;
  let heartbeats = 0;

  beforeEach(async () => {
    server = await startSchemaRegistry();
    nowMs = 0;
    heartbeats = 0;
    const client = new RegistryClient(
      { url: server.url, timeoutMs: 5_000, refreshMs: 60_000 },
      () => '',
    );
    decoder = new ValueDecoder({ client, format: 'avro', clock: () => nowMs });
  });

  afterEach(() => server.stop());

  const batchOf = (...values: readonly (Buffer | null)[]): RecordBatch => ({
    partition: 0,
    records: values.map((value, index) => ({
      offset: String(index),
      key: null,
      value,
      timestamp: '0',
    })),
    lag: 0,
    active: () => true,
    resolve: () => undefined,
    heartbeat: () => {
      heartbeats += 1;
      return Promise.resolve();
    },
  });

  it('reads values of any schema, and asks once for each', async () => {
    const text = frame(server.register('a', { schema: '"string"' }), Buffer.from('\u0006abc'));
    const count = frame(server.register('b', { schema: '"int"' }), Buffer.of(4));
    const read = await decoder.prepare(batchOf(text, count, null, text, Buffer.from('plain')));
    expect(read(text).toString()).toBe('"abc"');
    expect(read(count).toString()).toBe('2');
    await decoder.prepare(batchOf(text, count));
    expect(server.requests).toEqual(['GET /schemas/ids/1', 'GET /schemas/ids/2']);
    expect(heartbeats).toBe(2);
  });

  it('says what is wrong with values that can never be read', async () => {
    const cut = frame(server.register('a', { schema: '"string"' }), Buffer.of(8));
    const foreign = frame(
      server.register('p', { schema: '{}', schemaType: 'JSON' }),
      Buffer.from('1'),
    );
    const broken = frame(server.register('b', { schema: '{"type":"enum"}' }), Buffer.of(0));
    const orphan = frame(4_711, Buffer.of(0));
    const plain = Buffer.from('{"t":1}');
    const read = await decoder.prepare(batchOf(cut, foreign, broken, orphan, plain));
    for (const [value, message] of [
      [cut, 'the value is cut short'],
      [foreign, 'schema 2 is of the format json-schema'],
      [broken, 'schema 3 cannot be used: the schema has a type without a name'],
      [orphan, 'the schema registry has no schema 4711'],
      [plain, 'the value does not begin with the id of a schema'],
    ] as const) {
      expect(() => read(value)).toThrow(RecordError);
      expect(() => read(value)).toThrow(message);
    }
  });

  it('looks again, after a while, for a schema that was not there', async () => {
    const value = frame(1, Buffer.of(4));
    const before = await decoder.prepare(batchOf(value));
    expect(() => before(value)).toThrow('has no schema 1');
    server.register('late', { schema: '"int"' });
    nowMs = 30_000;
    const after = await decoder.prepare(batchOf(value));
    expect(after(value).toString()).toBe('2');
  });

  it('says that it cannot be had now when the registry is away', async () => {
    server.mood = 503;
    const value = frame(1, Buffer.of(4));
    await expect(decoder.prepare(batchOf(value))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'schema registry: Error in the backend data store (schema 1)',
    });
  });
});

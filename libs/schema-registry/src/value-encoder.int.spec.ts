import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SinkRecord } from '#libs/bridge';
import type { ValueSchema } from '#libs/broker-ports';
import { RecordingLog, startSchemaRegistry, until, type SchemaRegistryServer } from '#libs/testkit';
import { RegistryClient } from './registry-client.ts';
import { ValueEncoder } from './value-encoder.ts';

const REFRESH_MS = 60_000;
const WAIT_MS = 15_000;

const one = { type: 'record', name: 'R', fields: [{ name: 't', type: 'double' }] };
const two = { ...one, fields: [...one.fields, { name: 'unit', type: 'string', default: 'C' }] };
const [ONE, TWO] = [one, two].map((schema) => ({ schema: JSON.stringify(schema) })) as [
  { schema: string },
  { schema: string },
];

function recordOf(value: unknown): SinkRecord {
  const json = Buffer.from(JSON.stringify(value));
  return { target: 'readings', key: Buffer.from('d1'), value: json, headers: {}, timestampMs: 0 };
}

describe('ValueEncoder', () => {
  let server: SchemaRegistryServer;
  let log: RecordingLog;
  let nowMs = 0;

  beforeEach(async () => {
    server = await startSchemaRegistry();
    log = new RecordingLog();
    nowMs = 0;
  });

  afterEach(() => server.stop());

  const encoderOf = (changes: Partial<ValueSchema> = {}, timeoutMs = 5_000): ValueEncoder =>
    new ValueEncoder({
      client: new RegistryClient({ url: server.url, timeoutMs, refreshMs: REFRESH_MS }, () => ''),
      schema: { format: 'avro', version: 'latest', ...changes },
      refreshMs: REFRESH_MS,
      ruleId: 'r',
      clock: () => nowMs,
      log,
    });

  const hexOf = async (encoder: ValueEncoder, record: SinkRecord): Promise<string | undefined> => {
    const { fit } = await encoder.encode('readings', [record]);
    return fit[0]?.value.toString('hex');
  };

  it('gives others their turn while values take long', async () => {
    server.register('readings-value', ONE);
    const encoder = encoderOf();
    await encoder.prepare('readings');
    const { value, ...rest } = recordOf({ t: 0 });
    const slow = (): SinkRecord => ({
      ...rest,
      get value() {
        nowMs += 100;
        return value;
      },
    });
    let turns = 0;
    const next = (): void => {
      turns += 1;
      turn = setImmediate(next);
    };
    let turn = setImmediate(next);
    const { fit } = await encoder.encode('readings', [slow(), slow(), slow()]);
    clearImmediate(turn);
    expect(fit).toHaveLength(3);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('encodes by the latest version, and by a newer one when it has found it', async () => {
    server.register('readings-value', ONE);
    const encoder = encoderOf();
    const record = recordOf({ t: 0 });
    const first = '00000000010000000000000000';
    expect(await hexOf(encoder, record)).toBe(first);
    server.register('readings-value', TWO);
    nowMs = REFRESH_MS;
    expect(await hexOf(encoder, recordOf({ t: 0 }))).toBe(first);
    await until(
      async () =>
        (await hexOf(encoder, recordOf({ t: 0 }))) === '00000000020000000000000000' + '0243',
      WAIT_MS,
    );
    // A batch that is repeated has the bytes of the first time.
    expect(await hexOf(encoder, record)).toBe(first);
    expect(server.requests).toHaveLength(2);
  });

  it('keeps to the version and the subject that the rule names', async () => {
    server.register('other', ONE);
    server.register('other', TWO);
    const encoder = encoderOf({ subject: 'other', version: 1 });
    expect(await hexOf(encoder, recordOf({ t: 0 }))).toBe('00000000010000000000000000');
    nowMs = REFRESH_MS * 10;
    const { fit, refusal } = await encoder.encode('readings', [recordOf({ t: 0, unit: 'K' })]);
    expect(fit).toHaveLength(0);
    expect(refusal?.message).toBe('other: the value has unit, and R has no such field');
    expect(server.requests).toHaveLength(1);
  });

  it('names the records that do not fit, when there is no newer version that they fit', async () => {
    server.register('readings-value', ONE);
    const encoder = encoderOf();
    await encoder.prepare('readings');
    server.register('readings-value', TWO);
    nowMs = 5_000;
    const records = [recordOf({ t: 1 }), recordOf({ t: 'x' }), recordOf({ t: 2, unit: 'K' })];
    const { fit, refusal } = await encoder.encode('readings', records);
    expect(fit).toHaveLength(2);
    expect(refusal?.code).toBe('UNFIT');
    expect(refusal?.message).toBe('readings-value: t is no double');
    expect([...(refusal?.refused?.keys() ?? [])]).toEqual([records[1]]);
    expect(server.requests).toHaveLength(2);
  });

  it('waits for a registry that is away, and asks it less and less often', async () => {
    server.register('readings-value', ONE);
    await server.stop();
    const encoder = encoderOf();
    const away = {
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
    };
    await expect(encoder.prepare('readings')).rejects.toMatchObject(away);
    expect(encoder.fault).toMatchObject(away);
    await server.start();
    await expect(encoder.prepare('readings')).rejects.toMatchObject(away);
    nowMs = 250;
    await encoder.prepare('readings');
    expect(encoder.fault).toBeUndefined();
  });

  it.each(['hang', 503] as const)(
    'goes on with what it knows while the registry is in trouble: %s',
    async (mood) => {
      server.register('readings-value', ONE);
      const encoder = encoderOf({}, 2_000);
      await encoder.prepare('readings');
      server.mood = mood;
      nowMs = REFRESH_MS;
      expect(await hexOf(encoder, recordOf({ t: 0 }))).toBe('00000000010000000000000000');
      await until(
        () => log.lines.some(({ event }) => event === 'bridge-schema-not-refreshed'),
        WAIT_MS,
      );
      expect(encoder.fault).toBeUndefined();
      server.mood = 'well';
      nowMs = REFRESH_MS * 2;
      await encoder.prepare('readings');
      await until(
        () => log.lines.some(({ event }) => event === 'bridge-schema-refreshed'),
        WAIT_MS,
      );
      expect(log.lines.filter(({ event }) => event === 'bridge-schema-not-refreshed')).toHaveLength(
        1,
      );
    },
  );

  it('takes a subject that is missing for a target that may come', async () => {
    const encoder = encoderOf();
    await expect(encoder.prepare('readings')).rejects.toMatchObject({
      code: 'UNKNOWN_TARGET',
      message: "schema registry: Subject 'readings-value' not found. (subject readings-value)",
    });
    expect(encoder.fault).toBeUndefined();
    server.register('readings-value', ONE);
    nowMs = 250;
    await expect(encoder.prepare('readings')).resolves.toBeUndefined();
  });

  it.each([
    [{ schema: '{"type":"object"}', schemaType: 'JSON' as const }, 'is of the format json-schema'],
    [{ schema: '{"type":"record"}' }, 'without a name'],
  ])('waits for a schema that can be used: %#', async (schema, message) => {
    server.register('readings-value', schema);
    await expect(encoderOf().prepare('readings')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(message) as unknown,
    });
  });
});

import {
  RecordError,
  SinkError,
  type ReadValue,
  type RecordBatch,
  type ValueReader,
} from '#libs/bridge';
import type { SchemaFormat } from '#libs/broker-ports';
import { codecOf } from './codec-of.ts';
import { SchemaError, ValueError, type ValueCodec } from './codec.ts';
import { Lookup } from './lookup.ts';
import { RegistryError, type RegistryClient } from './registry-client.ts';
import { unframe } from './wire-format.ts';

/** What a decoder works with. */
export interface ValueDecoderOptions {
  readonly client: RegistryClient;
  readonly format: SchemaFormat;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

/** The codec of a schema, or why there is none. */
type Finding = ValueCodec | ValueError;

const SCHEMAS_MAX = 1_000;
/** After this it is looked again for a schema that the registry did not have. */
const ABSENT_MS = 30_000;

/** Decodes values that name their schema, whichever of the registry that is. */
export class ValueDecoder implements ValueReader {
  readonly #options: ValueDecoderOptions;
  readonly #schemas: Lookup<number, Finding>;

  constructor(options: ValueDecoderOptions) {
    const { client, clock } = options;
    this.#options = options;
    this.#schemas = new Lookup({
      ask: (id) => find(client, id),
      entriesMax: SCHEMAS_MAX,
      clock,
    });
  }

  async prepare(batch: RecordBatch): Promise<ReadValue> {
    const found = new Map<number, Finding>();
    for (const { value } of batch.records) {
      const id = value === null ? undefined : idOf(value);
      if (id === undefined || found.has(id)) continue;
      found.set(id, this.#known(id) ?? (await this.#ask(id, batch)));
    }
    return (value) => this.#read(value, found);
  }

  close(): void {
    this.#options.client.close();
  }

  #known(id: number): Finding | undefined {
    const known = this.#schemas.known(id);
    return known instanceof ValueError && this.#schemas.ageMs(id) >= ABSENT_MS ? undefined : known;
  }

  async #ask(id: number, batch: RecordBatch): Promise<Finding> {
    await batch.heartbeat();
    try {
      return await this.#schemas.ask(id);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      throw new SinkError('UNAVAILABLE', `${error.message} (schema ${id})`);
    }
  }

  #read(value: Buffer, found: ReadonlyMap<number, Finding>): Buffer {
    try {
      const { id, body } = unframe(value);
      const codec = found.get(id);
      if (codec === undefined || codec instanceof ValueError) {
        throw codec ?? new ValueError(`schema ${id} is not known`);
      }
      if (codec.format !== this.#options.format) {
        throw new ValueError(`schema ${id} is of the format ${codec.format}`);
      }
      return codec.decode(body);
    } catch (error) {
      if (error instanceof ValueError) throw new RecordError('schema_error', error.message);
      throw error;
    }
  }
}

function idOf(value: Buffer): number | undefined {
  try {
    return unframe(value).id;
  } catch {
    // Said when the record has its turn.
    return undefined;
  }
}

/** What is wrong with a schema is wrong with every value that names it. */
async function find(client: RegistryClient, id: number): Promise<Finding> {
  try {
    return codecOf(await client.byId(id));
  } catch (error) {
    if (error instanceof SchemaError) {
      return new ValueError(`schema ${id} cannot be used: ${error.message}`);
    }
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') {
      return new ValueError(`the schema registry has no schema ${id}`);
    }
    throw error;
  }
}

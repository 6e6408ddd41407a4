import { setImmediate as nextTurn } from 'node:timers/promises';
import { SinkError, type SinkRecord, type SinkRefusal } from '#libs/bridge';
import type { Log, ValueSchema } from '#libs/broker-ports';
import { codecOf } from './codec-of.ts';
import { SchemaError, ValueError, type ValueCodec } from './codec.ts';
import { Lookup } from './lookup.ts';
import { RegistryError, type RegistryClient } from './registry-client.ts';
import { frame } from './wire-format.ts';

/** What an encoder works with. */
export interface ValueEncoderOptions {
  readonly client: RegistryClient;
  readonly schema: ValueSchema;
  /** How old the answer of what the latest version is may become. */
  readonly refreshMs: number;
  readonly ruleId: string;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  readonly log: Log;
}

/** Records of one batch with encoded values. */
export interface EncodedBatch {
  readonly fit: readonly SinkRecord[];
  /** Names the records whose values do not fit the schema; undefined when all do. */
  readonly refusal: SinkError | undefined;
}

interface SubjectSchema {
  readonly id: number;
  readonly codec: ValueCodec;
}

const SUBJECTS_MAX = 1_000;
/** How long a batch is worked on without a pause: a single value may take a tenth of a second. */
const TURN_MS = 20;
/** Where a value does not fit, the registry is asked whether there is a newer schema, but not more often than this. */
const MISFIT_MS = 5_000;

/**
 * Encodes the values of one rule's records by the schema of their topic's subject.
 *
 * @remarks A schema that is known is used at once and looked up again beside the traffic when it is older than `refreshMs`:
 * a registry that is away stops only rules that have no schema yet. What became of a record is kept with it, so that a batch
 * that is repeated has the same bytes.
 */
export class ValueEncoder {
  readonly #options: ValueEncoderOptions;
  readonly #schemas: Lookup<string, SubjectSchema>;
  readonly #outcomes = new WeakMap<SinkRecord, SinkRecord | ValueError>();
  #fault: SinkError | undefined;
  #isStale = false;

  constructor(options: ValueEncoderOptions) {
    const { schema, client, clock } = options;
    this.#options = options;
    this.#schemas = new Lookup({
      ask: async (subject) => {
        const registered = await client.byVersion(subject, schema.version);
        if (registered.format !== schema.format) {
          throw new SchemaError(`is of the format ${registered.format}`);
        }
        return { id: registered.id, codec: codecOf(registered, schema.messageType) };
      },
      entriesMax: SUBJECTS_MAX,
      clock,
    });
  }

  /** Why a schema that is needed cannot be had; undefined when there is none such. */
  get fault(): SinkError | undefined {
    return this.#fault;
  }

  /**
   * Makes ready what records of a topic need.
   *
   * @throws SinkError UNAVAILABLE when the registry does not give the schema, UNKNOWN_TARGET when it has none of that name.
   */
  async prepare(topic: string): Promise<void> {
    await this.#schemaOf(this.#subjectOf(topic));
  }

  /**
   * Encodes the values of a batch.
   *
   * @throws SinkError as prepare() does.
   */
  async encode(topic: string, records: readonly SinkRecord[]): Promise<EncodedBatch> {
    const subject = this.#subjectOf(topic);
    let schema: SubjectSchema | undefined;
    const fit: SinkRecord[] = [];
    const refused = new Map<SinkRecord, SinkRefusal>();
    const { clock } = this.#options;
    let turnEndsMs = clock() + TURN_MS;
    for (const record of records) {
      if (clock() >= turnEndsMs) {
        await nextTurn();
        turnEndsMs = clock() + TURN_MS;
      }
      let outcome = this.#outcomes.get(record);
      if (outcome === undefined) {
        schema ??= await this.#schemaOf(subject);
        outcome = encodeWith(schema, record);
        if (outcome instanceof ValueError) {
          schema = await this.#newerThan(schema, subject);
          outcome = encodeWith(schema, record);
        }
        this.#outcomes.set(record, outcome);
      }
      if (outcome instanceof ValueError) {
        refused.set(record, { code: 'UNFIT', message: `${subject}: ${outcome.message}` });
      } else fit.push(outcome);
    }
    const [first] = refused.values();
    return { fit, refusal: first && new SinkError(first.code, first.message, { refused }) };
  }

  /** Gives up what is under way. */
  close(): void {
    this.#options.client.close();
  }

  #subjectOf(topic: string): string {
    return this.#options.schema.subject ?? `${topic}-value`;
  }

  #schemaOf(subject: string): SubjectSchema | Promise<SubjectSchema> {
    const { schema, refreshMs } = this.#options;
    const known = this.#schemas.known(subject);
    if (known === undefined) return this.#find(subject);
    if (schema.version === 'latest' && this.#schemas.ageMs(subject) >= refreshMs) {
      void this.#refresh(subject);
    }
    return known;
  }

  async #find(subject: string): Promise<SubjectSchema> {
    try {
      const schema = await this.#schemas.ask(subject);
      this.#fault = undefined;
      return schema;
    } catch (error) {
      const fault = faultOf(subject, error);
      this.#fault = fault.code === 'UNAVAILABLE' ? fault : undefined;
      throw fault;
    }
  }

  /** Looks for a newer version; without an answer the known one goes on. */
  async #refresh(subject: string): Promise<void> {
    const { log, ruleId } = this.#options;
    try {
      await this.#schemas.ask(subject);
      if (this.#isStale) log.info('bridge-schema-refreshed', { rule: ruleId, subject });
      this.#isStale = false;
    } catch (error) {
      if (this.#isStale) return;
      this.#isStale = true;
      const { message } = faultOf(subject, error);
      log.warn('bridge-schema-not-refreshed', { rule: ruleId, subject, error: message });
    }
  }

  async #newerThan(schema: SubjectSchema, subject: string): Promise<SubjectSchema> {
    if (this.#options.schema.version !== 'latest') return schema;
    if (this.#schemas.ageMs(subject) >= MISFIT_MS) await this.#refresh(subject);
    return this.#schemas.known(subject) ?? schema;
  }
}

function encodeWith({ id, codec }: SubjectSchema, record: SinkRecord): SinkRecord | ValueError {
  try {
    return { ...record, value: frame(id, codec.encode(record.value)) };
  } catch (error) {
    if (error instanceof ValueError) return error;
    throw error;
  }
}

/** A subject that is missing is like a topic that is: it may come. So may a schema that can be worked with. */
function faultOf(subject: string, error: unknown): SinkError {
  if (error instanceof RegistryError) {
    const code = error.code === 'NOT_FOUND' ? 'UNKNOWN_TARGET' : 'UNAVAILABLE';
    return new SinkError(code, `${error.message} (subject ${subject})`);
  }
  if (error instanceof SchemaError) {
    return new SinkError(
      'UNAVAILABLE',
      `the schema of ${subject} cannot be used: ${error.message}`,
    );
  }
  throw error;
}

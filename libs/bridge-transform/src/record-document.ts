import {
  DocumentKind,
  ExpressionDocument,
  groupsOf,
  type PayloadFields,
} from './expression-document.ts';

/** What expressions see of a consumed record; everything else is undefined. Its value is called payload, as with messages. */
export interface RecordFields extends PayloadFields {
  /** The Kafka topic. */
  readonly topic: string;
  readonly partition: number;
  /** As text, since it has 64 bits. */
  readonly offset: string;
  /** As text; undefined when the record has none. */
  readonly key: string | undefined;
  /** Undefined when the record has none. */
  readonly keyBase64: string | undefined;
  /** In milliseconds since 1970; `$fromMillis(timestamp)` makes it a text. */
  readonly timestamp: number;
  /** A text for each name, or a list when the name is repeated. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

const FIELDS: Readonly<Record<keyof RecordFields, true>> = {
  topic: true,
  partition: true,
  offset: true,
  key: true,
  keyBase64: true,
  timestamp: true,
  headers: true,
  payload: true,
  payloadText: true,
  payloadBase64: true,
  payloadBytes: true,
};

/** Documents of records. */
export const RECORDS = new DocumentKind({
  plural: 'records',
  fields: Object.keys(FIELDS),
  aliases: { value: 'payload' },
});

/** A record with where it came from. */
export interface RecordOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly record: {
    /** A 64-bit integer in decimal. */
    readonly offset: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
    /** Milliseconds since 1970 in decimal. */
    readonly timestamp: string;
  };
}

const NO_BYTES = new Uint8Array(0);

/** A consumed record as expressions see it. */
export class RecordDocument extends ExpressionDocument {
  readonly #origin: RecordOrigin;

  constructor(origin: RecordOrigin) {
    super(origin.record.value ?? NO_BYTES);
    this.#origin = origin;
  }

  override get kind(): DocumentKind {
    return RECORDS;
  }

  protected override readField(name: string): unknown {
    const { topic, partition, record } = this.#origin;
    switch (name) {
      case 'topic':
        return topic;
      case 'partition':
        return partition;
      case 'offset':
        return record.offset;
      case 'key':
        return record.key?.toString();
      case 'keyBase64':
        return record.key?.toString('base64');
      case 'timestamp':
        return Number(record.timestamp);
      case 'headers':
        return groupsOf(headersOf(record));
      default:
        return undefined;
    }
  }
}

function* headersOf({
  headers = {},
}: RecordOrigin['record']): Generator<readonly [name: string, value: string]> {
  for (const [name, value] of Object.entries(headers)) {
    const values = Array.isArray(value) ? value : [value];
    for (const each of values) if (each !== undefined) yield [name, each.toString()];
  }
}

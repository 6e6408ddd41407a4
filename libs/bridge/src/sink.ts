import type {
  BridgeTest,
  BridgeTestStep,
  ConnectorKind,
  ConnectorOf,
  Log,
  ValueSchema,
} from '#libs/broker-ports';

/** A record on its way to a sink. The bridge owns the bytes and does not change them. */
export interface SinkRecord {
  /** Where it goes within the sink, for example a Kafka topic. */
  readonly target: string;
  /** Where it goes on from its target, for example by a routing key; undefined when the kind knows no such thing. */
  readonly route?: string | undefined;
  /** What must stay in order: records of one key take the same lane. */
  readonly key: Buffer;
  /** Decides the lane instead of the key, modulo the number of lanes. */
  readonly lane?: number | undefined;
  readonly value: Buffer;
  /** A list repeats the header. */
  readonly headers: Readonly<Record<string, string | Buffer | string[]>>;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** Why one record was refused. */
export interface SinkRefusal {
  readonly code: SinkError['code'];
  readonly message: string;
}

/**
 * Why the other side did not do what was asked.
 *
 * @remarks `UNAVAILABLE`: ask again, the outcome of this attempt is unknown. `UNKNOWN_TARGET`: the target or lane does not
 * exist (yet). `TOO_LARGE`: the records were refused for their size. `NOT_AUTHORIZED`: access to the target is denied.
 * `REJECTED`: something in the records is refused for good. `UNFIT`: values do not fit the schema of their target.
 */
export class SinkError extends Error {
  override readonly name = 'SinkError';
  readonly code:
    'UNAVAILABLE' | 'UNKNOWN_TARGET' | 'TOO_LARGE' | 'NOT_AUTHORIZED' | 'REJECTED' | 'UNFIT';
  /** The other side asked to be left alone for so long. */
  readonly retryAfterMs: number | undefined;
  /** The records that were refused for good, each with its reason, when all others of the batch are stored; undefined when that is not known. */
  readonly refused: ReadonlyMap<SinkRecord, SinkRefusal> | undefined;

  constructor(
    code: SinkError['code'],
    message: string,
    details: Partial<Pick<SinkError, 'retryAfterMs' | 'refused'>> = {},
  ) {
    super(message);
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.refused = details.refused;
  }
}

/**
 * What the bridge needs of a client that takes records, for one rule: the one door to it.
 *
 * @remarks Every rule has a sink of its own, so that a deleted target or a refused login hurts no other rule. Every
 * rejection is a SinkError. Nothing is retried behind the caller's back for longer than one request. The conformance suite
 * is `sinkContract` of libs/testkit.
 */
export interface Sink {
  /** Resolves when the other side answers. */
  ping(): Promise<void>;
  /** How many lanes a target has now, at least one: partitions, or how many requests it takes side by side. Never creates a target. */
  lanes(target: string): Promise<number>;
  /**
   * Sends records of one target over one of its lanes and waits until they are stored for good. Repeating the very same call
   * after UNAVAILABLE adds nothing twice where the other side can tell, as long as the lane is not renewed. At most one call
   * per lane at a time.
   *
   * @returns the lanes that the other side confirmed: the caller must look for its own.
   */
  send(target: string, lane: number, records: readonly SinkRecord[]): Promise<readonly number[]>;
  /**
   * Takes a new identity as the sender of a lane. Needed when its records are given up after UNAVAILABLE: the next ones would get the
   * sequence numbers of those, and a receiver that did store those would take the next for repeats and drop them. Requests of
   * other lanes go on.
   */
  renew(target: string, lane: number): void;
  /** Tests step by step whether it can work, up to the first fault; the target only when one is given. See `testInSteps`. */
  test(request: BridgeTest): AsyncIterable<BridgeTestStep>;
  /** Disconnects, bounded in time. Never rejects. */
  close(): Promise<void>;
}

/** What a sink must know of the rule it works for. */
export interface SinkRule {
  readonly id: string;
  /** Absent: values go as they are. */
  readonly schema?: ValueSchema;
  /** Where dead letters go: as they are, for some are there because they do not fit the schema. */
  readonly deadLetterTopic?: string | undefined;
}

/** Makes the sinks of one kind of bridge. It is given connectors of its kind only. */
export interface SinkFactory<Kind extends ConnectorKind = ConnectorKind> {
  readonly kind: Kind;
  /** Why no target can have this name; undefined when one can. */
  targetFault(target: string): string | undefined;
  /** Makes the sink of a rule. Connects when it is first used. */
  open(connector: ConnectorOf<Kind>, rule: SinkRule, log: Log): Sink;
}

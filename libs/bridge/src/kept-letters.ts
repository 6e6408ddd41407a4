import {
  StoreUnavailableError,
  type BridgeTest,
  type BridgeTestStep,
  type DeadLetter,
  type DeadLetterHeader,
  type DeadLetterStore,
  type Meter,
} from '#libs/broker-ports';
import { OWN_HEADER } from './dead-letter.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';

/** The target of letters that Skein keeps itself. No template gives it: U+0000 is in no topic and no name. */
export const KEPT_TARGET = '\0kept';

/** A larger letter is cut: stores and answers of nodes have to take it. */
const LETTER_BYTES_MAX = 512 * 1024;

/** Where dead letters are kept by Skein itself. */
export interface LetterKeeper {
  readonly store: Pick<DeadLetterStore, 'append'>;
  readonly meter: Pick<Meter, 'bridgeDeadLettersDropped'>;
}

/** A sink with one target more: what goes there is kept by Skein, in one lane, as durably as its stores are. */
export class KeptLetters implements Sink {
  readonly #sink: Sink;
  readonly #bridge: string;
  readonly #keeper: LetterKeeper;

  constructor(sink: Sink, bridge: string, keeper: LetterKeeper) {
    this.#sink = sink;
    this.#bridge = bridge;
    this.#keeper = keeper;
  }

  ping(): Promise<void> {
    return this.#sink.ping();
  }

  async lanes(target: string): Promise<number> {
    return target === KEPT_TARGET ? 1 : this.#sink.lanes(target);
  }

  async send(
    target: string,
    lane: number,
    records: readonly SinkRecord[],
  ): Promise<readonly number[]> {
    if (target !== KEPT_TARGET) return this.#sink.send(target, lane, records);
    const letters = records.map((record) => keptOf(this.#bridge, record));
    if (records.some(({ value, key }) => value.length + key.length > LETTER_BYTES_MAX)) {
      throw new SinkError('TOO_LARGE', 'the dead letter is larger than Skein keeps');
    }
    const { store, meter } = this.#keeper;
    try {
      const dropped = await store.append(letters);
      if (dropped > 0) meter.bridgeDeadLettersDropped(dropped);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      throw new SinkError('UNAVAILABLE', `dead letters cannot be kept: ${error.message}`);
    }
    return [lane];
  }

  renew(target: string, lane: number): void {
    if (target !== KEPT_TARGET) this.#sink.renew(target, lane);
  }

  test(request: BridgeTest): AsyncIterable<BridgeTestStep> {
    return this.#sink.test(request);
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}

function keptOf(bridge: string, { key, value, headers, timestampMs }: SinkRecord): DeadLetter {
  const said = (name: string): string | undefined => {
    const header = headers[OWN_HEADER + name];
    return header === undefined ? undefined : String(header);
  };
  const target = said('target');
  const valueBytes = said('value-bytes');
  return {
    bridge,
    rule: said('rule') ?? '',
    stage: said('error-stage') ?? 'produce',
    reason: said('error-reason') ?? 'other',
    error: said('error') ?? '',
    ...(target !== undefined && { target }),
    ...(valueBytes !== undefined && { valueBytes: Number(valueBytes) }),
    key: key.toString('base64'),
    value: value.toString('base64'),
    headers: Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => !name.startsWith(OWN_HEADER))
        .map(([name, header]) => [name, headerOf(header)]),
    ),
    recordAtMs: timestampMs,
  };
}

function headerOf(header: SinkRecord['headers'][string]): DeadLetterHeader {
  return Buffer.isBuffer(header) ? { base64: header.toString('base64') } : header;
}

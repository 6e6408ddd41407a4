import { jest } from '@jest/globals';
import { RuleBridge, SinkError, type Sink, type SinkRecord, type SpoolLimits } from '#libs/bridge';
import type {
  BridgeRecordCount,
  BridgeRule,
  Connector,
  Message,
  Meter,
  MqttToKafkaRule,
  Spool,
} from '#libs/broker-ports';
import { RecordingLog } from './logs.ts';
import { MemorySpoolStore, openMemorySpool } from './memory-spool-store.ts';
import { messageOf } from './messages.ts';
import { outboundRule } from './sample-rules.ts';

const CONNECTOR: Connector = {
  id: 'main',
  kind: 'kafka',
  brokers: ['127.0.0.1:1'],
  clientId: 'skein',
  compression: 'none',
};

/** Most bytes that it holds in memory. */
export const BUFFER_BYTES_MAX = 2_000_000;

/** How many lanes each target of a LaneSink has. */
export const LANES = 3;

/** A sink in memory that can be away, as a whole or by lanes, and refuse records. */
export class LaneSink implements Sink {
  readonly stored: SinkRecord[] = [];
  away = false;
  /** Whether it does not even tell its lanes. */
  isUnknown = false;
  readonly stuck = new Set<number>();
  /** Why it is away. */
  fault: SinkError['code'] = 'UNAVAILABLE';

  /** The values of what is stored, without the dots behind them. */
  get values(): string[] {
    return this.stored.map(({ value }) => String(value).replace(/\.+$/, ''));
  }

  async ping(): Promise<void> {
    if (this.away) throw new SinkError(this.fault, 'away');
  }

  async lanes(): Promise<number> {
    if (this.isUnknown) throw new SinkError('UNAVAILABLE', 'away');
    return LANES;
  }

  async send(_target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    await this.ping();
    if (this.stuck.has(lane)) throw new SinkError('UNAVAILABLE', 'stuck');
    this.stored.push(...records);
    return [lane];
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {
    // It knows no producers.
  }

  async close(): Promise<void> {
    // It holds nothing.
  }
}

/** Numbers as texts, from one to another. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}

/** A rule to Kafka that acknowledges from the spool. */
export function spoolingRule(changes: Partial<MqttToKafkaRule> = {}): MqttToKafkaRule {
  return outboundRule({ ack: 'spool', ...changes });
}

/** A bridge over a spool and a sink in memory, in a time that a test lets pass: Jest's timers must be fake. `jest.setSystemTime` sets its wall clock only. */
export class SpoolingBridge<Other extends Sink = LaneSink> {
  readonly sink: Other;
  readonly store: MemorySpoolStore;
  readonly log = new RecordingLog();
  /** `text:ok` or `text:CODE` of each message, in the order of the answers. */
  readonly answers: string[] = [];
  /** Records by `outcome/reason`, `letters`, and errors by `stage NAME`. */
  readonly counts: Record<string, number> = {};
  /** What is in memory. */
  buffered = 0;
  /** Records in the spool, as the bridge at hand has told its meter. */
  spooled = 0;
  /** Records of rules that are not known. */
  unclaimed = 0;
  #spool: Spool;
  #bridge: RuleBridge;

  private constructor(sink: Other, spool: Spool, store: MemorySpoolStore) {
    this.sink = sink;
    this.store = store;
    this.#spool = spool;
    this.#bridge = this.#opened({});
  }

  /** Opens one without rules over an empty spool. */
  static async open<Sort extends Sink>(sink: Sort): Promise<SpoolingBridge<Sort>> {
    const store = new MemorySpoolStore();
    return new SpoolingBridge(sink, await openMemorySpool(Infinity, store), store);
  }

  get bridge(): RuleBridge {
    return this.#bridge;
  }

  get spool(): Spool {
    return this.#spool;
  }

  /** What is in the log. */
  get events(): string[] {
    return this.log.lines.map(({ event }) => event);
  }

  /** Replaces the set of rules. */
  apply(...rules: readonly BridgeRule[]): void {
    this.#bridge.apply(rules);
  }

  /** Offers a message of QoS 1 on `a/b` with a text as payload. */
  offer(text: string, changes: Partial<Message> = {}): void {
    const payload = Buffer.from(text);
    const message = messageOf({ topic: 'a/b', receivedAtMs: Date.now(), payload, ...changes });
    this.#bridge.offer(message, (error) => this.answers.push(`${text}:${error?.code ?? 'ok'}`));
  }

  /** Offers numbers, each with so many dots behind it. */
  offerMany(from: number, to: number, dots = 0): void {
    for (let index = from; index <= to; index += 1) {
      this.offer(`${String(index)}${'.'.repeat(dots)}`);
    }
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return jest.advanceTimersByTimeAsync(ms);
  }

  /** Ends the bridge as a stop does. */
  async close(): Promise<void> {
    const ended = this.#bridge.close();
    await this.pass(10_000);
    await ended;
  }

  /** Ends the bridge, and starts it again over what is on the disk. */
  async restart(limits: Partial<SpoolLimits> = {}, bytesMax = Infinity): Promise<void> {
    await this.close();
    await this.#spool.close();
    this.#spool = await openMemorySpool(bytesMax, this.store);
    this.#bridge = this.#opened(limits);
  }

  #opened(limits: Partial<SpoolLimits>): RuleBridge {
    this.spooled = 0;
    return new RuleBridge({
      connectors: [CONNECTOR],
      sinks: [
        {
          kind: 'kafka',
          targetFault: (name) => (name.includes('/') ? 'no slash' : undefined),
          open: () => this.sink,
        },
      ],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 100, batchBytesMax: 100_000 },
        bufferBytesMax: BUFFER_BYTES_MAX,
      },
      spool: {
        spool: this.#spool,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0, ...limits },
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
      log: this.log,
      meter: this.#meter(),
    });
  }

  #meter(): Meter {
    const count = (name: string, more = 1): void => {
      this.counts[name] = (this.counts[name] ?? 0) + more;
    };
    const told: Readonly<Record<string | symbol, unknown>> = {
      bridgeRecords: (record: BridgeRecordCount) =>
        count(`${record.outcome}/${record.reason}`, record.count),
      bridgeDeadLetters: (_bridge: string, records: number) => count('letters', records),
      bridgeRuleError: (_rule: string, stage: string) => count(`stage ${stage}`),
      bridgeSpoolUnclaimed: (records: number) => (this.unclaimed = records),
      bridgeSpool: (_bridge: string, records: number) => (this.spooled = records),
      bridgeBuffer: (_bridge: string, _records: number, bytes: number) => (this.buffered = bytes),
    };
    return new Proxy({}, { get: (_, name) => told[name] ?? (() => undefined) }) as Meter;
  }
}

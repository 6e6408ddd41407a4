import { AddressRange } from '#libs/access';
import type { CommandOf, NodeAnswers, WireTrace } from '#libs/api-contracts';
import type { TraceRecord, Tracing } from '#libs/broker-core';
import { Ring } from './ring.ts';
import { traceLineOf } from './trace-line.ts';

const LINES_PER_ANSWER = 100;
const WAIT_MS_MAX = 5_000;
/** What a line takes besides its characters. */
const LINE_BYTES = 64;
/** A trace that is missing among those that there are was not made yet when they were listed, or is deleted: by then, deleted. */
const SETTLED_MS = 10_000;
/** How many this node keeps, whoever asks for more: the oldest go. */
const TRACES_MAX = 200;

interface Recording {
  readonly trace: WireTrace;
  readonly ring: Ring<string>;
  readonly begunAtMs: number;
  end: (() => void) | undefined;
  second: number;
  taken: number;
  /** What came too fast, since a line has said so, and at all. */
  cut: number;
  capped: number;
}

/** What a node's traces are made with. */
export interface NodeTracesOptions {
  readonly tracing: Pick<Tracing, 'start'>;
  readonly nodeId: string;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Another one for each life of the process. */
  readonly life: number;
}

/** What the traces of this node have recorded: lines in a ring for each, at most so many bytes and so many a second. */
export class NodeTraces {
  readonly #options: NodeTracesOptions;
  readonly #recordings = new Map<string, Recording>();

  constructor(options: NodeTracesOptions) {
    this.#options = options;
  }

  /** Hears which traces there are. */
  sync(traces: readonly WireTrace[]): void {
    const nowMs = this.#options.nowMs();
    for (const trace of traces) {
      const known = this.#recordings.get(trace.id);
      const isOver = trace.isStopped || trace.untilMs <= nowMs;
      if (known === undefined && !isOver) this.#begin(trace);
      else if (known !== undefined && isOver) this.#end(known);
    }
    const listed = new Set(traces.map(({ id }) => id));
    for (const [id, recording] of this.#recordings) {
      if (!listed.has(id) && nowMs - recording.begunAtMs > SETTLED_MS) this.#drop(id);
    }
  }

  /** What came after a position; waits for it if there is nothing yet and the trace runs. */
  async read(command: CommandOf<'trace-content'>): Promise<NodeAnswers['trace-content']> {
    const { id, after, waitMs } = command;
    const found = this.#recordings.get(id);
    if (found === undefined) return { kind: 'unknown' };
    const { life } = this.#options;
    const { ring } = found;
    // Of another life of this node: all of this one is new.
    const from = after?.life === life ? after.number : 0;
    if (found.end !== undefined) await ring.after(from, Math.min(waitMs, WAIT_MS_MAX));
    const part = ring.read(from, LINES_PER_ANSWER, () => true);
    return {
      ...{ kind: 'content', lines: part.entries, position: { life, number: part.last } },
      ...{ lost: part.lost, recorded: ring.last, capped: found.capped },
      ...{ isOver: found.end === undefined, hasMore: part.last < ring.last },
    };
  }

  /** Ends those whose time is over. Called about once a second. */
  sweep(): void {
    const nowMs = this.#options.nowMs();
    for (const recording of this.#recordings.values()) {
      if (recording.trace.untilMs <= nowMs) this.#end(recording);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const recording of this.#recordings.values()) this.#end(recording);
  }

  #begin(trace: WireTrace): void {
    const [oldest] = this.#recordings.keys();
    if (oldest !== undefined && this.#recordings.size >= TRACES_MAX) this.#drop(oldest);
    const ring = new Ring<string>(
      { entriesMax: Infinity, bytesMax: trace.bytesMax },
      (line) => line.length + LINE_BYTES,
    );
    const recording: Recording = {
      ...{ trace, ring, begunAtMs: this.#options.nowMs() },
      ...{ end: undefined, second: 0, taken: 0, cut: 0, capped: 0 },
    };
    const { clientId, topic, ip } = trace;
    const range = ip === undefined ? undefined : AddressRange.parse(ip);
    recording.end = this.#options.tracing.start(
      {
        clientId,
        topic,
        isAddress: ip === undefined ? undefined : (address) => range?.has(address) === true,
      },
      (record) => this.#take(recording, record),
    );
    this.#recordings.set(trace.id, recording);
  }

  #take(recording: Recording, record: TraceRecord): void {
    const { trace, ring } = recording;
    const { nodeId, nowMs } = this.#options;
    const atMs = nowMs();
    if (atMs >= trace.untilMs) return;
    const second = Math.floor(atMs / 1000);
    if (second !== recording.second) {
      this.#tellCut(recording, atMs);
      recording.second = second;
      recording.taken = 0;
    }
    recording.taken += 1;
    if (recording.taken > trace.perSecond) {
      recording.cut += 1;
      recording.capped += 1;
      return;
    }
    ring.append(traceLineOf(record, { nodeId, atMs, payload: trace.payload }));
  }

  #tellCut(recording: Recording, atMs: number): void {
    const { cut: records } = recording;
    if (records === 0) return;
    recording.cut = 0;
    const time = new Date(atMs).toISOString();
    const { nodeId: node } = this.#options;
    recording.ring.append(JSON.stringify({ kind: 'cut', time, node, reason: 'rate', records }));
  }

  #end(recording: Recording): void {
    if (recording.end === undefined) return;
    recording.end();
    recording.end = undefined;
    this.#tellCut(recording, this.#options.nowMs());
    recording.ring.close();
  }

  #drop(id: string): void {
    const recording = this.#recordings.get(id);
    if (recording === undefined) return;
    this.#end(recording);
    this.#recordings.delete(id);
  }
}

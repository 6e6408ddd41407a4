import { Readable } from 'node:stream';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  EVENT_STREAM_TYPE,
  NDJSON_TYPE,
  type Input,
  type NodeAnswers,
  type WireNode,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { knownCaller } from './guard/caller.ts';
import { Checked, Route } from './http/route.ts';
import { positionsOf, textOfPositions } from './streams/event-id.ts';
import { NodeFeed } from './streams/node-feed.ts';
import type { SseEvent } from './streams/sse-writer.ts';
import type { Streams } from './streams/streams.ts';
import { CLUSTER, STREAMS, TRACES } from './tokens.ts';
import { contentOf, goneOf, recordOf, type ShownRecord } from './traces/trace-content.ts';
import { presentTrace } from './traces/trace-presenter.ts';
import { isRunning, type StoredTrace, type Traces } from './traces/traces.ts';

/** What traces have recorded. */
@Controller()
export class TraceContentController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(STREAMS) private readonly streams: Streams,
    @Inject(TRACES) private readonly traces: Traces,
  ) {}

  @Route('readTraceContent')
  async content(
    @Checked() { path }: Input<'readTraceContent'>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const trace = await this.traces.get(path.trace_id);
    const showsPayload = knownCaller(request).scopes.has('payloads:read');
    const nodes = await this.cluster.inquire().nodes();
    const { accept = '', 'last-event-id': lastEventId } = request.headers;
    if (accept.toLowerCase().includes(EVENT_STREAM_TYPE)) {
      this.follow(reply, trace, { nodes, showsPayload, lastEventId: lastEventId?.toString() });
      return;
    }
    const records = contentOf(this.cluster, nodes, { id: trace.id, showsPayload });
    await reply.type(NDJSON_TYPE).send(Readable.from(linesOf(trace, records)));
  }

  /** What there is and what comes, until the trace is over and all is sent. */
  private follow(
    reply: FastifyReply,
    trace: StoredTrace,
    from: {
      readonly nodes: readonly WireNode[];
      readonly showsPayload: boolean;
      readonly lastEventId: string | undefined;
    },
  ): void {
    this.streams.admit();
    const positions = positionsOf(from.lastEventId);
    const { id } = trace;
    const ends = new Ends(from.nodes.map(({ nodeId }) => nodeId));
    const eventsOf = (
      nodeId: string,
      answer: NodeAnswers['trace-content'],
    ): readonly SseEvent[] => {
      if (answer.kind === 'content') {
        const { life, number } = answer.position;
        const begin = number - answer.lines.length;
        const lost = goneOf(nodeId, answer.lost).map((each) => eventOf(each));
        if (answer.lost > 0) this.streams.dropped('traces', answer.lost);
        const sent = answer.lines.map((line, index) => {
          positions.set(nodeId, { life, number: begin + index + 1 });
          return eventOf(recordOf(line, from.showsPayload), textOfPositions(positions));
        });
        positions.set(nodeId, answer.position);
        if (answer.isOver && !answer.hasMore) ends.over(nodeId);
        return [...lost, ...sent];
      }
      // Whether it has not heard of it yet, or has forgotten it: there is nothing of it here.
      if (!isRunning(trace, Date.now())) ends.over(nodeId);
      return [];
    };
    this.streams.serve(reply, 'traces', async (writer) => {
      await writer.send([eventOf({ kind: 'trace', ...presentTrace(trace) })]);
      const ending = (events: readonly SseEvent[]): readonly SseEvent[] => {
        if (!ends.completes()) return events;
        // Behind what is about to be written.
        setImmediate(() => writer.end());
        return [...events, { event: 'end', data: ends.record }];
      };
      const feed = new NodeFeed<NodeAnswers['trace-content'], SseEvent>(
        this.cluster,
        {
          question: (nodeId, waitMs) => ({
            ...({ kind: 'trace-content', id, waitMs } as const),
            after: positions.get(nodeId),
          }),
          events: (nodeId, answer) => ending(eventsOf(nodeId, answer)),
          silent: (unavailable) => ending(ends.silent(unavailable)),
        },
        writer,
      );
      await feed.run();
    });
  }
}

/** Which nodes have nothing more to tell; a node that has died keeps no reader waiting when the others are done. */
class Ends {
  readonly #waiting: Set<string>;
  #silent: readonly string[] = [];
  #isBegun = false;
  #isTold = false;

  constructor(nodes: readonly string[]) {
    this.#waiting = new Set(nodes);
  }

  /** A node has told all. */
  over(nodeId: string): void {
    this.#isBegun = true;
    this.#waiting.delete(nodeId);
  }

  /** These nodes do not answer; gives what the reader hears of it. */
  silent(unavailable: readonly string[]): readonly SseEvent[] {
    this.#silent = unavailable;
    const data = { partial: unavailable.length > 0, unavailable_nodes: unavailable };
    return [{ event: 'partial', data }];
  }

  /** Whether nothing more comes; true once. */
  completes(): boolean {
    if (this.#isTold || !this.#isBegun) return false;
    this.#isTold = [...this.#waiting].every((nodeId) => this.#silent.includes(nodeId));
    return this.#isTold;
  }

  /** The last record of the content. */
  get record(): ShownRecord {
    return { kind: 'end', unavailable_nodes: [...this.#waiting] };
  }
}

async function* linesOf(
  trace: StoredTrace,
  records: AsyncIterable<ShownRecord>,
): AsyncGenerator<string, void, undefined> {
  yield `${JSON.stringify({ kind: 'trace', ...presentTrace(trace) })}\n`;
  for await (const record of records) yield `${JSON.stringify(record)}\n`;
}

function eventOf(record: ShownRecord, id?: string): SseEvent {
  return { event: record.kind, data: record, ...(id !== undefined && { id }) };
}

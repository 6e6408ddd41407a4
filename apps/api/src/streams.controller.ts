import { randomUUID } from 'node:crypto';
import { Controller, Headers, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Input, NodeAnswers, WireNodeEvent, WireWatchedMessage } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentRetained } from './presenters.ts';
import { presentEvent } from './streams/event-presenter.ts';
import { positionsOf, textOfPositions } from './streams/event-id.ts';
import { NodeFeed } from './streams/node-feed.ts';
import type { SseEvent } from './streams/sse-writer.ts';
import type { Streams } from './streams/streams.ts';
import { CLUSTER, STREAMS } from './tokens.ts';

type PayloadForm = Parameters<typeof presentRetained>[1];

/** What happens, as it happens. */
@Controller()
export class StreamsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(STREAMS) private readonly streams: Streams,
  ) {}

  @Route('streamEvents')
  async events(
    @Checked() { query }: Input<'streamEvents'>,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.streams.admit();
    const { types, client_id: clientId } = query;
    const positions = positionsOf(lastEventId);
    const inquiry = this.cluster.inquire();
    const first = { kind: 'events', types, clientId, waitMs: 0 } as const;
    const nodes = await inquiry.nodes();
    const { answered } = await inquiry.askSome<'events'>(nodes, first);
    const isContinued = positions.size > 0;
    if (!isContinued) {
      for (const { node, answer } of answered) positions.set(node.nodeId, answer.position);
    }
    // All that happens at nodes that come later is new to the reader.
    const silent = new Set(isContinued ? [] : nodes.map(({ nodeId }) => nodeId));
    const question = (nodeId: string, waitMs: number) => {
      const beginning = silent.has(nodeId) ? undefined : { life: 0, number: 0 };
      return { ...first, after: positions.get(nodeId) ?? beginning, waitMs };
    };
    const events = (nodeId: string, answer: NodeAnswers['events']): readonly SseEvent[] => {
      const { position, lost } = answer;
      if (lost > 0) this.streams.dropped('events', lost);
      const sent = answer.events.map((event) => {
        positions.set(nodeId, { life: position.life, number: event.number });
        return eventOf(nodeId, event, textOfPositions(positions));
      });
      positions.set(nodeId, position);
      return [...overflow(nodeId, lost), ...sent];
    };
    this.streams.serve(reply, 'events', (writer) =>
      new NodeFeed(this.cluster, { question, events, silent: partial }, writer).run(),
    );
  }

  @Route('streamMessages')
  async messages(
    @Checked() { query }: Input<'streamMessages'>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.streams.admit();
    const { filter, payload, messages_per_second: perSecond } = query;
    const watch = randomUUID();
    const last = new Map<string, number>();
    const first = {
      ...({ kind: 'watch-messages', watch, filter, perSecond, waitMs: 0 } as const),
      payload: payload !== 'none',
    };
    // The nodes look before the reader hears that the stream has begun.
    const inquiry = this.cluster.inquire();
    const { answered } = await inquiry.askSome<'watch-messages'>(await inquiry.nodes(), first);
    if (answered.every(({ answer }) => answer.kind === 'full')) {
      throw new ProblemError('overloaded', 'Every node has as many watches as it takes');
    }
    const question = (nodeId: string, waitMs: number) => ({
      ...first,
      ...{ waitMs, after: last.get(nodeId) },
    });
    this.streams.serve(reply, 'messages', async (writer) => {
      const feed = new NodeFeed<NodeAnswers['watch-messages'], SseEvent>(
        this.cluster,
        {
          question,
          silent: partial,
          events: (nodeId, answer) => {
            if (answer.kind === 'full') return overflow(nodeId, 0, 'the node has too many watches');
            if (answer.lost > 0) this.streams.dropped('messages', answer.lost);
            last.set(nodeId, answer.last);
            return [
              ...overflow(nodeId, answer.lost),
              ...answer.messages.map((each) => messageOf(nodeId, each, payload)),
            ];
          },
        },
        writer,
      );
      try {
        await feed.run();
      } finally {
        // Those that do not hear it end the watch when nobody reads it any more.
        const ending = this.cluster.inquire();
        await ending.askAll(await ending.nodes(), { kind: 'end-watch', watch });
      }
    });
  }
}

function overflow(node: string, lost: number, detail?: string): readonly SseEvent[] {
  if (lost === 0 && detail === undefined) return [];
  return [{ event: 'overflow', data: { node, lost, ...(detail === undefined ? {} : { detail }) } }];
}

function partial(unavailable_nodes: readonly string[]): readonly SseEvent[] {
  const data = { partial: unavailable_nodes.length > 0, unavailable_nodes };
  return [{ event: 'partial', data }];
}

function eventOf(node: string, event: WireNodeEvent, id: string): SseEvent {
  return { event: event.type, id, data: presentEvent(node, event) };
}

function messageOf(node: string, message: WireWatchedMessage, form: PayloadForm): SseEvent {
  const { retain } = message;
  return { event: 'message', data: { node, retain, ...presentRetained(message, form) } };
}

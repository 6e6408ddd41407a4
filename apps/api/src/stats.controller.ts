import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Input, StatsHistoryView, StatsView } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { metaOf } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { presentHistory, presentStats } from './stats-presenter.ts';
import type { SseEvent } from './streams/sse-writer.ts';
import type { Streams } from './streams/streams.ts';
import { CLUSTER, STREAMS } from './tokens.ts';

/** The cluster in figures. */
@Controller()
export class StatsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(STREAMS) private readonly streams: Streams,
  ) {}

  @Route('getStats')
  async show(): Promise<StatsView> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome<'stats'>(nodes, { kind: 'stats' });
    const time = new Date().toISOString();
    return { time, ...presentStats(answered), meta: metaOf(unavailable) };
  }

  @Route('getStatsHistory')
  async history(@Checked() { query }: Input<'getStatsHistory'>): Promise<StatsHistoryView> {
    const inquiry = this.cluster.inquire();
    const nodes =
      query.node === undefined ? await inquiry.nodes() : [await inquiry.requireNode(query.node)];
    const { answered, unavailable } = await inquiry.askSome<'stats-history'>(nodes, {
      ...{ kind: 'stats-history', windowMs: query.window * 1_000 },
    });
    const [first] = answered;
    return {
      window_seconds: query.window,
      resolution_seconds: (first?.answer.resolutionMs ?? 0) / 1_000,
      ...presentHistory(answered),
      meta: metaOf(unavailable),
    };
  }

  @Route('streamStats')
  async stream(
    @Checked() { query }: Input<'streamStats'>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.streams.admit();
    const first = await this.show();
    const intervalMs = query.interval_seconds * 1_000;
    this.streams.serve(reply, 'stats', async (writer) => {
      await writer.send([eventOf(first)]);
      while (writer.isOpen) {
        await Promise.race([delay(intervalMs, undefined, { ref: false }), writer.ended]);
        if (writer.isOpen) await writer.send([await this.next()]);
      }
    });
  }

  /** A cluster that nobody can see for a moment ends no stream. */
  private async next(): Promise<SseEvent> {
    try {
      return eventOf(await this.show());
    } catch {
      return { event: 'partial', data: { partial: true, detail: 'no node answers' } };
    }
  }
}

function eventOf(stats: StatsView): SseEvent {
  return { event: 'stats', data: stats };
}

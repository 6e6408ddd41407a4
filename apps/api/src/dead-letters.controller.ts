import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  DeadLetterRemoval,
  DeadLetterReplay,
  DeadLetterView,
  Input,
  List,
  WireDeadLetterQuery,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { presentDeadLetter } from './dead-letter-presenter.ts';
import type { Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** The part of its time that an operation leaves to rules: the rest is for the way there and back. */
const REPLAY_SHARE = 0.75;

/** Records that rules could not carry, and that Skein keeps. */
@Controller()
export class DeadLettersController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listDeadLetters')
  async list(
    @Checked() { query }: Input<'listDeadLetters'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<DeadLetterView>> {
    const exchange = { request, reply };
    const { items, next } = await this.cluster.inquire().read({
      kind: 'dead-letters',
      query: queryOf(query),
      after: this.pages.position<string>(exchange),
      limit: query.limit,
      content: query.payload !== 'none',
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map((letter) => presentDeadLetter(letter, query.payload)),
      after: next,
      unavailable: [],
    });
  }

  @Route('deleteDeadLetters')
  async delete(@Checked() { query }: Input<'deleteDeadLetters'>): Promise<DeadLetterRemoval> {
    const dryRun = query.dry_run === true;
    const inquiry = this.cluster.inquire();
    const command = { kind: 'remove-dead-letters', query: queryOf(query), dryRun } as const;
    const { removed, hasMore } = await (dryRun ? inquiry.read(command) : inquiry.change(command));
    return { removed, has_more: hasMore, dry_run: dryRun };
  }

  @Route('replayDeadLetters')
  async replay(@Checked() { body }: Input<'replayDeadLetters'>): Promise<DeadLetterReplay> {
    const inquiry = this.cluster.inquire();
    const { results } = await inquiry.change({
      kind: 'replay-dead-letters',
      ids: body.ids,
      withinMs: inquiry.leftMs * REPLAY_SHARE,
    });
    return {
      results: results.map(({ id, outcome, detail }) => ({ id, outcome, detail: detail ?? null })),
    };
  }
}

function queryOf(query: Readonly<Record<string, unknown>>): WireDeadLetterQuery {
  const text = (name: string) => query[name] as string | undefined;
  const time = (name: string) => query[name] as number | undefined;
  return {
    bridge: text('bridge'),
    rule: text('rule'),
    fromMs: time('at[gte]'),
    toMs: time('at[lte]'),
  };
}

import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  DEAD_LETTER_FILTERS,
  bodyConditionsOf,
  type Condition,
  type DeadLetterRemoval,
  type DeadLetterReplay,
  type DeadLetterView,
  type Input,
  type List,
  type LongOperation,
  type WireDeadLetterQuery,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { presentDeadLetter } from './dead-letter-presenter.ts';
import {
  DEAD_LETTER_REPLAYS,
  replayLetters,
  type DeadLetterReplayInput,
} from './dead-letter-replays.ts';
import type { Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import type { Operations } from './operations/operations.ts';
import { CLUSTER, OPERATIONS_OF_API, PAGES } from './tokens.ts';

const PER_SECOND = 100;

/** Records that rules could not carry, and that Skein keeps. */
@Controller()
export class DeadLettersController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(OPERATIONS_OF_API) private readonly operations: Operations,
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
  async replay(
    @Checked() { body }: Input<'replayDeadLetters'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DeadLetterReplay | LongOperation> {
    const { ids, filter, per_second: perSecond = PER_SECOND, dry_run: dryRun } = body;
    if (filter !== undefined) {
      const query = replayQuery(bodyConditionsOf(DEAD_LETTER_FILTERS, filter));
      return this.operations.start(
        DEAD_LETTER_REPLAYS,
        { query, perSecond, dryRun },
        { request, reply },
      );
    }
    const results = await replayLetters(this.cluster, ids ?? []);
    return {
      results: results.map(({ id, outcome, detail }) => ({ id, outcome, detail: detail ?? null })),
    };
  }
}

/** Letters that come later than now may be those that the replays make. */
function replayQuery(conditions: readonly Condition[]): DeadLetterReplayInput['query'] {
  const fields = conditions.map(({ field, operator, value }) => [
    operator === 'eq' ? field : `${field}[${operator}]`,
    value,
  ]);
  const query = queryOf(Object.fromEntries(fields));
  return { ...query, toMs: Math.min(query.toMs ?? Infinity, Date.now()) };
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

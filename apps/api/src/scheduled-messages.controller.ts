import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Input,
  List,
  ScheduledMessageView,
  WireDelayedQuery,
  WireSchedule,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { checkedWireMessage } from './message-problem.ts';
import { presentRetained } from './presenters.ts';
import { CLUSTER, CONFIG, PAGES } from './tokens.ts';

type PayloadForm = Parameters<typeof presentRetained>[1];

/** Messages that are published at their times. */
@Controller()
export class ScheduledMessagesController {
  readonly #bytesMax: number;

  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(CONFIG) config: Config,
  ) {
    this.#bytesMax = config.limits.packetBytesMax;
  }

  @Route('listScheduledMessages')
  async list(
    @Checked() { query }: Input<'listScheduledMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<ScheduledMessageView>> {
    const exchange = { request, reply };
    const { limit, filter, 'due_at[lte]': dueBefore, payload } = query;
    const after = this.pages.position<NonNullable<WireDelayedQuery['after']>>(exchange);
    const wanted: WireDelayedQuery = {
      limit,
      payload: payload !== 'none',
      ...(after === undefined ? {} : { after }),
      ...(filter === undefined ? {} : { filter }),
      ...(dueBefore === undefined ? {} : { dueBeforeMs: Date.parse(dueBefore) }),
    };
    const { items, next } = await this.cluster.inquire().read({ kind: 'schedules', query: wanted });
    return this.pages.list(exchange, limit, {
      items: items.map((message) => presentScheduled(message, payload)),
      after: next,
      unavailable: [],
    });
  }

  @Route('createScheduledMessage')
  async create(
    @Checked() { body }: Input<'createScheduledMessage'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduledMessageView> {
    const { due_at: dueAt, cron, ...content } = body;
    const message = checkedWireMessage(content, this.#bytesMax);
    const times = cron === undefined ? { atMs: Date.parse(dueAt ?? '') } : { cron };
    const outcome = await this.cluster.inquire().change({ kind: 'schedule', message, times });
    switch (outcome.kind) {
      case 'stored': {
        const { id } = outcome.message;
        void reply.header('location', `/api/v1/scheduled-messages/${id}`);
        return presentScheduled(outcome.message, 'none');
      }
      case 'full':
        throw new ProblemError('limit-reached', 'There are as many scheduled messages as may be');
      case 'disabled':
        throw new ProblemError('unprocessable', 'Delayed publish is switched off: delayed.enabled');
      case 'invalid':
        throw new ProblemError('unprocessable', outcome.detail);
    }
  }

  @Route('getScheduledMessage')
  async get(
    @Checked() { path, query }: Input<'getScheduledMessage'>,
  ): Promise<ScheduledMessageView> {
    const { message } = await this.cluster.inquire().read({
      kind: 'scheduled-message',
      id: path.scheduled_message_id,
      payload: query.payload !== 'none',
    });
    if (message === undefined) throw absent();
    return presentScheduled(message, query.payload);
  }

  @Route('deleteScheduledMessage')
  async delete(@Checked() { path }: Input<'deleteScheduledMessage'>): Promise<void> {
    const command = { kind: 'cancel-schedule', id: path.scheduled_message_id } as const;
    const { found } = await this.cluster.inquire().change(command);
    if (!found) throw absent();
  }
}

function absent(): ProblemError {
  return new ProblemError('not-found', 'No scheduled message has this id');
}

function presentScheduled(message: WireSchedule, form: PayloadForm): ScheduledMessageView {
  const {
    expires_at: _,
    publisher: __,
    received_at: createdAt,
    ...shown
  } = presentRetained(message, form);
  const { id, retain, cron, isDone, dueAtMs, lastDueAtMs, count } = message;
  return {
    ...{ ...shown, id, retain, count, created_at: createdAt },
    cron: cron ?? null,
    state: isDone ? 'done' : 'waiting',
    due_at: new Date(dueAtMs).toISOString(),
    last_due_at: lastDueAtMs === undefined ? null : new Date(lastDueAtMs).toISOString(),
  };
}

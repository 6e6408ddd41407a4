import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  DelayedMessageView,
  Input,
  List,
  WireDelayed,
  WireDelayedQuery,
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

/** Messages that wait for their time. */
@Controller()
export class DelayedMessagesController {
  readonly #bytesMax: number;

  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(CONFIG) config: Config,
  ) {
    this.#bytesMax = config.limits.packetBytesMax;
  }

  @Route('listDelayedMessages')
  async list(
    @Checked() { query }: Input<'listDelayedMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<DelayedMessageView>> {
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
    const { items, next } = await this.cluster.inquire().read({ kind: 'delayed', query: wanted });
    return this.pages.list(exchange, limit, {
      items: items.map((message) => presentDelayed(message, payload)),
      after: next,
      unavailable: [],
    });
  }

  @Route('createDelayedMessage')
  async create(
    @Checked() { body }: Input<'createDelayedMessage'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DelayedMessageView> {
    const { delay_seconds: seconds, due_at: dueAt, ...content } = body;
    const message = checkedWireMessage(content, this.#bytesMax);
    const delayMs =
      dueAt === undefined ? (seconds ?? 0) * 1000 : Math.max(0, Date.parse(dueAt) - Date.now());
    const outcome = await this.cluster.inquire().change({ kind: 'delay', message, delayMs });
    switch (outcome.kind) {
      case 'stored': {
        const { id } = outcome.message;
        void reply.header('location', `/api/v1/delayed-messages/${id}`);
        return presentDelayed(outcome.message, 'none');
      }
      case 'full':
        throw new ProblemError('limit-reached', 'As many messages wait as delayed.* permits');
      case 'disabled':
        throw new ProblemError('unprocessable', 'Delayed publish is switched off: delayed.enabled');
      case 'invalid':
        throw new ProblemError('unprocessable', outcome.detail);
    }
  }

  @Route('getDelayedMessage')
  async get(@Checked() { path, query }: Input<'getDelayedMessage'>): Promise<DelayedMessageView> {
    const { message } = await this.cluster.inquire().read({
      kind: 'delayed-message',
      id: path.delayed_message_id,
      payload: query.payload !== 'none',
    });
    if (message === undefined) throw absent();
    return presentDelayed(message, query.payload);
  }

  @Route('deleteDelayedMessage')
  async delete(@Checked() { path }: Input<'deleteDelayedMessage'>): Promise<void> {
    const command = { kind: 'cancel-delayed', id: path.delayed_message_id } as const;
    const { found } = await this.cluster.inquire().change(command);
    if (!found) throw absent();
  }
}

function absent(): ProblemError {
  return new ProblemError('not-found', 'No message of this id waits: it is published or cancelled');
}

function presentDelayed(message: WireDelayed, form: PayloadForm): DelayedMessageView {
  const { expires_at: _, ...shown } = presentRetained(message, form);
  const { id, retain, dueAtMs } = message;
  return { ...shown, id, retain, due_at: new Date(dueAtMs).toISOString() };
}

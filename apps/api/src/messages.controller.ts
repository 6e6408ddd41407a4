import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Input,
  List,
  NodeAnswers,
  ProblemCode,
  RetainedMessage,
  WireRetainedQuery,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentRetained, wireMessageOf } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

type Refusal = Extract<NodeAnswers['publish'], { readonly kind: 'refused' }>['code'];

/** Why a node refused a message, with the reason code that an MQTT 5 publisher would get. */
const REFUSALS: Readonly<Record<Refusal, readonly [ProblemCode, string, number]>> = {
  NOT_AUTHORIZED: ['topic-not-allowed', 'The broker does not permit this topic', 0x87],
  QUOTA_EXCEEDED: ['rate-limited', 'A quota of the broker is used up', 0x97],
  STORE_UNAVAILABLE: ['storage-unavailable', 'The message could not be stored', 0x83],
  BRIDGE_UNAVAILABLE: ['bridge-unavailable', 'Kafka did not accept the record', 0x83],
};

/** Messages: to publish, and those retained. */
@Controller()
export class MessagesController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('publishMessage')
  async publish(
    @Checked() { body }: Input<'publishMessage'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ readonly matched_subscribers: number }> {
    const outcome = await this.cluster
      .inquire()
      .change({ kind: 'publish', message: wireMessageOf(body) });
    if (outcome.kind === 'refused') {
      const [code, detail, mqttReasonCode] = REFUSALS[outcome.code];
      throw new ProblemError(code, detail, { mqttReasonCode });
    }
    void reply.status(outcome.matched === 0 ? 202 : 200);
    return { matched_subscribers: outcome.matched };
  }

  @Route('listRetainedMessages')
  async listRetained(
    @Checked() { query }: Input<'listRetainedMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<RetainedMessage>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const wanted: WireRetainedQuery = {
      filter: query.filter,
      limit: query.limit,
      payload: query.payload !== 'none',
      ...(after === undefined ? {} : { after }),
    };
    const { items, hasMore } = await this.cluster
      .inquire()
      .read({ kind: 'retained', query: wanted });
    return this.pages.list(exchange, query.limit, {
      items: items.map((message) => presentRetained(message, query.payload)),
      after: hasMore ? items.at(-1)?.topic : undefined,
      unavailable: [],
    });
  }

  @Route('deleteRetainedMessage')
  async deleteRetained(@Checked() { query }: Input<'deleteRetainedMessage'>): Promise<void> {
    const { topic } = query;
    const { found } = await this.cluster.inquire().change({ kind: 'clear-retained', topic });
    if (!found) throw new ProblemError('not-found', 'The topic has no retained message');
  }
}

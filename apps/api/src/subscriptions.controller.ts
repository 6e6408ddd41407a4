import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  CommandOf,
  Input,
  List,
  NodeAnswers,
  SubscribeResult,
  Subscription,
  WireSubscriptionQuery,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Answers } from './cluster/inquiry.ts';
import { compareText, mergePages } from './cluster/merge.ts';
import type { Exchange, Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentSubscription } from './presenters.ts';
import { presentGrant, wireSubscriptionOf } from './subscription-presenter.ts';
import { CLUSTER, PAGES } from './tokens.ts';

type Question = CommandOf<'subscriptions'>;

/** What nodes have, and what none has for the moment. */
type Found = Answers<NodeAnswers['subscriptions']> & {
  readonly unowned: NodeAnswers['unowned-subscriptions'];
};

/** Subscriptions, of one client or of all. */
@Controller()
export class SubscriptionsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listClientSubscriptions')
  async listOfClient(
    @Checked() { path, query }: Input<'listClientSubscriptions'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Subscription>> {
    const exchange = { request, reply };
    const inquiry = this.cluster.inquire();
    const wanted = this.query(exchange, { limit: query.limit, clientId: path.client_id });
    const { node } = await inquiry.findClient(path.client_id);
    const answers = await inquiry.askSome([node], wanted);
    return this.page(exchange, wanted, { ...answers, unowned: { items: [], hasMore: false } });
  }

  @Route('subscribeClient')
  async subscribe(@Checked() { path, body }: Input<'subscribeClient'>): Promise<SubscribeResult> {
    const { client_id: clientId } = path;
    const wanted = Array.isArray(body) ? body : [body];
    const requests = wanted.map((each) => wireSubscriptionOf(each));
    const { answer } = await this.cluster.inquire().atOwner(clientId, {
      ...{ kind: 'subscribe-client', clientId, requests },
    });
    const codes = answer.reasonCodes ?? gone();
    const items = wanted.map(({ filter }, index) => presentGrant(filter, codes[index] ?? 0x80));
    return { items: items.map((item, index) => ({ index, ...item })) };
  }

  @Route('unsubscribeClient')
  async unsubscribe(@Checked() { path, query }: Input<'unsubscribeClient'>): Promise<void> {
    const { client_id: clientId } = path;
    const { answer } = await this.cluster.inquire().atOwner(clientId, {
      ...{ kind: 'unsubscribe-client', clientId, filters: [query.filter] },
    });
    const [code] = answer.reasonCodes ?? gone();
    if (code !== 0) throw new ProblemError('not-found', 'The client has no such subscription');
  }

  @Route('listSubscriptions')
  async list(
    @Checked() { query }: Input<'listSubscriptions'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Subscription>> {
    const exchange = { request, reply };
    const inquiry = this.cluster.inquire();
    const { limit, filter, match_topic: matchTopic, client_id: clientId } = query;
    const { qos, shared_group: group } = query;
    const wanted = this.query(exchange, { limit, filter, matchTopic, clientId, qos, group });
    const nodes = (await inquiry.nodes()).filter(({ nodeId }) => (query.node ?? nodeId) === nodeId);
    const [answers, unowned] = await Promise.all([
      inquiry.askSome(nodes, wanted),
      inquiry.read({ kind: 'unowned-subscriptions', query: wanted.query, node: query.node }),
    ]);
    return this.page(exchange, wanted, { ...answers, unowned });
  }

  /** The question for the page that the request asks for. */
  private query(exchange: Exchange, wanted: WireSubscriptionQuery): Question {
    const after = this.pages.position<NonNullable<WireSubscriptionQuery['after']>>(exchange);
    return { kind: 'subscriptions', query: after === undefined ? wanted : { ...wanted, after } };
  }

  private page(
    exchange: Exchange,
    { query }: Question,
    { answered, unavailable, unowned }: Found,
  ): List<Subscription> {
    const pages = answered.map(({ node, answer }) => ({
      hasMore: answer.hasMore,
      items: answer.items.map((item) => presentSubscription(item, node.nodeId)),
    }));
    // Last: of a session that is being taken over, what its new node says counts.
    pages.push({
      hasMore: unowned.hasMore,
      items: unowned.items.map((each) => presentSubscription(each.subscription, each.nodeId)),
    });
    const { items, hasMore } = mergePages(pages, query.limit, bySubscriber);
    const last = items.at(-1);
    return this.pages.list(exchange, query.limit, {
      items,
      after: hasMore && last ? { clientId: last.client_id, filter: last.filter } : undefined,
      unavailable,
    });
  }
}

function gone(): never {
  throw new ProblemError('not-found', 'The session has ended, or has gone to another node');
}

function bySubscriber(a: Subscription, b: Subscription): number {
  return compareText(a.client_id, b.client_id) || compareText(a.filter, b.filter);
}

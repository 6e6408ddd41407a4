import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Input,
  List,
  Subscription,
  WireNode,
  WireSubscriptionQuery,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText, mergePages } from './cluster/merge.ts';
import type { Exchange, Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { presentSubscription } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

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
    const { node } = await this.cluster.findClient(path.client_id);
    const wanted = { limit: query.limit, clientId: path.client_id };
    return this.page({ request, reply }, [node], wanted);
  }

  @Route('listSubscriptions')
  async list(
    @Checked() { query }: Input<'listSubscriptions'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Subscription>> {
    const { limit, filter, match_topic: matchTopic, client_id: clientId } = query;
    const nodes = (await this.cluster.nodes()).filter(
      ({ nodeId }) => (query.node ?? nodeId) === nodeId,
    );
    return this.page({ request, reply }, nodes, {
      limit,
      ...(filter === undefined ? {} : { filter }),
      ...(matchTopic === undefined ? {} : { matchTopic }),
      ...(clientId === undefined ? {} : { clientId }),
    });
  }

  private async page(
    exchange: Exchange,
    nodes: readonly WireNode[],
    wanted: WireSubscriptionQuery,
  ): Promise<List<Subscription>> {
    const after = this.pages.position<NonNullable<WireSubscriptionQuery['after']>>(exchange);
    const query = after === undefined ? wanted : { ...wanted, after };
    const { answered, unavailable } = await this.cluster.askSome(nodes, {
      kind: 'subscriptions',
      query,
    });
    const pages = answered.map(({ node, answer }) => ({
      hasMore: answer.hasMore,
      items: answer.items.map((item) => presentSubscription(item, node.nodeId)),
    }));
    const { items, hasMore } = mergePages(pages, query.limit, bySubscriber);
    const last = items.at(-1);
    return this.pages.list(exchange, query.limit, {
      items,
      after: hasMore && last ? { clientId: last.client_id, filter: last.filter } : undefined,
      unavailable,
    });
  }
}

function bySubscriber(a: Subscription, b: Subscription): number {
  return compareText(a.client_id, b.client_id) || compareText(a.filter, b.filter);
}

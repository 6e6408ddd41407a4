import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  SHARED_MEMBERS_MAX,
  TOPIC_METRICS_MAX,
  type Input,
  type List,
  type Meta,
  type NodeAnswers,
  type SharedGroupDetails,
  type SharedGroupView,
  type TopicLevelList,
  type TopicMetricView,
  type WireTopicMetric,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Answers } from './cluster/inquiry.ts';
import { compareText } from './cluster/merge.ts';
import { metaOf, type Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';
import {
  mergeSharedGroups,
  mergeTopicLevels,
  presentTopicMetric,
  type CountedAt,
} from './topics-presenter.ts';

/** Topics, those who share subscriptions, and what is counted of topics. */
@Controller()
export class TopicsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listTopics')
  async topics(
    @Checked() { query }: Input<'listTopics'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TopicLevelList> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const { limit, prefix, depth, has_retained: hasRetained } = query;
    const inquiry = this.cluster.inquire();
    const { answered, unavailable } = await inquiry.askSome<'topics'>(await inquiry.nodes(), {
      kind: 'topics',
      query: { prefix, depth, hasRetained, after, limit },
    });
    const { items, hasMore } = mergeTopicLevels(
      answered.map(({ answer }) => answer),
      limit,
    );
    const last = hasMore ? items.at(-1)?.topic : undefined;
    const list = this.pages.list(exchange, limit, { items, after: last, unavailable });
    return { ...list, complete: answered.every(({ answer }) => answer.isWhole) };
  }

  @Route('listSharedGroups')
  async groups(
    @Checked() { query }: Input<'listSharedGroups'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<SharedGroupView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const { limit } = query;
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome<'shared-groups'>(nodes, {
      ...{ kind: 'shared-groups', query: { after, limit } },
    });
    const { items, hasMore } = mergeSharedGroups(
      answered.map(({ answer }) => answer),
      limit,
    );
    const last = hasMore ? items.at(-1)?.group : undefined;
    return this.pages.list(exchange, limit, { items, after: last, unavailable });
  }

  @Route('getSharedGroup')
  async group(@Checked() { path }: Input<'getSharedGroup'>): Promise<SharedGroupDetails> {
    const { group } = path;
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const [groups, members] = await Promise.all([
      inquiry.askSome<'shared-groups'>(nodes, {
        ...{ kind: 'shared-groups', query: { group, limit: 1 } },
      }),
      inquiry.askSome<'shared-members'>(nodes, {
        ...{ kind: 'shared-members', group, limit: SHARED_MEMBERS_MAX },
      }),
    ]);
    const unavailable = [...new Set([...groups.unavailable, ...members.unavailable])];
    const merged = mergeSharedGroups(
      groups.answered.map(({ answer }) => answer),
      1,
    );
    const [found] = merged.items;
    if (found === undefined) throw absent('Nobody is subscribed in this group', unavailable);
    const list = members.answered.flatMap(({ node, answer }) =>
      answer.members.map((each) => ({
        client_id: each.clientId,
        filter: each.filter,
        node: node.nodeId,
        connected: each.isConnected,
        queue_messages: each.queueMessages,
        inflight_messages: each.inflightMessages,
      })),
    );
    const sorted = list.toSorted((a, b) => compareText(a.client_id, b.client_id));
    return {
      ...found,
      member_list: sorted.slice(0, SHARED_MEMBERS_MAX),
      meta: metaOf(unavailable),
    };
  }

  @Route('listTopicMetrics')
  async metrics(
    @Checked() { query }: Input<'listTopicMetrics'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<TopicMetricView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { metrics, unavailable } = await this.counted();
    const rest = metrics.filter(({ filter }) => filter > after);
    const items = rest.slice(0, Math.min(query.limit, TOPIC_METRICS_MAX));
    const last = rest.length > items.length ? items.at(-1)?.filter : undefined;
    return this.pages.list(exchange, query.limit, { items, after: last, unavailable });
  }

  @Route('createTopicMetric')
  async create(
    @Checked() { body }: Input<'createTopicMetric'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TopicMetricView> {
    const inquiry = this.cluster.inquire();
    const made = await inquiry.change({ kind: 'add-topic-metric', filter: body.filter });
    if (made.kind === 'exists') {
      throw new ProblemError('already-exists', `The filter is counted already: ${made.id}`);
    }
    if (made.kind === 'full') {
      throw new ProblemError('limit-reached', `There may be ${TOPIC_METRICS_MAX} filters`);
    }
    void reply.header('location', `/api/v1/topic-metrics/${made.metric.id}`);
    return presentTopicMetric([{ node: '', metric: made.metric }]);
  }

  @Route('getTopicMetric')
  async metric(
    @Checked() { path }: Input<'getTopicMetric'>,
  ): Promise<TopicMetricView & { readonly meta: Meta }> {
    const { metrics, unavailable } = await this.counted();
    const found = metrics.find(({ id }) => id === path.metric_id);
    if (found === undefined) throw absent('No filter is counted under this id', unavailable);
    return { ...found, meta: metaOf(unavailable) };
  }

  @Route('deleteTopicMetric')
  async remove(@Checked() { path }: Input<'deleteTopicMetric'>): Promise<void> {
    const inquiry = this.cluster.inquire();
    const { found } = await inquiry.change({ kind: 'remove-topic-metric', id: path.metric_id });
    if (!found) throw new ProblemError('not-found', 'No filter is counted under this id');
  }

  private async counted(): Promise<{
    readonly metrics: readonly TopicMetricView[];
    readonly unavailable: readonly string[];
  }> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable }: Answers<NodeAnswers['topic-metrics']> =
      await inquiry.askSome<'topic-metrics'>(nodes, { kind: 'topic-metrics' });
    const byId = new Map<string, CountedAt[]>();
    for (const { node, answer } of answered) {
      for (const metric of answer.metrics) addTo(byId, metric, node.nodeId);
    }
    const metrics = [...byId.values()].map((counts) => presentTopicMetric(counts));
    return {
      metrics: metrics.toSorted((a, b) => compareText(a.filter, b.filter)),
      unavailable,
    };
  }
}

function addTo(byId: Map<string, CountedAt[]>, metric: WireTopicMetric, node: string): void {
  const counts = byId.get(metric.id);
  if (counts === undefined) byId.set(metric.id, [{ node, metric }]);
  else counts.push({ node, metric });
}

/** @param unavailable - nodes that may know better. */
function absent(detail: string, unavailable: readonly string[]): ProblemError {
  if (unavailable.length === 0) return new ProblemError('not-found', detail);
  const who = `Not found on the nodes that answer; silent: ${unavailable.join(', ')}`;
  return new ProblemError('node-unavailable', who);
}

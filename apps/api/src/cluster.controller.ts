import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  ClusterNode,
  ClusterStatus,
  Input,
  List,
  WireNode,
  WireNodeStatus,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentNode } from './presenters.ts';
import { CLUSTER, CONFIG, PAGES } from './tokens.ts';

/** The cluster and its nodes. */
@Controller()
export class ClusterController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Route('getStatus')
  async status(): Promise<ClusterStatus> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome(nodes, { kind: 'status' });
    const statuses = answered.map(({ answer }) => answer);
    const sum = (figure: (status: WireNodeStatus) => number): number =>
      statuses.reduce((total, status) => total + figure(status), 0);
    return {
      cluster_name: this.config.node.clusterName,
      mode: statuses[0]?.mode ?? 'cluster',
      api_version: this.config.node.version,
      nodes: {
        alive: nodes.filter(({ state }) => state === 'alive').length,
        draining: nodes.filter(({ state }) => state === 'draining').length,
      },
      connections: sum(({ connections }) => connections),
      sessions: sum(({ sessions }) => sessions),
      subscriptions: sum(({ subscriptions }) => subscriptions),
      messages_received: sum(({ messagesReceived }) => messagesReceived),
      messages_sent: sum(({ messagesSent }) => messagesSent),
      // All nodes keep the same ones; a node that is behind knows fewer.
      retained_messages: Math.max(...statuses.map(({ retainedMessages }) => retainedMessages)),
      meta: { partial: unavailable.length > 0, unavailable_nodes: [...unavailable] },
    };
  }

  @Route('listNodes')
  async list(
    @Checked() { query }: Input<'listNodes'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<ClusterNode>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const inquiry = this.cluster.inquire();
    const wanted = (await inquiry.nodes()).filter(
      ({ nodeId, state }) => nodeId > after && (query.state ?? state) === state,
    );
    const page = wanted.slice(0, query.limit);
    const { items, unavailable } = await describe(inquiry, page);
    return this.pages.list(exchange, query.limit, {
      items,
      after: wanted.length > page.length ? page.at(-1)?.nodeId : undefined,
      unavailable,
    });
  }

  @Route('getNode')
  async show(@Checked() { path }: Input<'getNode'>): Promise<ClusterNode> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const wanted = nodes.filter(({ nodeId }) => nodeId === path.node_id);
    const { items } = await describe(inquiry, wanted);
    const [node] = items;
    if (node === undefined) throw new ProblemError('not-found', 'No node with a lease has this id');
    return node;
  }
}

async function describe(inquiry: Inquiry, nodes: readonly WireNode[]) {
  const { answered, unavailable } = await inquiry.askAll(nodes, { kind: 'status' });
  const statuses = new Map(answered.map(({ node, answer }) => [node.nodeId, answer]));
  return {
    items: nodes.map((node) => presentNode(node, statuses.get(node.nodeId))),
    unavailable,
  };
}

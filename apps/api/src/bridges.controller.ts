import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BridgeView, ConnectivityTest, Input, List } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText } from './cluster/merge.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentBridge, presentState, presentTest } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** The part of its time that an operation leaves to the tests of nodes: the rest is for the way there and back. */
const TEST_SHARE = 0.75;

/** Bridges as the nodes have them in their configurations. */
interface Survey {
  /** In the order of their ids. */
  readonly bridges: readonly BridgeView[];
  /** Nodes that did not answer. */
  readonly unavailable: readonly string[];
}

/** What bridge rules carry to or from. */
@Controller()
export class BridgesController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listBridges')
  async list(
    @Checked() { query }: Input<'listBridges'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BridgeView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { bridges, unavailable } = await this.#survey();
    const rest = bridges.filter(({ id }) => id > after);
    const items = rest.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items,
      after: rest.length > items.length ? items.at(-1)?.id : undefined,
      unavailable,
    });
  }

  @Route('getBridge')
  async show(@Checked() { path }: Input<'getBridge'>): Promise<BridgeView> {
    const { bridges } = await this.#survey();
    const found = bridges.find(({ id }) => id === path.bridge_id);
    if (found === undefined) throw new ProblemError('not-found', 'There is no bridge with this id');
    return found;
  }

  @Route('testBridge')
  async test(@Checked() { path, body }: Input<'testBridge'>): Promise<ConnectivityTest> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome(nodes, {
      kind: 'test-bridge',
      id: path.bridge_id,
      target: body.target,
      withinMs: inquiry.leftMs * TEST_SHARE,
    });
    const results = answered.flatMap(({ node, answer: { steps } }) =>
      steps === undefined ? [] : [presentTest(node.nodeId, steps)],
    );
    if (results.length === 0) {
      throw new ProblemError('not-found', 'There is no bridge with this id');
    }
    const meta = { partial: unavailable.length > 0, unavailable_nodes: [...unavailable] };
    return { ok: results.every(({ ok }) => ok), results, meta };
  }

  /** Nodes of one cluster should have the same bridges; of one that differs the first node's settings are shown. */
  async #survey(): Promise<Survey> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome(nodes, { kind: 'bridges' });
    const views = new Map<string, BridgeView>();
    for (const { node, answer } of answered) {
      for (const bridge of answer.bridges) {
        const { id } = bridge.connector;
        const view = views.get(id) ?? presentBridge(bridge.connector);
        view.states.push(presentState(node.nodeId, bridge));
        views.set(id, view);
      }
    }
    const bridges = [...views.values()].toSorted((a, b) => compareText(a.id, b.id));
    return { bridges, unavailable };
  }
}

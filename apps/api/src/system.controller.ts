import { Controller, Inject } from '@nestjs/common';
import type {
  FeatureListView,
  Input,
  NodeAnswers,
  NodeConfigView,
  NodeMetricsView,
  NodeStatsView,
  VersionView,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import type { Answers } from './cluster/inquiry.ts';
import { metaOf } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentStats } from './system-presenter.ts';
import { CLUSTER, CONFIG } from './tokens.ts';

/** What runs, and nodes in detail. */
@Controller()
export class SystemController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Route('getVersion')
  async version(): Promise<VersionView> {
    const { answered, unavailable } = await this.#askAll();
    const { version, commit } = this.config.node;
    const nodes = answered.map(({ node, answer }) => {
      return { node: node.nodeId, version: answer.version, commit: answer.commit };
    });
    return { version, commit, api: 'v1', nodes, meta: metaOf(unavailable) };
  }

  @Route('listFeatures')
  async features(): Promise<FeatureListView> {
    const { answered, unavailable } = await this.#askAll();
    const nodesOf = new Map<string, string[]>();
    for (const { node, answer } of answered) {
      for (const { name, enabled } of answer.features) {
        const nodes = nodesOf.get(name) ?? [];
        nodesOf.set(name, enabled ? [...nodes, node.nodeId] : nodes);
      }
    }
    const features = [...nodesOf].map(([name, nodes]) => {
      return { name, enabled: nodes.length > 0, nodes };
    });
    return { features, meta: metaOf(unavailable) };
  }

  @Route('deleteNode')
  async forget(@Checked() { path }: Input<'deleteNode'>): Promise<void> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    if (nodes.some(({ nodeId }) => nodeId === path.node_id)) throw alive();
    const { kind } = await inquiry.change({ kind: 'forget-node', nodeId: path.node_id });
    if (kind === 'alive') throw alive();
    if (kind === 'absent') throw new ProblemError('not-found', 'Nothing of such a node is left');
  }

  @Route('getNodeStats')
  async stats(@Checked() { path }: Input<'getNodeStats'>): Promise<NodeStatsView> {
    const answer = await this.cluster.inquire().askNode(path.node_id, { kind: 'node-stats' });
    return presentStats(path.node_id, answer);
  }

  @Route('getNodeMetrics')
  async metrics(@Checked() { path }: Input<'getNodeMetrics'>): Promise<NodeMetricsView> {
    const answer = await this.cluster.inquire().askNode(path.node_id, { kind: 'node-metrics' });
    const metrics = answer.metrics.map(({ samples, ...metric }) => ({
      ...metric,
      samples: samples.map(({ labels, ...sample }) => ({ ...sample, labels: { ...labels } })),
    }));
    return { node: path.node_id, metrics };
  }

  @Route('getNodeConfig')
  async configuration(@Checked() { path }: Input<'getNodeConfig'>): Promise<NodeConfigView> {
    const answer = await this.cluster.inquire().askNode(path.node_id, { kind: 'node-config' });
    const settings = answer.settings.map((each) => ({
      key: each.path,
      value: each.value ?? null,
      default: each.default ?? null,
      source: each.source,
    }));
    return { node: path.node_id, settings };
  }

  async #askAll(): Promise<Answers<NodeAnswers['node-features']>> {
    const inquiry = this.cluster.inquire();
    return inquiry.askSome(await inquiry.nodes(), { kind: 'node-features' });
  }
}

function alive(): ProblemError {
  return new ProblemError('node-alive', 'The node has a lease; drain and stop it first');
}

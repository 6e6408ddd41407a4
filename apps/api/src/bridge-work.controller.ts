import { Controller, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type {
  BridgeAction,
  BridgeMetrics,
  BridgeRuleMetrics,
  BridgeStatusView,
  Input,
  WireStoredBridge,
} from '#libs/api-contracts';
import { BRIDGES, findOwn, found, storedOf, survey } from './bridge-survey.ts';
import { metaOf, presentCounts, presentRuleMetrics, sumCounts } from './bridge-work-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText } from './cluster/merge.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentRuleState } from './presenters.ts';
import { CLUSTER } from './tokens.ts';

/** How often a bridge is read anew when somebody changes it at the same time. */
const ATTEMPTS_MAX = 5;

const RULES = new Definitions('rule');

/** Bridges and rules at work: what they do, and starting and stopping them. */
@Controller()
export class BridgeWorkController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('startBridge')
  async start(
    @Checked() { path }: Input<'startBridge'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeAction> {
    await this.#enable(path.bridge_id, true);
    return taken(reply, { id: path.bridge_id, action: 'start', enabled: true, meta: metaOf([]) });
  }

  @Route('stopBridge')
  async stop(
    @Checked() { path }: Input<'stopBridge'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeAction> {
    await this.#enable(path.bridge_id, false);
    return taken(reply, { id: path.bridge_id, action: 'stop', enabled: false, meta: metaOf([]) });
  }

  @Route('restartBridge')
  async restart(
    @Checked() { path }: Input<'restartBridge'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeAction> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    const { bridges } = await inquiry.read({ kind: 'bridges' });
    const { connector } = existing(bridges, id);
    if (connector.enabled === false) {
      throw new ProblemError('conflict', 'The bridge is stopped: start it instead');
    }
    const { unavailable } = await inquiry.askSome(await inquiry.nodes(), {
      kind: 'restart-bridge',
      id,
    });
    return taken(reply, { id, action: 'restart', enabled: true, meta: metaOf(unavailable) });
  }

  @Route('getBridgeStatus')
  async status(@Checked() { path }: Input<'getBridgeStatus'>): Promise<BridgeStatusView> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const [surveyed, { rules }, { answered, unavailable }] = await Promise.all([
      survey(inquiry),
      inquiry.read({ kind: 'rules' }),
      inquiry.askAll(nodes, { kind: 'rule-states' }),
    ]);
    const { view } = found(surveyed, id);
    const ids = new Set(rules.filter(({ rule }) => rule.bridge === id).map(({ rule }) => rule.id));
    const rulesOf = (nodeId: string) =>
      answered
        .flatMap(({ node, answer }) => (node.nodeId === nodeId ? answer.states : []))
        .filter((state) => ids.has(state.id))
        .toSorted((a, b) => compareText(a.id, b.id))
        .map((state) => {
          const { node: _, ...rest } = presentRuleState(nodeId, state);
          return { ...rest, id: state.id };
        });
    const silent = [...new Set([...surveyed.unavailable, ...unavailable])].toSorted(compareText);
    return {
      ...{ id, enabled: view.enabled },
      nodes: view.states.map((state) => ({ ...state, rules: rulesOf(state.node) })),
      meta: metaOf(silent),
    };
  }

  @Route('getBridgeMetrics')
  async metrics(@Checked() { path }: Input<'getBridgeMetrics'>): Promise<BridgeMetrics> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    existing((await inquiry.read({ kind: 'bridges' })).bridges, id);
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), {
      kind: 'bridge-metrics',
    });
    const nodes = answered.map(({ node, answer }) => {
      const rules = answer.rules
        .filter(({ bridge }) => bridge === id)
        .toSorted((a, b) => compareText(a.id, b.id));
      return {
        node: node.nodeId,
        totals: sumCounts(rules.map(presentCounts)),
        rules: rules.map((rule) => ({ id: rule.id, ...presentRuleMetrics(rule) })),
      };
    });
    const totals = sumCounts(nodes.map((node) => node.totals));
    return { id, totals, nodes, meta: metaOf(unavailable) };
  }

  @Route('resetBridgeMetrics')
  async reset(@Checked() { path }: Input<'resetBridgeMetrics'>): Promise<void> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    existing((await inquiry.read({ kind: 'bridges' })).bridges, id);
    const { unavailable } = await inquiry.askSome(await inquiry.nodes(), {
      kind: 'reset-bridge-metrics',
      id,
    });
    if (unavailable.length === 0) return;
    const silent = unavailable.join(', ');
    const detail = `Not known to be done on nodes that do not answer: ${silent}. Done on the others`;
    throw new ProblemError('node-unavailable', detail);
  }

  @Route('getBridgeRuleMetrics')
  async ruleMetrics(
    @Checked() { path }: Input<'getBridgeRuleMetrics'>,
  ): Promise<BridgeRuleMetrics> {
    const { rule_id: id } = path;
    const inquiry = this.cluster.inquire();
    const { rules } = await inquiry.read({ kind: 'rules' });
    const stored = rules.find(({ rule }) => rule.id === id);
    if (stored === undefined) throw RULES.refused('absent');
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), {
      kind: 'bridge-metrics',
    });
    const nodes = answered.flatMap(({ node, answer }) =>
      answer.rules
        .filter((rule) => rule.id === id)
        .map((rule) => ({ node: node.nodeId, ...presentRuleMetrics(rule) })),
    );
    const totals = sumCounts(nodes);
    return { id, bridge: stored.rule.bridge, totals, nodes, meta: metaOf(unavailable) };
  }

  /** Changes `enabled` of a bridge, whatever else somebody changes meanwhile. */
  async #enable(id: string, enabled: boolean): Promise<void> {
    const inquiry = this.cluster.inquire();
    for (let attempt = 1; ; attempt += 1) {
      const { connector, revision } = await findOwn(inquiry, id, '*');
      if ((connector.enabled ?? true) === enabled) return;
      const change = await inquiry.change({
        kind: 'put-bridge',
        connector: { ...connector, enabled },
        revision,
      });
      if (change.kind === 'conflict' && attempt < ATTEMPTS_MAX) continue;
      storedOf(change);
      return;
    }
  }
}

function existing<Stored extends WireStoredBridge>(bridges: readonly Stored[], id: string): Stored {
  const bridge = bridges.find(({ connector }) => connector.id === id);
  if (bridge === undefined) throw BRIDGES.refused('absent');
  return bridge;
}

function taken(reply: FastifyReply, action: BridgeAction): BridgeAction {
  void reply.header('location', `/api/v1/bridges/${action.id}/status`);
  return action;
}

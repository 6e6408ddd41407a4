import { randomUUID } from 'node:crypto';
import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  DrainAnswers,
  DrainReply,
  DrainSkipView,
  Input,
  List,
  MaintenanceView,
  RebalanceRun,
  RebalanceView,
  WireDrain,
  WireNode,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { metaOf, type Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { planRebalance } from './rebalance-plan.ts';
import { CLUSTER, PAGES } from './tokens.ts';

type Runs = readonly Omit<RebalanceRun, 'meta'>[];

/** Sends clients away from nodes, or keeps them away. Nodes do the work and hold its state: an API that restarts loses nothing. */
@Controller()
export class DrainsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('startDrain')
  async start(
    @Checked() { path, body }: Input<'startDrain'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DrainReply> {
    const request = {
      kind: 'drain',
      connectionsPerSecond: body.connections_per_second,
      waitSeconds: body.wait_health_check_seconds,
      serverReference: body.server_reference,
      deadlineSeconds: body.deadline_seconds,
      evenIfLast: body.even_if_last,
    } as const;
    const command = { kind: 'start-drain', request } as const;
    const answer = await this.cluster.inquire().askNode(path.node_id, command, true);
    const { drain } = answer;
    if (drain === undefined) throw new ProblemError('conflict', whyNot(answer));
    void reply.header('location', `/api/v1/nodes/${encodeURIComponent(path.node_id)}/drains`);
    return presentDrain(path.node_id, drain);
  }

  @Route('getDrain')
  async show(@Checked() { path }: Input<'getDrain'>): Promise<DrainReply> {
    const { drains } = await this.cluster.inquire().askNode(path.node_id, { kind: 'drains' });
    const found = drains.find(({ kind }) => kind === 'drain' || kind === 'shutdown');
    if (found === undefined) throw new ProblemError('not-found', 'The node was not drained');
    return presentDrain(path.node_id, found);
  }

  @Route('stopDrain')
  async stop(@Checked() { path }: Input<'stopDrain'>): Promise<void> {
    const command = { kind: 'stop-drain', of: 'drain' } as const;
    const { found } = await this.cluster.inquire().askNode(path.node_id, command, true);
    if (!found) throw new ProblemError('not-found', 'The node is not being drained');
  }

  @Route('getDrainSkip')
  async skip(): Promise<DrainSkipView> {
    const inquiry = this.cluster.inquire();
    const command = { kind: 'drain-skip' } as const;
    return presentSkip(await inquiry.askSome(await inquiry.nodes(), command));
  }

  @Route('setDrainSkip')
  async setSkip(@Checked() { body }: Input<'setDrainSkip'>): Promise<DrainSkipView> {
    const inquiry = this.cluster.inquire();
    const command = { kind: 'set-drain-skip', seconds: body.seconds } as const;
    return presentSkip(await inquiry.askSome(await inquiry.nodes(), command));
  }

  @Route('clearDrainSkip')
  async clearSkip(): Promise<void> {
    const inquiry = this.cluster.inquire();
    const command = { kind: 'set-drain-skip', seconds: 0 } as const;
    const { unavailable } = await inquiry.askAll(await inquiry.nodes(), command);
    if (unavailable.length === 0) return;
    const silent = unavailable.join(', ');
    throw new ProblemError('node-unavailable', `Unknown what these nodes do: ${silent}`);
  }

  @Route('getMaintenance')
  async maintenance(@Checked() { path }: Input<'getMaintenance'>): Promise<MaintenanceView> {
    const answer = await this.cluster.inquire().askNode(path.node_id, { kind: 'maintenance' });
    return presentMaintenance(path.node_id, answer.sinceMs);
  }

  @Route('enterMaintenance')
  async enter(@Checked() { path }: Input<'enterMaintenance'>): Promise<MaintenanceView> {
    const command = { kind: 'set-maintenance', on: true } as const;
    const { sinceMs } = await this.cluster.inquire().askNode(path.node_id, command, true);
    return presentMaintenance(path.node_id, sinceMs);
  }

  @Route('leaveMaintenance')
  async leave(@Checked() { path }: Input<'leaveMaintenance'>): Promise<void> {
    const command = { kind: 'set-maintenance', on: false } as const;
    await this.cluster.inquire().askNode(path.node_id, command, true);
  }

  @Route('listRebalances')
  async list(
    @Checked() { query }: Input<'listRebalances'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Runs[number]>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { runs, unavailable } = await runsOf(this.cluster.inquire());
    const wanted = runs.filter(({ id }) => id > after);
    const items = wanted.slice(0, query.limit);
    const last = wanted.length > items.length ? items.at(-1)?.id : undefined;
    return this.pages.list(exchange, query.limit, { items, after: last, unavailable });
  }

  @Route('startRebalance')
  async rebalance(
    @Checked() { body }: Input<'startRebalance'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RebalanceView> {
    const inquiry = this.cluster.inquire();
    const members = membersOf(await inquiry.nodes(), body.nodes);
    const { answered, unavailable } = await inquiry.askAll(members, { kind: 'status' });
    if (unavailable.length > 0) {
      throw new ProblemError('node-unavailable', `Not done: silent: ${unavailable.join(', ')}`, {
        nothingDone: true,
      });
    }
    const loads = answered.map(({ node, answer }) => {
      return { node: node.nodeId, connections: answer.connections };
    });
    const { relative_threshold: relative, absolute_threshold: absolute } = body;
    const { goal, nodes: plan } = planRebalance(loads, { relative, absolute });
    const donors = plan.filter(({ role }) => role === 'donor');
    const planned = { id: null, goal, plan, nodes: [], meta: metaOf([]) };
    if (body.dry_run || donors.length === 0) {
      return { ...planned, state: donors.length === 0 ? 'balanced' : 'planned' };
    }
    const id = randomUUID();
    const needs = members.map(({ nodeId }) => nodeId);
    const begun: DrainReply[] = [];
    for (const { node } of donors) {
      const request = {
        kind: 'rebalance',
        ...{ id, needs, keep: goal },
        connectionsPerSecond: body.connections_per_second,
        waitSeconds: body.wait_health_check_seconds,
        settleSeconds: body.wait_takeover_seconds,
      } as const;
      const { drain } = await inquiry.askNode(node, { kind: 'start-drain', request }, true);
      if (drain === undefined) {
        await stopAll(inquiry, members, id);
        throw new ProblemError('conflict', `${node} is draining or being rebalanced already`);
      }
      begun.push(presentDrain(node, drain));
    }
    void reply.status(202).header('location', `/api/v1/rebalances/${id}`);
    return { ...planned, id, state: 'running', nodes: begun };
  }

  @Route('getRebalance')
  async showRebalance(@Checked() { path }: Input<'getRebalance'>): Promise<RebalanceRun> {
    const { runs, unavailable } = await runsOf(this.cluster.inquire());
    const run = runs.find(({ id }) => id === path.rebalance_id);
    if (run === undefined) throw absent(unavailable);
    return { ...run, meta: metaOf(unavailable) };
  }

  @Route('stopRebalance')
  async stopRebalance(@Checked() { path }: Input<'stopRebalance'>): Promise<void> {
    const inquiry = this.cluster.inquire();
    const { found, unavailable } = await stopAll(inquiry, await inquiry.nodes(), path.rebalance_id);
    if (unavailable.length > 0) throw absent(unavailable);
    if (!found) throw new ProblemError('not-found', 'No rebalance of this id is under way');
  }
}

function whyNot({ isLast }: DrainAnswers['start-drain']): string {
  return isLast === true
    ? 'No other node serves clients, so those of this one could go nowhere: start or undrain one first, or send even_if_last'
    : 'The node is draining or being rebalanced; stop that first';
}

/** @throws ProblemError when one of the wanted nodes is not there. */
function membersOf(
  nodes: readonly WireNode[],
  wanted: readonly string[] | undefined,
): readonly WireNode[] {
  if (wanted === undefined) return nodes.filter(({ state }) => state === 'alive');
  const names = [...new Set(wanted)];
  const members = nodes.filter(({ nodeId, state }) => {
    return state === 'alive' && names.includes(nodeId);
  });
  const missing = names.filter((name) => !members.some(({ nodeId }) => nodeId === name));
  if (missing.length === 0) return members;
  const detail = `Not alive, or draining: ${missing.join(', ')}`;
  throw new ProblemError('unprocessable', detail, {
    errors: [{ pointer: '/nodes', code: 'unknown-node', detail }],
  });
}

async function stopAll(inquiry: Inquiry, nodes: readonly WireNode[], id: string) {
  const command = { kind: 'stop-drain', of: 'rebalance', id } as const;
  const { answered, unavailable } = await inquiry.askAll(nodes, command);
  return { found: answered.some(({ answer }) => answer.found), unavailable };
}

async function runsOf(
  inquiry: Inquiry,
): Promise<{ readonly runs: Runs; readonly unavailable: readonly string[] }> {
  const command = { kind: 'drains' } as const;
  const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
  const byId = new Map<string, DrainReply[]>();
  for (const { node, answer } of answered) {
    for (const drain of answer.drains) {
      if (drain.kind !== 'rebalance' || drain.id === undefined) continue;
      const own = presentDrain(node.nodeId, drain);
      byId.set(drain.id, [...(byId.get(drain.id) ?? []), own]);
    }
  }
  const runs = [...byId].map(([id, nodes]) => ({ id, state: stateOf(nodes), nodes }));
  return { runs: runs.toSorted((a, b) => (a.id < b.id ? -1 : 1)), unavailable };
}

/** It runs as long as one of its donors does; then the worst that came of any. */
function stateOf(nodes: readonly DrainReply[]): RebalanceRun['state'] {
  const states = new Set(nodes.map(({ state }) => state));
  if (states.has('waiting') || states.has('shedding') || states.has('settling')) return 'running';
  if (states.has('aborted')) return 'aborted';
  return states.has('stopped') ? 'stopped' : 'completed';
}

function presentDrain(node: string, drain: WireDrain): DrainReply {
  const { state, total, gone, remaining, endedAtMs } = drain;
  return {
    ...{ node, state, total, gone, remaining },
    connections_per_second: drain.connectionsPerSecond,
    started_at: new Date(drain.startedAtMs).toISOString(),
    ended_at: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    detail: drain.detail ?? null,
  };
}

function presentSkip({
  answered,
  unavailable,
}: {
  readonly answered: readonly {
    readonly node: WireNode;
    readonly answer: DrainAnswers['drain-skip'];
  }[];
  readonly unavailable: readonly string[];
}): DrainSkipView {
  const nodes = answered.map(({ node, answer: { untilMs = 0 } }) => {
    return { node: node.nodeId, until: untilMs > 0 ? new Date(untilMs).toISOString() : null };
  });
  return { nodes, meta: metaOf(unavailable) };
}

function presentMaintenance(node: string, sinceMs: number | undefined): MaintenanceView {
  const since = sinceMs === undefined ? null : new Date(sinceMs).toISOString();
  return { node, enabled: sinceMs !== undefined, since };
}

function absent(unavailable: readonly string[]): ProblemError {
  if (unavailable.length === 0) {
    return new ProblemError('not-found', 'No node knows a rebalance of this id');
  }
  const silent = unavailable.join(', ');
  return new ProblemError('node-unavailable', `Unknown what these nodes do: ${silent}`);
}

import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  BRIDGE_RULE_FILTERS,
  conditionsOf,
  type BridgeRuleCreate,
  type BridgeRuleState,
  type BridgeRuleView,
  type Input,
  type List,
  type WireRuleChange,
  type WireStoredRule,
} from '#libs/api-contracts';
import { faulty } from './access-presenter.ts';
import { meetsInState } from './bridge-filter.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { compareText } from './cluster/merge.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf, requireMatch } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentRule, presentRuleState, wireRuleOf } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

const RULES = new Definitions('rule');

/** Rules with what nodes say of them. */
interface Survey {
  /** In their order. */
  readonly rules: readonly WireStoredRule[];
  readonly orderRevision: number;
  /** The place in that order, from 1. */
  readonly positionOf: (stored: WireStoredRule) => number;
  /** By node, in the order of their ids. */
  readonly states: (stored: WireStoredRule) => BridgeRuleState[];
  /** Nodes that did not answer. */
  readonly unavailable: readonly string[];
}

/** Bridge rules: those of the configuration can be seen, those made here can be changed. */
@Controller()
export class BridgeRulesController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listBridgeRules')
  async list(
    @Checked() { query }: Input<'listBridgeRules'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BridgeRuleView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { rules, orderRevision, positionOf, states, unavailable } = await survey(
      this.cluster.inquire(),
    );
    void reply.header('etag', etagOf(orderRevision));
    const conditions = conditionsOf(BRIDGE_RULE_FILTERS, query);
    const rest = rules
      .filter(({ rule }) => rule.id > after)
      .map((stored) => ({
        ...presentRule(stored),
        position: positionOf(stored),
        states: states(stored),
      }))
      .filter((view) => meetsInState(conditions, view))
      .toSorted((a, b) => compareText(a.id, b.id));
    const page = rest.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: page,
      after: rest.length > page.length ? page.at(-1)?.id : undefined,
      unavailable,
    });
  }

  @Route('orderBridgeRules')
  async order(
    @Checked() { body }: Input<'orderBridgeRules'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ ids: string[] }> {
    const { ids } = body;
    const inquiry = this.cluster.inquire();
    const { orderRevision: revision } = await inquiry.read({ kind: 'rules' });
    requireMatch(ifMatch, revision);
    const change = await inquiry.change({ kind: 'order-rules', ids, revision });
    if (change.kind === 'invalid') throw faulty('/ids', change.detail);
    if (change.kind === 'conflict') {
      throw new ProblemError('precondition-failed', 'The order has changed');
    }
    void reply.header('etag', etagOf(change.revision));
    return { ids };
  }

  @Route('createBridgeRule')
  async create(
    @Checked() { body }: Input<'createBridgeRule'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeRuleView> {
    const rule = wireRuleOf(body);
    const change = await this.cluster.inquire().change({ kind: 'put-rule', rule });
    if (change.kind === 'conflict' || change.kind === 'read-only') {
      throw RULES.exists();
    }
    const stored = storedOf(change);
    void reply.header('location', `/api/v1/bridge-rules/${stored.rule.id}`);
    return shown(stored, reply);
  }

  @Route('getBridgeRule')
  async show(
    @Checked() { path }: Input<'getBridgeRule'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeRuleView | undefined> {
    const { rules, states } = await survey(this.cluster.inquire());
    const stored = found(rules, path.rule_id);
    const view = { ...presentRule(stored), states: states(stored) };
    return RULES.shownUnless(known, { revision: stored.revision, reply }, view);
  }

  @Route('replaceBridgeRule')
  async replace(
    @Checked() { path, body }: Input<'replaceBridgeRule'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeRuleView> {
    const { rule_id: id } = path;
    RULES.requireSame(body.id, id);
    const inquiry = this.cluster.inquire();
    const rule = wireRuleOf({ ...body, id } satisfies BridgeRuleCreate);
    if (RULES.createsOnly(request)) {
      const change = await inquiry.change({ kind: 'put-rule', rule });
      if (change.kind === 'read-only') throw RULES.refused('conflict');
      const view = shown(storedOf(change), reply);
      void reply.status(201);
      return view;
    }
    const { revision } = await findOwn(inquiry, id, request.headers['if-match']);
    return shown(storedOf(await inquiry.change({ kind: 'put-rule', rule, revision })), reply);
  }

  @Route('patchBridgeRule')
  async patch(
    @Checked() { path, body }: Input<'patchBridgeRule'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeRuleView> {
    const inquiry = this.cluster.inquire();
    const stored = await findOwn(inquiry, path.rule_id, ifMatch);
    const { revision } = stored;
    const rule = { ...stored.rule, ...body };
    if (rule.enabled === stored.rule.enabled) return shown(stored, reply);
    return shown(storedOf(await inquiry.change({ kind: 'put-rule', rule, revision })), reply);
  }

  @Route('deleteBridgeRule')
  async delete(
    @Checked() { path }: Input<'deleteBridgeRule'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const { rule_id: id } = path;
    const inquiry = this.cluster.inquire();
    const { revision } = await findOwn(inquiry, id, ifMatch);
    storedOf(await inquiry.change({ kind: 'remove-rule', id, revision }));
  }
}

/** The rules, and how each fares on the nodes that answer. */
async function survey(inquiry: Inquiry): Promise<Survey> {
  const nodes = await inquiry.nodes();
  const [{ rules, orderRevision }, { answered, unavailable }] = await Promise.all([
    inquiry.read({ kind: 'rules' }),
    inquiry.askAll(nodes, { kind: 'rule-states' }),
  ]);
  const states = ({ rule }: WireStoredRule): BridgeRuleState[] =>
    answered.flatMap(({ node, answer }) =>
      answer.states
        .filter(({ id }) => id === rule.id)
        .map((state) => presentRuleState(node.nodeId, state)),
    );
  const positionOf = (stored: WireStoredRule): number => rules.indexOf(stored) + 1;
  return { rules, orderRevision, positionOf, states, unavailable };
}

function found(rules: readonly WireStoredRule[], id: string): WireStoredRule {
  const stored = rules.find(({ rule }) => rule.id === id);
  if (stored === undefined) throw RULES.refused('absent');
  return stored;
}

/** The rule, if it may be changed and its author has seen this revision of it. */
async function findOwn(
  inquiry: Inquiry,
  id: string,
  ifMatch: string | undefined,
): Promise<WireStoredRule> {
  const { rules } = await inquiry.read({ kind: 'rules' });
  return RULES.own(
    rules.find(({ rule }) => rule.id === id),
    ifMatch,
  );
}

function shown(stored: WireStoredRule, reply: FastifyReply): BridgeRuleView {
  void reply.header('etag', etagOf(stored.revision));
  return presentRule(stored);
}

function storedOf(change: WireRuleChange): WireStoredRule {
  switch (change.kind) {
    case 'stored':
      return change.stored;
    case 'invalid':
      throw new ProblemError('unprocessable', change.detail);
    case 'conflict':
    case 'absent':
    case 'read-only':
      throw RULES.refused(change.kind);
  }
}

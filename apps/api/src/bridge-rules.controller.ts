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
import { meetsInState } from './bridge-filter.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { compareText } from './cluster/merge.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentRule, presentRuleState, wireRuleOf } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

const RULES = new Definitions('rule');

/** Rules with what nodes say of them. */
interface Survey {
  readonly rules: readonly WireStoredRule[];
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
    const { rules, states, unavailable } = await survey(this.cluster.inquire());
    const conditions = conditionsOf(BRIDGE_RULE_FILTERS, query);
    const rest = rules
      .filter(({ rule }) => rule.id > after)
      .map((stored) => ({ ...presentRule(stored), states: states(stored) }))
      .filter((view) => meetsInState(conditions, view))
      .toSorted((a, b) => compareText(a.id, b.id));
    const page = rest.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: page,
      after: rest.length > page.length ? page.at(-1)?.id : undefined,
      unavailable,
    });
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
  const [{ rules }, { answered, unavailable }] = await Promise.all([
    inquiry.read({ kind: 'rules' }),
    inquiry.askAll(nodes, { kind: 'rule-states' }),
  ]);
  const states = ({ rule }: WireStoredRule): BridgeRuleState[] =>
    answered.flatMap(({ node, answer }) =>
      answer.states
        .filter(({ id }) => id === rule.id)
        .map((state) => presentRuleState(node.nodeId, state)),
    );
  return { rules, states, unavailable };
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

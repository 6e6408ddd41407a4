import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ACL_RULE_FILTERS,
  aclRuleWishSchema,
  conditionsOf,
  type AclRuleList,
  type AclRuleView,
  type BulkResults,
  type Input,
  type ListedAclRule,
  type WireAcl,
} from '#libs/api-contracts';
import {
  ACL_RULES,
  edited,
  listedRulesOf,
  meetsRule,
  ordered,
  storedRulesOf,
  tagOfRule,
  type AclEdit,
  type StoredRules,
} from './acl-rule-list.ts';
import type { Cluster } from './cluster/cluster.ts';
import {
  bulkResults,
  refusedItem,
  splitBulk,
  type BulkItem,
  type BulkResult,
} from './http/bulk.ts';
import { etagOf, namesTag, requireMatch } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** How often a change is tried while others change the list. */
const TRIES_MAX = 5;

const STATUS = { create: 201, replace: 200, delete: 204 } as const;

/** Makes the list of what it is at this moment; may be called again when somebody else was faster. */
type Change = (rules: StoredRules) => StoredRules;

/** The general rules of who may do what. */
@Controller()
export class AclRulesController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listAclRules')
  async list(
    @Checked() { query }: Input<'listAclRules'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AclRuleList | undefined> {
    const exchange = { request, reply };
    const after = this.pages.position<{ readonly id: string; readonly place: number }>(exchange);
    const acl = await this.cluster.inquire().read({ kind: 'acl' });
    const tag = etagOf(acl.revision);
    void reply.header('etag', tag);
    const { 'if-none-match': known } = request.headers;
    if (known !== undefined && namesTag(known, tag)) {
      void reply.status(304);
      return undefined;
    }
    const conditions = conditionsOf(ACL_RULE_FILTERS, query);
    const wanted = listedRulesOf(acl).filter((rule) => meetsRule(rule, conditions));
    const found = wanted.findIndex(({ id }) => id === after?.id);
    const from = after === undefined ? 0 : found === -1 ? after.place : found + 1;
    const items = wanted.slice(from, from + query.limit);
    const end = from + items.length;
    const last = end < wanted.length ? items.at(-1) : undefined;
    const position = last && { id: last.id, place: end };
    const slice = { items, after: position, unavailable: [] };
    return { ...this.pages.list(exchange, query.limit, slice), default_effect: acl.fallback };
  }

  @Route('createAclRule')
  async create(
    @Checked() { body }: Input<'createAclRule'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListedAclRule> {
    const rule = await this.#created(body);
    void reply.header('location', `/api/v1/acl-rules/${encodeURIComponent(rule.id)}`);
    return shown(rule, reply);
  }

  @Route('orderAclRules')
  async order(
    @Checked() { body }: Input<'orderAclRules'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ ids: string[] }> {
    const inquiry = this.cluster.inquire();
    const acl = await inquiry.read({ kind: 'acl' });
    requireMatch(ifMatch, acl.revision);
    const rules = ordered(storedRulesOf(acl), body.ids);
    const change = await inquiry.change({ kind: 'put-acl', rules, revision: acl.revision });
    if (change.kind === 'conflict') {
      throw new ProblemError('precondition-failed', 'The rules have changed');
    }
    if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
    void reply.header('etag', etagOf(change.revision));
    return { ids: rules.map(({ id }) => id) };
  }

  @Route('changeAclRules')
  async change(@Checked() { query, body }: Input<'changeAclRules'>): Promise<BulkResults> {
    const { items, refused } = splitBulk(aclRuleWishSchema, body, (wish): AclEdit => {
      const { op, ...rule } = wish;
      return op === 'delete' ? { op, id: wish.id } : { op, rule: rule as AclRuleView };
    });
    let results: readonly BulkResult[] = [];
    const apply: Change = (rules) => {
      const made = editedAll(rules, items);
      const isWhole = refused.length === 0 && made.results.every(({ problem }) => !problem);
      results = query.atomic && !isWhole ? made.results.map(notDone) : made.results;
      return query.dry_run || (query.atomic && !isWhole) ? rules : made.rules;
    };
    await this.#change(apply);
    return bulkResults([...refused, ...results]);
  }

  @Route('getAclRule')
  async show(
    @Checked() { path }: Input<'getAclRule'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListedAclRule | undefined> {
    const acl = await this.cluster.inquire().read({ kind: 'acl' });
    const rule = shown(found(acl, path.rule_id), reply);
    if (known === undefined || !namesTag(known, tagOfRule(rule))) return rule;
    void reply.status(304);
    return undefined;
  }

  @Route('replaceAclRule')
  async replace(
    @Checked() { path, body }: Input<'replaceAclRule'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListedAclRule> {
    const { rule_id: id } = path;
    ACL_RULES.requireSame(body.id, id);
    if (ACL_RULES.createsOnly(request)) {
      const rule = await this.#created({ ...body, id }).catch((error: unknown) => {
        const isThere = error instanceof ProblemError && error.code === 'already-exists';
        throw isThere ? ACL_RULES.refused('conflict') : error;
      });
      void reply.status(201);
      return shown(rule, reply);
    }
    const ifMatch = required(request.headers['if-match']);
    const edit = { op: 'replace', rule: { ...body, id }, ifMatch } as const;
    const acl = await this.#change((rules) => edited(rules, edit));
    return shown(found(acl, id), reply);
  }

  @Route('deleteAclRule')
  async delete(
    @Checked() { path }: Input<'deleteAclRule'>,
    @Headers('if-match') given: string | undefined,
  ): Promise<void> {
    const edit = { op: 'delete', id: path.rule_id, ifMatch: required(given) } as const;
    await this.#change((rules) => edited(rules, edit));
  }

  async #created(rule: AclRuleView): Promise<ListedAclRule> {
    const acl = await this.#change((rules) => edited(rules, { op: 'create', rule }));
    const id = storedRulesOf(acl).at(-1)?.id ?? '';
    return found(acl, id);
  }

  /** Changes the list as it is at this moment, and gives what it has become. */
  async #change(make: Change): Promise<WireAcl> {
    const inquiry = this.cluster.inquire();
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const acl = await inquiry.read({ kind: 'acl' });
      const before = storedRulesOf(acl);
      const stored = make(before);
      if (stored === before) return acl;
      const { revision } = acl;
      const change = await inquiry.change({ kind: 'put-acl', rules: stored, revision });
      if (change.kind === 'stored') return { ...acl, stored, revision: change.revision };
      if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
    }
    throw new ProblemError('conflict', 'Not done: others go on to change the rules');
  }
}

function required(ifMatch: string | undefined): string {
  if (ifMatch !== undefined) return ifMatch;
  throw new ProblemError('precondition-required', 'Send If-Match with the ETag last read');
}

function found(acl: WireAcl, id: string): ListedAclRule {
  const rule = listedRulesOf(acl).find((each) => each.id === id);
  if (rule === undefined) throw ACL_RULES.refused('absent');
  return rule;
}

function shown(rule: ListedAclRule, reply: FastifyReply): ListedAclRule {
  void reply.header('etag', tagOfRule(rule));
  return rule;
}

/** Makes one change after the other, as far as they can be made. */
function editedAll(
  before: StoredRules,
  items: readonly BulkItem<AclEdit>[],
): { readonly rules: StoredRules; readonly results: readonly BulkResult[] } {
  let rules = before;
  const results = items.map(({ index, wanted }): BulkResult => {
    const known = wanted.op === 'delete' ? wanted.id : wanted.rule.id;
    try {
      rules = edited(rules, wanted);
      const id = wanted.op === 'create' ? rules.at(-1)?.id : known;
      return { index, status: STATUS[wanted.op], ...(id !== undefined && { id }) };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return refusedItem(index, error, known);
    }
  });
  return { rules, results };
}

/** What comes of an item that stood in one request with a faulty one. */
function notDone(result: BulkResult): BulkResult {
  if (result.problem !== undefined) return result;
  const problem = new ProblemError('conflict', 'Not done: another item is faulty');
  return refusedItem(result.index, problem, result.id);
}

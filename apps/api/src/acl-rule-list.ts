import { createHash } from 'node:crypto';
import { Acl } from '#libs/access';
import {
  ACL_RULES_MAX,
  type AclRuleView,
  type Condition,
  type ListedAclRule,
  type WireAcl,
  type WireAclRule,
} from '#libs/api-contracts';
import { presentRule, wireRuleOf } from './access-presenter.ts';
import { namesTag } from './http/etag.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';

/** What rules are called in problems. */
export const ACL_RULES = new Definitions('rule');

/** Ids of rules of the configuration begin so, and no others. */
const CONFIGURED = 'config:';

/** What stands below /acl-rules besides rules, and what URL libraries take for a way to elsewhere. */
const RESERVED = new Set(['order', 'bulk', '.', '..']);

/** A change of one rule; `ifMatch` is the state that its author has seen, if that is asked for. */
export type AclEdit =
  | { readonly op: 'create'; readonly rule: AclRuleView }
  | { readonly op: 'replace'; readonly rule: AclRuleView; readonly ifMatch?: string }
  | { readonly op: 'delete'; readonly id: string; readonly ifMatch?: string };

/** Rules that were set at run time; each has an id. */
export type StoredRules = readonly (WireAclRule & { readonly id: string })[];

/** The stored rules. One without an id gets one that is made of what it says. */
export function storedRulesOf({ stored }: Pick<WireAcl, 'stored'>): StoredRules {
  const ids = new Set(stored.flatMap(({ id }) => (id === undefined ? [] : [id])));
  return stored.map((rule) => {
    if (rule.id !== undefined) return { ...rule, id: rule.id };
    const made = idOf(rule);
    let id = made;
    for (let count = 2; ids.has(id); count += 1) id = `${made}-${String(count)}`;
    ids.add(id);
    return { ...rule, id };
  });
}

/** All general rules in the order in which they are asked. */
export function listedRulesOf(acl: WireAcl): readonly ListedAclRule[] {
  const configured = acl.configured.map((rule, index) =>
    listed({ ...rule, id: `${CONFIGURED}${rule.id ?? String(index)}` }, 'config'),
  );
  return [...configured, ...storedRulesOf(acl).map((rule) => listed(rule, 'api'))];
}

/** The ETag of a rule: what it says. */
export function tagOfRule(rule: ListedAclRule): string {
  return `"${digest(JSON.stringify(rule))}"`;
}

/**
 * The rules after a change.
 *
 * @throws ProblemError saying why it cannot be made.
 */
export function edited(rules: StoredRules, edit: AclEdit): StoredRules {
  const { id } = edit.op === 'delete' ? edit : edit.rule;
  const index = rules.findIndex((each) => each.id === id);
  const present = rules[index];
  if (edit.op === 'create') return created(rules, edit.rule, present !== undefined);
  if (id?.startsWith(CONFIGURED) === true) throw ACL_RULES.refused('read-only');
  if (present === undefined) throw ACL_RULES.refused('absent');
  requireSeen(edit.ifMatch, tagOfRule(listed(present, 'api')));
  if (edit.op === 'delete') return rules.toSpliced(index, 1);
  return rules.toSpliced(index, 1, { ...checkedRule(edit.rule), id: present.id });
}

/** The rules in another order. @throws ProblemError naming what is unknown, missing or there twice. */
export function ordered(rules: StoredRules, ids: readonly string[]): StoredRules {
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const next = ids.map((id, index) => {
    const rule = byId.get(id);
    byId.delete(id);
    if (rule !== undefined) return rule;
    const detail = `There is no rule ${JSON.stringify(id)}, or it is named twice`;
    const errors = [{ pointer: `/ids/${String(index)}`, code: 'unknown', detail }];
    throw new ProblemError('unprocessable', detail, { errors });
  });
  const [missing] = byId.keys();
  if (missing === undefined) return next;
  const detail = `The rule ${JSON.stringify(missing)} is missing: name all that were set here`;
  const errors = [{ pointer: '/ids', code: 'missing', detail }];
  throw new ProblemError('unprocessable', detail, { errors });
}

/** Whether a rule meets conditions; of several values one has to. */
export function meetsRule(rule: ListedAclRule, conditions: readonly Condition[]): boolean {
  return conditions.every(({ field, operator, value }) =>
    valuesOf(rule, field).some((own) =>
      operator === 'like' ? own.startsWith(String(value)) : own === value,
    ),
  );
}

function valuesOf(rule: ListedAclRule, field: string): readonly string[] {
  const { users, client_ids, groups, addresses } = rule.who ?? {};
  switch (field) {
    case 'principal': {
      const lists = { user: users, client: client_ids, group: groups, address: addresses };
      const named = Object.entries(lists).flatMap(([kind, list]) => (list ? [kind] : []));
      return named.length === 0 ? ['all'] : named;
    }
    case 'user':
      return users ?? [];
    case 'client_id':
      return client_ids ?? [];
    case 'group':
      return groups ?? [];
    case 'action':
      return rule.actions;
    case 'topic':
      return rule.topics;
    case 'effect':
      return [rule.effect];
    default:
      return [rule.source];
  }
}

function created(rules: StoredRules, rule: AclRuleView, isThere: boolean): StoredRules {
  if (isThere) throw ACL_RULES.exists();
  if (rules.length >= ACL_RULES_MAX) {
    throw new ProblemError('limit-reached', `There are ${String(ACL_RULES_MAX)} rules`);
  }
  const wire = checkedRule(rule);
  if (wire.id !== undefined && (RESERVED.has(wire.id) || wire.id.startsWith(CONFIGURED))) {
    throw fault('/id', `No rule can have the id ${JSON.stringify(wire.id)}`);
  }
  return storedRulesOf({ stored: [...rules, wire] });
}

/** A rule as nodes take it. @throws ProblemError for one that cannot be. */
function checkedRule(rule: AclRuleView): WireAclRule {
  const wire = wireRuleOf(rule);
  try {
    void new Acl([wire], 'deny');
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw fault(detail.includes('address') ? '/who/addresses' : '/topics', detail);
  }
  return wire;
}

function fault(pointer: string, detail: string): ProblemError {
  return new ProblemError('unprocessable', detail, {
    errors: [{ pointer, code: 'invalid', detail }],
  });
}

function requireSeen(ifMatch: string | undefined, tag: string): void {
  if (ifMatch === undefined || namesTag(ifMatch, tag)) return;
  throw new ProblemError('precondition-failed', 'The rule has another ETag by now', {
    headers: { etag: tag },
  });
}

function listed(
  rule: WireAclRule & { readonly id: string },
  source: ListedAclRule['source'],
): ListedAclRule {
  return { ...presentRule(rule), id: rule.id, source };
}

function idOf(rule: WireAclRule): string {
  return `rule-${digest(JSON.stringify(rule)).slice(0, 12)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

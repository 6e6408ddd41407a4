import type {
  AclRuleView,
  AclSimulation,
  Input,
  UserView,
  WireAccessRequest,
  WireAccessVerdict,
  WireAclRule,
  WireRulePlace,
  WireUser,
} from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';

type Check = Input<'simulateAcl'>['body']['checks'][number];

/** A rule as nodes take it. */
export function wireRuleOf({ who, ...rule }: AclRuleView): WireAclRule {
  const { client_ids: clientIds, ...others } = who ?? {};
  if (rule.retain !== undefined && rule.actions.includes('subscribe')) {
    throw faulty('/retain', 'retain needs actions: ["publish"]');
  }
  return present({
    ...rule,
    who: who && present({ ...others, clientIds }),
  });
}

/** A rule as the API shows it. */
export function presentRule({ who, ...rule }: WireAclRule): AclRuleView {
  const { clientIds, ...others } = who ?? {};
  return present({
    ...structuredClone(rule),
    who: who && present({ ...structuredClone(others), client_ids: clientIds && [...clientIds] }),
  }) as AclRuleView;
}

/** What somebody wants to do, as nodes take it. */
export function wireRequestOf(check: Check): WireAccessRequest {
  const { qos } = check;
  switch (check.action) {
    case 'publish':
      return { kind: 'publish', topic: check.topic, qos, retain: check.retain };
    case 'subscribe':
      return { kind: 'subscribe', filter: check.topic_filter, qos };
    case 'receive':
      return { kind: 'receive', topic: check.topic, qos };
  }
}

/** A verdict as the API shows it. */
export function presentVerdict(verdict: WireAccessVerdict): AclSimulation['results'][number] {
  const { allowed, rule, except } = verdict;
  return { allowed, rule: presentPlace(rule), except: presentPlace(except) };
}

/** A stored user as the API shows it. */
export function presentUser({
  id: name,
  groups,
  rules,
  hasScram,
  passwordSetAtMs,
}: WireUser): UserView {
  return {
    ...{ name, groups: [...groups], acl: rules.map((rule) => presentRule(rule)) },
    ...{ scram: hasScram, password_set_at: new Date(passwordSetAtMs).toISOString() },
  };
}

function presentPlace(place: WireRulePlace | undefined) {
  return place === undefined
    ? null
    : { source: place.source, index: place.index, rule: presentRule(place.rule) };
}

/** The problem of a value that cannot be. */
export function faulty(pointer: string, detail: string): ProblemError {
  const errors = [{ pointer, code: 'invalid', detail }];
  return new ProblemError('unprocessable', detail, { errors });
}

/** Without what is undefined. */
function present<T extends object>(
  value: T,
): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { readonly [K in keyof T]: Exclude<T[K], undefined> };
}

import type { AccessVerdict, AclRule, Principal, UserAccess } from '#libs/access';
import type {
  CommandOf,
  NodeAnswers,
  WireAccessVerdict,
  WireAcl,
  WireAclChange,
  WireRulePlace,
} from '#libs/api-contracts';
import type { BrokerNode } from '#libs/broker-core';
import type { GeneralRules } from '../general-rules.ts';

/** What commands on access work on. */
export interface AccessCommandsOptions {
  readonly node: Pick<BrokerNode, 'decide'> & {
    readonly admin: Pick<BrokerNode['admin'], 'principalOf'>;
  };
  readonly rules: GeneralRules;
  /** What a user has besides the general rules, be it of the configuration or stored. */
  readonly accessOf: (user: string) => Promise<UserAccess | undefined>;
}

/** Who may do what, as the API sees it. */
export class AccessCommands {
  readonly #options: AccessCommandsOptions;

  constructor(options: AccessCommandsOptions) {
    this.#options = options;
  }

  async acl(): Promise<WireAcl> {
    const { rules } = this.#options;
    const { configured, fallback } = rules;
    const stored = await rules.stored();
    return { configured, fallback, stored: stored.rules, revision: stored.revision };
  }

  async putAcl({ rules, revision }: CommandOf<'put-acl'>): Promise<WireAclChange> {
    const result = await this.#options.rules.replace(rules, revision);
    if (result.kind === 'stored') return { kind: 'stored', revision: result.stored.revision };
    return result.kind === 'invalid' ? result : { kind: 'conflict' };
  }

  /** Decided by the function that decides for clients. */
  async simulate({
    subject,
    requests,
  }: CommandOf<'simulate-access'>): Promise<NodeAnswers['simulate-access']> {
    const { accessOf } = this.#options;
    const { clientId, username, address, certificateName } = subject;
    const own = username === undefined ? undefined : await accessOf(username);
    const principal: Principal = {
      ...{ user: username, clientId, address, listener: '' },
      groups: [...(own?.groups ?? []), ...subject.groups],
      rules: own?.rules ?? [],
      ...(certificateName !== undefined && {
        certificate: { commonName: certificateName, sans: [] },
      }),
    };
    return { verdicts: await this.#verdicts(principal, requests) };
  }

  /** For a client of this node, with the groups and rules that it has shown. */
  async check({
    clientId,
    requests,
  }: CommandOf<'check-access'>): Promise<NodeAnswers['check-access']> {
    const { node, accessOf } = this.#options;
    const known = node.admin.principalOf(clientId);
    if (known === undefined) return {};
    const hasNone = known.groups.length === 0 && known.rules.length === 0;
    const own =
      hasNone && known.user !== undefined && known.user !== ''
        ? await accessOf(known.user)
        : undefined;
    return { verdicts: await this.#verdicts({ ...known, ...own }, requests) };
  }

  async #verdicts(
    principal: Principal,
    requests: CommandOf<'check-access'>['requests'],
  ): Promise<readonly WireAccessVerdict[]> {
    const { node, rules } = this.#options;
    const stored = (await rules.stored()).rules;
    const lists = { user: principal.rules, config: rules.configured, api: stored };
    return requests.map((request) => verdictOf(node.decide(principal, request), lists));
  }
}

type RuleLists = Readonly<Record<WireRulePlace['source'], readonly AclRule[]>>;

function verdictOf({ allowed, rule, except }: AccessVerdict, lists: RuleLists): WireAccessVerdict {
  return { allowed, rule: rule && placeOf(rule, lists), except: except && placeOf(except, lists) };
}

/** Where a rule stands. The rules in force may be some milliseconds older than those stored, so equal ones are the same. */
function placeOf(rule: AclRule, lists: RuleLists): WireRulePlace | undefined {
  const text = JSON.stringify(rule);
  for (const source of ['user', 'config', 'api'] as const) {
    const index = lists[source].findIndex((each) => each === rule || JSON.stringify(each) === text);
    if (index !== -1) return { source, index, rule };
  }
  return { source: 'api', index: -1, rule };
}

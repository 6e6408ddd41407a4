import { filterCovers, filterFault, filtersMeet, parseShare, plainFilter } from '#libs/topic-index';
import type { Principal } from '../principal.ts';
import { saslprep } from '../saslprep.ts';
import type { AclEffect, AclRule, AclSubjects } from './acl-rule.ts';
import { AddressRange } from './address-range.ts';
import { TopicPattern } from './topic-pattern.ts';

/** What a client wants to do. */
export type AccessRequest =
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly qos: 0 | 1 | 2;
      readonly retain: boolean;
    }
  /** `filter` as SUBSCRIBE carries it, `$share` or `$exclusive` included. */
  | { readonly kind: 'subscribe'; readonly filter: string; readonly qos: 0 | 1 | 2 }
  /** A message comes to it by a subscription that it has. */
  | { readonly kind: 'receive'; readonly topic: string; readonly qos: 0 | 1 | 2 };

/** Whether a client may do something, and what says so. */
export interface AccessVerdict {
  readonly allowed: boolean;
  /** The rule that has decided; undefined for the default. */
  readonly rule: AclRule | undefined;
  /**
   * A rule that denies some of the topics of a filter that is allowed otherwise: the client may subscribe, and each message has
   * to be asked for as `receive`.
   */
  readonly except?: AclRule;
}

/** A general rule, its place, and what has been made of it so far. */
interface Entry {
  readonly rule: AclRule;
  readonly order: number;
  patterns?: readonly TopicPattern[];
  ranges?: readonly AddressRange[];
  /** The names of its users as clients have them. */
  users?: ReadonlySet<string>;
}

/** A rule as it is for one principal. */
interface OwnRule {
  readonly rule: AclRule;
  readonly isAllow: boolean;
  /** Which requests it is for: bits of {@link slotOf}. */
  readonly slots: number;
  readonly filters: readonly (readonly string[])[];
}

const SUBSCRIBE_SLOT = 6;

/** The kinds of requests that rules tell apart: PUBLISH by QoS and RETAIN, SUBSCRIBE and delivery by QoS. */
export function slotOf(request: AccessRequest): number {
  if (request.kind !== 'publish') return SUBSCRIBE_SLOT + request.qos;
  return publishSlot(request.qos, request.retain);
}

/** The slot of a PUBLISH. */
export function publishSlot(qos: 0 | 1 | 2, retain: boolean): number {
  return 2 * qos + (retain ? 1 : 0);
}

/** The slot of a delivery, and of a SUBSCRIBE. */
export function subscribeSlot(qos: 0 | 1 | 2): number {
  return SUBSCRIBE_SLOT + qos;
}

/**
 * An access control list: ordered rules, of which the first that fits decides, and a default.
 *
 * @remarks Rules that name users, client ids or groups are found by them, so that a million rules of others cost a client
 * nothing. A rule is taken apart when a client first needs it.
 */
export class Acl {
  readonly #isAllowed: boolean;
  readonly #byUser = new Map<string, Entry[]>();
  readonly #byClientId = new Map<string, Entry[]>();
  readonly #byGroup = new Map<string, Entry[]>();
  readonly #others: Entry[] = [];

  /** @throws Error for a rule with a topic, an address or a user name that is none. */
  constructor(rules: Iterable<AclRule>, fallback: AclEffect) {
    this.#isAllowed = fallback === 'allow';
    let order = 0;
    for (const rule of rules) {
      check(rule);
      this.#add({ rule, order });
      order += 1;
    }
  }

  /** Decides for a principal; for many requests of one, keep {@link for}. */
  decide(principal: Principal, request: AccessRequest): AccessVerdict {
    return this.for(principal).decide(request);
  }

  /** The rules that are for a principal, in their order: its own first. */
  for(principal: Principal): PrincipalAcl {
    const { user, clientId, groups } = principal;
    const found = new Set<Entry>(this.#others);
    const add = (entries: readonly Entry[] | undefined): void => {
      for (const entry of entries ?? []) found.add(entry);
    };
    if (user !== undefined) add(this.#byUser.get(user));
    add(this.#byClientId.get(clientId));
    for (const group of groups) add(this.#byGroup.get(group));
    const general = [...found]
      .filter((entry) => isFor(entry, principal))
      .sort((one, other) => one.order - other.order)
      .map((entry) => ownRuleOf(entry, principal));
    const own = principal.rules
      .map((rule, order): Entry => ({ rule, order }))
      .filter((entry) => isFor(entry, principal))
      .map((entry) => ownRuleOf(entry, principal));
    return new PrincipalAcl([...own, ...general], this.#isAllowed);
  }

  #add(entry: Entry): void {
    const { users, clientIds, groups } = entry.rule.who ?? {};
    if (users !== undefined) index(this.#byUser, users.map(preparedName), entry);
    else if (clientIds !== undefined) index(this.#byClientId, clientIds, entry);
    else if (groups !== undefined) index(this.#byGroup, groups, entry);
    else this.#others.push(entry);
  }
}

/** What an access control list says to one principal. */
export class PrincipalAcl {
  readonly #rules: readonly OwnRule[];
  readonly #isAllowed: boolean;

  /** @internal */
  constructor(rules: readonly OwnRule[], isAllowed: boolean) {
    this.#rules = rules;
    this.#isAllowed = isAllowed;
  }

  /** Whether there is no rule for it, and the default says all; undefined when there are. */
  get verdictOnAll(): boolean | undefined {
    return this.#rules.length === 0 ? this.#isAllowed : undefined;
  }

  /** Whether the principal may do something, and which rule says so. */
  decide(request: AccessRequest): AccessVerdict {
    const slot = slotOf(request);
    if (request.kind === 'subscribe') return this.#subscribe(request.filter, slot);
    const rule = this.#find(request.topic, slot);
    return { allowed: rule?.isAllow ?? this.#isAllowed, rule: rule?.rule };
  }

  /** The same for a topic, without saying why. */
  allows(topic: string, slot: number): boolean {
    return this.#find(topic, slot)?.isAllow ?? this.#isAllowed;
  }

  #find(topic: string, slot: number): OwnRule | undefined {
    const bit = 1 << slot;
    const levels = topic.split('/');
    const isSystem = topic.startsWith('$');
    for (const rule of this.#rules) {
      if ((rule.slots & bit) === 0) continue;
      for (const filter of rule.filters) if (levelsMatch(filter, levels, isSystem)) return rule;
    }
    return undefined;
  }

  /**
   * The first rule that is for every topic of the filter decides. One that denies some of them before it leaves the rest, but
   * of a shared subscription: what one member may not have would be lost to the others.
   */
  #subscribe(whole: string, slot: number): AccessVerdict {
    const shared = parseShare(whole);
    const filter = shared?.filter ?? plainFilter(whole);
    const bit = 1 << slot;
    let except: AclRule | undefined;
    for (const { rule, isAllow, slots, filters } of this.#rules) {
      if ((slots & bit) === 0) continue;
      const texts = filters.map((levels) => levels.join('/'));
      if (texts.some((text) => filterCovers(text, filter))) {
        return subscribeVerdict({ isAllow, rule, except, isShared: shared !== undefined });
      }
      if (isAllow || except !== undefined) continue;
      if (texts.some((text) => filtersMeet(text, filter))) except = rule;
    }
    const isShared = shared !== undefined;
    return subscribeVerdict({ isAllow: this.#isAllowed, rule: undefined, except, isShared });
  }
}

function subscribeVerdict(found: {
  readonly isAllow: boolean;
  readonly rule: AclRule | undefined;
  readonly except: AclRule | undefined;
  readonly isShared: boolean;
}): AccessVerdict {
  const { isAllow, rule, except, isShared } = found;
  if (!isAllow || except === undefined) return { allowed: isAllow, rule };
  return isShared ? { allowed: false, rule: except } : { allowed: true, rule, except };
}

function check({ topics, who }: AclRule): void {
  for (const topic of topics) {
    const fault = filterFault(topic, Infinity);
    if (fault !== undefined || plainFilter(topic) !== topic || parseShare(topic) !== undefined) {
      throw new Error(`a rule has a topic that is no plain filter: ${topic}`);
    }
    if (TopicPattern.parse(topic) === undefined) {
      throw new Error(`a rule has a topic with a placeholder that nobody knows: ${topic}`);
    }
  }
  for (const address of who?.addresses ?? []) {
    if (AddressRange.parse(address) === undefined) throw new Error(`no address: ${address}`);
  }
}

function index(map: Map<string, Entry[]>, keys: readonly string[], entry: Entry): void {
  for (const key of new Set(keys)) {
    const entries = map.get(key);
    if (entries === undefined) map.set(key, [entry]);
    else entries.push(entry);
  }
}

/** A name as the users of a node have it; one that nobody can have is never found. */
function preparedName(name: string): string {
  const prepared = saslprep(name);
  return prepared.kind === 'prepared' ? prepared.text : name;
}

function isFor(entry: Entry, { user, clientId, groups, address }: Principal): boolean {
  const { who } = entry.rule;
  if (who === undefined) return true;
  if (who.users !== undefined && !(user !== undefined && usersOf(entry, who).has(user)))
    return false;
  if (who.clientIds?.includes(clientId) === false) return false;
  if (who.groups?.some((group) => groups.includes(group)) === false) return false;
  return who.addresses === undefined || rangesOf(entry, who).some((range) => range.has(address));
}

function usersOf(entry: Entry, { users = [] }: AclSubjects): ReadonlySet<string> {
  return (entry.users ??= new Set(users.map(preparedName)));
}

function rangesOf(entry: Entry, { addresses = [] }: AclSubjects): readonly AddressRange[] {
  entry.ranges ??= addresses
    .map((address) => AddressRange.parse(address))
    .filter((range) => range !== undefined);
  return entry.ranges;
}

function ownRuleOf(entry: Entry, principal: Principal): OwnRule {
  const { rule } = entry;
  entry.patterns ??= rule.topics
    .map((topic) => TopicPattern.parse(topic))
    .filter((pattern) => pattern !== undefined);
  const filters = entry.patterns
    .map((pattern) => pattern.levelsFor(principal))
    .filter((levels) => levels !== undefined);
  return { rule, isAllow: rule.effect === 'allow', slots: slotsOf(rule), filters };
}

function slotsOf({ actions, qos = [0, 1, 2], retain }: AclRule): number {
  let slots = 0;
  for (const level of qos) {
    if (actions.includes('subscribe')) slots |= 1 << subscribeSlot(level);
    if (!actions.includes('publish')) continue;
    if (retain !== true) slots |= 1 << publishSlot(level, false);
    if (retain !== false) slots |= 1 << publishSlot(level, true);
  }
  return slots;
}

/** matches() of the topic index, for what is split already. */
function levelsMatch(
  wanted: readonly string[],
  levels: readonly string[],
  isSystem: boolean,
): boolean {
  if (isSystem && (wanted[0] === '+' || wanted[0] === '#')) return false; // [MQTT-4.7.2-1]
  const { length } = wanted;
  for (let depth = 0; depth < length; depth += 1) {
    const level = wanted[depth];
    if (level === '#') return true;
    if (depth === levels.length || (level !== '+' && level !== levels[depth])) return false;
  }
  return length === levels.length;
}

import type {
  AccessRequest,
  AccessVerdict,
  Acl,
  ClientAccess,
  Principal,
  UserAccess,
} from '#libs/access';
import { PublishError, type Log, type Meter, type StoredWill } from '#libs/broker-ports';
import type { QoS } from '#libs/mqtt-codec';
import type { AccessParts, DeniedPublish } from './access-parts.ts';
import { isDelayed, parseDelayed } from './delayed-topic.ts';
import type { SessionEntry } from './session-entry.ts';
import { spreadWork } from './spread-work.ts';
import type { Tracing } from './tracing.ts';

/** A message, as far as access is concerned. */
interface Publication {
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
}

/**
 * Applies the access control list of a node, under the broker's names: after rewrite rules, aliases and mountpoints.
 *
 * @remarks Without a list clients have no ClientAccess, and nothing is asked. Messages to a client are asked for one by one only
 * where its subscriptions do not say enough: one of them is allowed in part, its session was there before its connection, or
 * rights have changed since.
 */
export class AccessGuard {
  readonly #parts: {
    readonly access?: AccessParts | undefined;
    readonly meter: Meter;
    readonly log: Log;
    readonly tracing?: Tracing | undefined;
    readonly defer: (run: () => void) => void;
  };
  readonly #sessions: () => Iterable<SessionEntry>;
  readonly #revoke: (entry: SessionEntry, filters: readonly string[]) => void;
  /** Who has left a will here. Of one that comes from another node it is known that it was allowed at its CONNECT. */
  readonly #wills = new WeakMap<StoredWill, ClientAccess>();

  constructor(
    parts: {
      readonly access?: AccessParts | undefined;
      readonly meter: Meter;
      readonly log: Log;
      readonly tracing?: Tracing | undefined;
      readonly defer: (run: () => void) => void;
    },
    own: {
      readonly sessions: () => Iterable<SessionEntry>;
      /** Ends subscriptions that a session may not have any more. */
      readonly revoke: (entry: SessionEntry, filters: readonly string[]) => void;
    },
  ) {
    this.#parts = parts;
    this.#sessions = own.sessions;
    this.#revoke = own.revoke;
  }

  /** What is done with a denied PUBLISH that no acknowledgement can refuse. */
  get deniedPublish(): DeniedPublish {
    return this.#parts.access?.deniedPublish ?? 'close';
  }

  /** The access of a client that has proven who it is; undefined when there is no access control. */
  admit(principal: Principal): ClientAccess | undefined {
    return this.#parts.access?.control.admit(principal);
  }

  /** What a client may do, and which rule says so, decided as for clients that are connected. */
  decide(principal: Principal, request: AccessRequest): AccessVerdict {
    const { access } = this.#parts;
    if (access === undefined) return { allowed: true, rule: undefined };
    const isDue = request.kind === 'publish' && isDelayed(request.topic);
    const asked = isDue ? { ...request, topic: dueTopic(request.topic) } : request;
    return access.control.acl.decide(principal, asked);
  }

  /** A delayed message is judged by the topic that it is for. */
  mayPublish(access: ClientAccess, { topic, qos, retain }: Publication): boolean {
    const isAllowed = access.mayPublish(isDelayed(topic) ? dueTopic(topic) : topic, qos, retain);
    const source = access.wasCached ? 'cache' : 'acl';
    this.#parts.meter.authorized('publish', isAllowed ? 'allowed' : 'denied', source);
    if (!isAllowed) this.#tellDenied(access.principal, { kind: 'publish', topic, qos, retain });
    return isAllowed;
  }

  /** Remembers who leaves a will. */
  willLeft(will: StoredWill, access: ClientAccess): void {
    this.#wills.set(will, access);
  }

  /** Why a will may not be published, if the right was taken away since the CONNECT. */
  willRefusal(will: StoredWill): PublishError | undefined {
    const access = this.#wills.get(will);
    if (access === undefined || this.mayPublish(access, will.message)) return undefined;
    this.#parts.meter.publishRejected('acl');
    return new PublishError('NOT_AUTHORIZED', 'the right was taken away');
  }

  /** Whether a session may have a subscription; from then on its messages are asked for if it may have some of them only. */
  admits(entry: SessionEntry, request: { readonly filter: string; readonly qos: QoS }): boolean {
    const verdict = entry.access?.subscribe(request.filter, request.qos);
    if (verdict?.except !== undefined) entry.guardDeliveries(true);
    if (verdict?.allowed !== false || entry.access === undefined) return true;
    this.#tellDenied(entry.access.principal, { kind: 'subscribe', ...request });
    return false;
  }

  /** A client has connected: what it had subscribed to, or another user under its client id, it may not have any more. */
  joined(entry: SessionEntry, access: ClientAccess | undefined, isResumed: boolean): void {
    entry.access = access;
    entry.guardDeliveries(isResumed && access !== undefined);
    if (isResumed) this.#recheck(entry);
  }

  /** Replaces the general rules, and ends the subscriptions that they do not allow. */
  replace(acl: Acl): void {
    this.#parts.access?.control.replace(acl);
    spreadWork(this.#recheckAll(), this.#parts.defer);
  }

  /** A client has other groups or rules: it has proven again who it is, or its user was changed. */
  renewed(entry: SessionEntry, own: UserAccess): void {
    const { access } = entry;
    if (access === undefined) return;
    // A client may do so as often as it likes: where nothing has changed no subscription is looked at again.
    const { groups, rules } = access.principal;
    if (isSame(groups, own.groups) && isSame(rules, own.rules)) return;
    access.principal = { ...access.principal, ...own };
    entry.guardDeliveries(true);
    this.#recheck(entry);
  }

  /**
   * The user of a client is gone, and with it its own groups and rules. Its session stays, and so do its subscriptions, which
   * are looked at when somebody comes back to it.
   */
  disowned({ access }: SessionEntry): void {
    if (access === undefined) return;
    access.principal = { ...access.principal, groups: [], rules: [] };
  }

  /** Those who trace the client hear which rule it was. */
  #tellDenied(principal: Principal, request: AccessRequest): void {
    const { tracing } = this.#parts;
    if (tracing?.isOn !== true) return;
    const { clientId, user: username, listener, address } = principal;
    const topic = request.kind === 'subscribe' ? request.filter : request.topic;
    const { rule } = this.decide(principal, request);
    tracing.tell(
      { clientId, username, listener, address, version: undefined },
      { type: 'denied', action: request.kind, topic, rule },
    );
  }

  *#recheckAll(): Generator<void, void, undefined> {
    for (const entry of this.#sessions()) {
      const { access } = entry;
      if (access === undefined) continue;
      // What is queued was allowed when it came.
      entry.guardDeliveries(true);
      this.#recheck(entry);
      yield;
    }
  }

  #recheck(entry: SessionEntry): void {
    const revoked: string[] = [];
    for (const { filter, qos } of entry.subscriptions.values()) {
      if (!this.admits(entry, { filter, qos })) revoked.push(filter);
    }
    if (revoked.length === 0) return;
    const { clientId } = entry;
    this.#parts.log.info('subscriptions-revoked', { clientId, count: revoked.length });
    this.#revoke(entry, revoked);
  }
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/** Where a delayed message is published in the end; of a topic that asks for no delay in the right way, itself. */
function dueTopic(topic: string): string {
  const delay = parseDelayed(topic, Infinity);
  return typeof delay === 'string' ? topic : delay.topic;
}

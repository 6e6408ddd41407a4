import {
  StoreUnavailableError,
  type HubClient,
  type Message,
  type StoredSubscription,
} from '#libs/broker-ports';
import {
  REASON,
  type QoS,
  type ReasonCode,
  type SubscribePacket,
  type SubscriptionRequest,
  type UnsubscribePacket,
} from '#libs/mqtt-codec';
import { OPEN_RULES, SharedPublish } from '#libs/mqtt-engine';
import {
  filterFault,
  isExclusive,
  isShared,
  isWildcard,
  parseShare,
  plainFilter,
} from '#libs/topic-index';
import { reasonNameOf } from './disconnect-reason.ts';
import type { AccessGuard } from './access-guard.ts';
import type { Exclusives } from './exclusives.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { NodeParts } from './parts.ts';
import type { RetainedWriter } from './retained-writer.ts';
import { isResponseTopic } from './response-topic.ts';
import { isRoutesLate, type Router } from './router.ts';
import type { SessionEntry } from './session-entry.ts';
import { storedForm, type Subscription } from './subscription.ts';
import { isSysFilter, type SysTopics } from './sys/sys-topics.ts';

/** SUBSCRIBE and UNSUBSCRIBE of a client under way at once; while there are more it is not read from. */
const REQUESTS_MAX = 32;
/** Filters of one SUBSCRIBE that are looked at in a turn: others are served between them. */
const FILTERS_PER_TURN = 256;
const GRANTED: readonly ReasonCode[] = [REASON.success, REASON.grantedQoS1, REASON.grantedQoS2];

interface Granted {
  readonly subscription: Subscription;
  /** Undefined when the filter is new to the session. */
  readonly replaced: Subscription | undefined;
}

type Verdict = Granted | ReasonCode;

/** SUBSCRIBE and UNSUBSCRIBE: checks, index, store, the cluster's agreement, and retained messages. */
export class Subscriber {
  readonly #parts: NodeParts;
  readonly #router: Router;
  readonly #retained: RetainedWriter;
  readonly #exclusives: Exclusives;
  readonly #sys: SysTopics;
  readonly #guard: AccessGuard;
  /** What a client asks takes effect in the order in which it asks. */
  readonly #locks = new KeyedLock();
  /** Subscriptions that could not be kept, with what each had replaced: a later SUBSCRIBE may have replaced them. */
  readonly #refused = new WeakMap<Subscription, Subscription | undefined>();
  /**
   * Subscriptions whose retained messages are still to be served, by filter: one after the other, and a filter that is asked
   * for again before its turn has come once.
   */
  readonly #unserved = new Map<SessionEntry, Map<string, Subscription>>();

  constructor(
    parts: NodeParts,
    own: {
      readonly router: Router;
      readonly retained: RetainedWriter;
      readonly exclusives: Exclusives;
      readonly sys: SysTopics;
      readonly guard: AccessGuard;
    },
  ) {
    this.#parts = parts;
    this.#router = own.router;
    this.#retained = own.retained;
    this.#exclusives = own.exclusives;
    this.#sys = own.sys;
    this.#guard = own.guard;
  }

  /** SUBACK goes out when the subscriptions are stored and every live node routes to them. */
  subscribe(entry: SessionEntry, packet: SubscribePacket): Promise<void> {
    return this.#counted(entry, () => this.#subscribe(entry, packet));
  }

  unsubscribe(entry: SessionEntry, packet: UnsubscribePacket): Promise<void> {
    return this.#counted(entry, () => this.#unsubscribe(entry, packet));
  }

  async #counted(entry: SessionEntry, answer: () => Promise<void>): Promise<void> {
    entry.requests += 1;
    if (entry.requests > REQUESTS_MAX) entry.connection?.hold('requests', true);
    try {
      await answer();
    } finally {
      entry.requests -= 1;
      if (entry.requests <= REQUESTS_MAX) entry.connection?.hold('requests', false);
    }
  }

  async #subscribe(entry: SessionEntry, packet: SubscribePacket): Promise<void> {
    const { connection } = entry;
    if (packet.subscriptions.some(({ filter, noLocal }) => noLocal && isShared(filter))) {
      return entry.close(REASON.protocolError, 'No Local on a shared subscription [MQTT-3.8.3-4]');
    }
    const verdicts = await this.#locks.run(entry.clientId, () => this.#admit(entry, packet));
    const { kept, reasonCodes } = await this.#settle(entry, verdicts);
    if (entry.connection !== connection) return;
    entry.session.subscribed(packet.packetId, reasonCodes, this.#faultIn(packet));
    await this.#sendRetained(entry, kept);
  }

  /** What is wrong with the first filter that is no filter, in words. */
  #faultIn({ subscriptions }: SubscribePacket): string | undefined {
    const { topicLevelsMax } = this.#parts.limits;
    for (const { filter } of subscriptions) {
      const fault = filterFault(filter, topicLevelsMax);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** Ends subscriptions that a session may not have any more; should the store not know, the next connection ends them again. */
  revoke(entry: SessionEntry, filters: readonly string[]): Promise<boolean> {
    for (const filter of filters) {
      const subscription = entry.subscriptions.get(filter);
      if (subscription === undefined) continue;
      this.#unindex(entry, subscription);
      entry.hasLostShare ||= isShared(filter);
    }
    return this.#forget(entry, filters);
  }

  /** Subscribes a client to what it has not asked for: the access control is asked whether it may, and no SUBACK tells it. */
  async grant(entry: SessionEntry, requests: readonly SubscriptionRequest[]): Promise<void> {
    const { connection } = entry;
    const { kept, reasonCodes } = await this.#grant(entry, requests);
    if (entry.connection !== connection) return;
    if (reasonCodes.includes(REASON.unspecifiedError)) {
      return entry.close(REASON.implementationSpecificError, 'a subscription could not be kept');
    }
    await this.#sendRetained(entry, kept);
  }

  /** As grant(), for somebody who wants to know what came of it: resolves before retained messages are sent. */
  async request(
    entry: SessionEntry,
    requests: readonly StoredSubscription[],
  ): Promise<readonly ReasonCode[]> {
    const { kept, reasonCodes } = await this.#grant(entry, requests);
    this.#sendRetained(entry, kept).catch((error: unknown) =>
      this.#parts.log.warn('retained-unsent', { reason: String(error) }),
    );
    return reasonCodes;
  }

  /** Ends subscriptions that somebody else has asked to end. @throws StoreUnavailableError when the store does not know of it. */
  async withdraw(entry: SessionEntry, filters: readonly string[]): Promise<readonly ReasonCode[]> {
    const { reasonCodes, removed } = await this.#remove(entry, filters);
    if (removed.length > 0 && !(await this.#forget(entry, removed))) {
      throw new StoreUnavailableError('the session store did not answer');
    }
    return reasonCodes;
  }

  /** Has a session that was restored hold its exclusive subscriptions; those that another one holds by now end. */
  async reclaimExclusives(entry: SessionEntry): Promise<void> {
    const lost: string[] = [];
    for (const filter of entry.subscriptions.keys()) {
      if (!isExclusive(filter)) continue;
      if ((await this.#exclusives.claim(entry, filter)) !== undefined) lost.push(filter);
    }
    if (lost.length > 0) await this.withdraw(entry, lost);
  }

  async #grant(
    entry: SessionEntry,
    requests: readonly (SubscriptionRequest & { readonly subscriptionIdentifier?: number })[],
  ): Promise<{ readonly kept: readonly Granted[]; readonly reasonCodes: readonly ReasonCode[] }> {
    const { qosMax = 2 } = entry.terms?.rules ?? {};
    const verdicts = await this.#locks.run(entry.clientId, async () =>
      requests.map((request): Verdict => {
        const { filter, noLocal, subscriptionIdentifier = 0 } = request;
        const isValid = filterFault(filter, this.#parts.limits.topicLevelsMax) === undefined;
        // A rewrite rule may have made it exclusive: every client would ask for it.
        if (!isValid || isExclusive(filter)) return REASON.topicFilterInvalid;
        if (noLocal && isShared(filter)) return REASON.protocolError;
        const qos = request.qos < qosMax ? request.qos : qosMax;
        if (!this.#guard.admits(entry, { filter, qos })) return REASON.notAuthorized;
        return this.#admitOne(entry, { ...request, qos, subscriptionIdentifier, entry });
      }),
    );
    return this.#settle(entry, verdicts);
  }

  async #remove(
    entry: SessionEntry,
    filters: readonly string[],
  ): Promise<{ readonly reasonCodes: readonly ReasonCode[]; readonly removed: readonly string[] }> {
    const reasonCodes: ReasonCode[] = [];
    const removed: string[] = [];
    await this.#locks.run(entry.clientId, async () => {
      for (const filter of filters) {
        const subscription = entry.subscriptions.get(filter);
        reasonCodes.push(subscription ? REASON.success : REASON.noSubscriptionExisted);
        if (subscription === undefined) continue;
        this.#unindex(entry, subscription);
        removed.push(filter);
      }
    });
    return { reasonCodes, removed };
  }

  async #unsubscribe(entry: SessionEntry, packet: UnsubscribePacket): Promise<void> {
    const { connection } = entry;
    const { reasonCodes, removed } = await this.#remove(entry, packet.filters);
    if (removed.length > 0) {
      const isDone = await this.#forget(entry, removed);
      if (entry.connection !== connection) return;
      if (!isDone) return entry.close(REASON.serverUnavailable, 'the session store did not answer');
    }
    for (const reasonCode of reasonCodes) this.#parts.meter.unsubscribed(reasonNameOf(reasonCode));
    if (entry.connection === connection) entry.session.unsubscribed(packet.packetId, reasonCodes);
  }

  /** Keeps what is granted, or takes it back, and counts the answers. */
  async #settle(
    entry: SessionEntry,
    verdicts: readonly Verdict[],
  ): Promise<{ readonly kept: readonly Granted[]; readonly reasonCodes: readonly ReasonCode[] }> {
    const granted = verdicts.filter((verdict) => typeof verdict !== 'number');
    const isKept = granted.length === 0 || (await this.#keep(entry, granted));
    // The last one first: a filter may be there twice.
    if (!isKept) for (const verdict of granted.toReversed()) this.#restore(entry, verdict);
    const reasonCodes = verdicts.map((verdict) => {
      if (typeof verdict === 'number') return verdict;
      return isKept
        ? (GRANTED[verdict.subscription.qos] ?? REASON.success)
        : REASON.unspecifiedError;
    });
    for (const reasonCode of reasonCodes) this.#parts.meter.subscribed(reasonNameOf(reasonCode));
    return { kept: isKept ? granted : [], reasonCodes };
  }

  /** Asks for each filter, and indexes what is granted. Of a long packet no more are looked at than a session may have. */
  async #admit(entry: SessionEntry, packet: SubscribePacket): Promise<readonly Verdict[]> {
    const { subscriptions, properties } = packet;
    const subscriptionIdentifier = properties?.subscriptionIdentifier ?? 0;
    const verdicts: Verdict[] = [];
    const { subscriptionsMax } = this.#parts.limits;
    const end = Math.min(subscriptions.length, Math.max(subscriptionsMax, FILTERS_PER_TURN));
    for (let begin = 0; begin < end; begin += FILTERS_PER_TURN) {
      if (begin > 0) await new Promise<void>((resolve) => this.#parts.defer(resolve));
      const some = subscriptions.slice(begin, Math.min(end, begin + FILTERS_PER_TURN));
      verdicts.push(...(await this.#admitSome(entry, some, subscriptionIdentifier)));
    }
    while (verdicts.length < subscriptions.length) verdicts.push(REASON.quotaExceeded);
    return verdicts;
  }

  async #admitSome(
    entry: SessionEntry,
    requests: readonly SubscriptionRequest[],
    subscriptionIdentifier: number,
  ): Promise<readonly Verdict[]> {
    const answers = await Promise.all(requests.map((request) => this.#decide(entry, request)));
    return requests.map((request, index) => {
      const { qos, refusal } = answers[index] ?? {};
      if (qos === undefined) return refusal ?? REASON.unspecifiedError;
      // Rights may have been taken away while others were asked.
      if (!this.#guard.admits(entry, { filter: request.filter, qos })) {
        void this.#exclusives.release(entry, [request.filter]);
        return REASON.notAuthorized;
      }
      return this.#admitOne(entry, { ...request, qos, subscriptionIdentifier, entry });
    });
  }

  async #decide(
    entry: SessionEntry,
    request: SubscriptionRequest,
  ): Promise<{ readonly qos?: QoS; readonly refusal?: ReasonCode }> {
    const { limits, meter } = this.#parts;
    const rules = entry.terms?.rules ?? OPEN_RULES;
    const { qosMax } = rules;
    const { filter } = request;
    if (filterFault(filter, limits.topicLevelsMax) !== undefined) {
      return { refusal: REASON.topicFilterInvalid };
    }
    // Answers to requests of administrators are for them alone.
    if (isResponseTopic(parseShare(filter)?.filter ?? plainFilter(filter))) {
      return { refusal: REASON.notAuthorized };
    }
    if (!rules.wildcardSubscriptions && isWildcard(filter)) {
      return { refusal: REASON.wildcardSubscriptionsNotSupported };
    }
    if (!rules.sharedSubscriptions && isShared(filter)) {
      return { refusal: REASON.sharedSubscriptionsNotSupported };
    }
    // Any QoS may be asked for, whatever the highest one is [MQTT-3.2.2-10].
    const most = request.qos < qosMax ? request.qos : qosMax;
    const isAllowed = this.#guard.admits(entry, { filter, qos: most });
    const asked = { ...request, filter: plainFilter(filter), qos: most };
    const qos = isAllowed ? await this.#authorize(entry.client, asked) : undefined;
    meter.authorized('subscribe', qos === undefined ? 'denied' : 'allowed', 'acl');
    if (qos === undefined) return { refusal: REASON.notAuthorized };
    if (isExclusive(filter)) {
      const refusal = await this.#exclusives.claim(entry, filter);
      if (refusal !== undefined) return { refusal };
    }
    return { qos };
  }

  #admitOne(entry: SessionEntry, subscription: Subscription): Verdict {
    const { subscriptionsMax } = this.#parts.limits;
    const replaced = entry.subscriptions.get(subscription.filter);
    const isFull = entry.subscriptions.size >= subscriptionsMax;
    if (replaced === undefined && (isFull || entry.account?.subscribe() === false)) {
      void this.#exclusives.release(entry, [subscription.filter]);
      return REASON.quotaExceeded;
    }
    this.#index(entry, subscription);
    return { subscription, replaced };
  }

  #authorize(
    client: HubClient | undefined,
    request: SubscriptionRequest,
  ): Promise<QoS | undefined> {
    if (client === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#parts.hub.authorizeSubscribe(client, request, resolve));
  }

  async #keep(entry: SessionEntry, granted: readonly Granted[]): Promise<boolean> {
    const subscriptions = granted.map(({ subscription }) => storedForm(subscription));
    const written = entry.durable
      ? this.#write(entry, { kind: 'subscribe', subscriptions })
      : Promise.resolve(true);
    const announced = this.#router.announced().then(
      () => true,
      // A node that is late applies the route when it goes on; one that cannot be written down is refused.
      isRoutesLate,
    );
    const [isWritten, isAnnounced] = await Promise.all([written, announced]);
    return isWritten && isAnnounced;
  }

  async #forget(entry: SessionEntry, filters: readonly string[]): Promise<boolean> {
    const written = entry.durable
      ? this.#write(entry, { kind: 'unsubscribe', filters })
      : Promise.resolve(true);
    const released = this.#exclusives.release(entry, filters);
    const [isWritten, isReleased] = await Promise.all([written, released]);
    return isWritten && isReleased;
  }

  #write(
    entry: SessionEntry,
    operation:
      | { readonly kind: 'subscribe'; readonly subscriptions: readonly StoredSubscription[] }
      | { readonly kind: 'unsubscribe'; readonly filters: readonly string[] },
  ): Promise<boolean> {
    return new Promise((resolve) => {
      entry.write(operation, (result) => resolve(result === 'done'));
    });
  }

  /** Replaces what the filter has now: another SUBSCRIBE, or the end of the session, may have come meanwhile. */
  #index(entry: SessionEntry, subscription: Subscription): void {
    if (entry.isGone) return;
    const replaced = entry.subscriptions.get(subscription.filter);
    entry.subscriptions.set(subscription.filter, subscription);
    entry.subscribedAtMs = this.#parts.nowMs();
    // The new one first: a filter that stays is no route change.
    this.#router.add(subscription);
    if (replaced !== undefined) this.#router.remove(replaced);
    else this.#tell('subscription.added', entry, subscription);
  }

  /** What was before a SUBSCRIBE that could not be kept, and before others that could not either. */
  #restore(entry: SessionEntry, { subscription, replaced }: Granted): void {
    this.#refused.set(subscription, replaced);
    if (entry.subscriptions.get(subscription.filter) !== subscription) return;
    let before = replaced;
    while (before !== undefined && this.#refused.has(before)) before = this.#refused.get(before);
    if (before === undefined) {
      this.#unindex(entry, subscription);
      void this.#exclusives.release(entry, [subscription.filter]);
    } else this.#index(entry, before);
  }

  #unindex(entry: SessionEntry, subscription: Subscription): void {
    if (entry.subscriptions.get(subscription.filter) !== subscription) return;
    entry.subscriptions.delete(subscription.filter);
    this.#router.remove(subscription);
    this.#tell('subscription.removed', entry, subscription);
  }

  #tell(
    type: 'subscription.added' | 'subscription.removed',
    { clientId }: SessionEntry,
    { filter, qos }: Subscription,
  ): void {
    this.#parts.events?.emit({ type, clientId, detail: { filter, qos } });
  }

  /** Retained messages of a SUBSCRIBE, for each filter as if it had come alone [MQTT-3.8.4-5]. */
  async #sendRetained(entry: SessionEntry, granted: readonly Granted[]): Promise<void> {
    const wanted = granted.filter(({ subscription, replaced }) => {
      const { filter, retainHandling } = subscription;
      // No retained messages for shared subscriptions (MQTT 5, section 4.8.2).
      if (entry.subscriptions.get(filter) !== subscription || isShared(filter)) return false;
      return retainHandling === 0 || (retainHandling === 1 && replaced === undefined);
    });
    if (wanted.length === 0) return;
    const known = this.#unserved.get(entry);
    const unserved = known ?? new Map<string, Subscription>();
    for (const { subscription } of wanted) unserved.set(subscription.filter, subscription);
    if (known === undefined) await this.#serveAll(entry, unserved);
  }

  /** Whoever asks meanwhile adds to the map and does not wait: a client is read from while it is served, for its PUBACKs. */
  async #serveAll(entry: SessionEntry, unserved: Map<string, Subscription>): Promise<void> {
    this.#unserved.set(entry, unserved);
    try {
      for (const [filter, subscription] of unserved) {
        unserved.delete(filter);
        // What was published before the SUBSCRIBE must be seen.
        await this.#retained.idle();
        for await (const messages of this.#retainedFor(plainFilter(filter))) {
          if (!(await this.#serveSome(entry, messages, subscription))) break;
        }
      }
    } finally {
      this.#unserved.delete(entry);
    }
  }

  /** Serves messages as the client takes them; false when it has gone and left no room, or wants no more [MQTT-3.10.4-2]. */
  async #serveSome(
    entry: SessionEntry,
    messages: readonly Message[],
    subscription: Subscription,
  ): Promise<boolean> {
    for (const message of messages) {
      while (entry.isBehind) {
        if (entry.connection === undefined) return false;
        await entry.connection.whenMoved();
      }
      if (!entry.subscriptions.has(subscription.filter)) return false;
      this.#serve(entry, message, subscription);
    }
    return true;
  }

  async *#retainedFor(filter: string): AsyncGenerator<readonly Message[], void, undefined> {
    if (isSysFilter(filter)) return yield this.#sys.match(filter);
    try {
      yield* this.#parts.retained.match(filter);
    } catch (error) {
      this.#parts.log.warn('retained-read-failed', { reason: String(error) });
    }
  }

  #serve(entry: SessionEntry, message: Message, subscription: Subscription): void {
    const { noLocal, subscriptionIdentifier } = subscription;
    if (noLocal && message.publisher === entry.clientId) {
      return this.#parts.meter.deliveryDropped('no_local', 1);
    }
    const qos = message.qos < subscription.qos ? message.qos : subscription.qos;
    const subscriptionIdentifiers = subscriptionIdentifier === 0 ? [] : [subscriptionIdentifier];
    const shared = new SharedPublish(message, false);
    const form = { qos, retain: true, subscriptionIdentifiers };
    this.#parts.meter.retainedOperation('serve');
    const offer = { shared, form, message, obligations: undefined, once: false };
    entry.deliver(offer, this.#parts.nowMs());
  }
}

import type { StoredSubscription } from '#libs/broker-ports';
import type { QoS } from '#libs/mqtt-codec';
import type { DeliveryForm } from '#libs/mqtt-engine';
import type { Receiver } from './receiver.ts';

/** A session's subscription in the index of its node. */
export interface Subscription extends StoredSubscription {
  readonly entry: Receiver;
  /** Its target where no other one of its session matches: one for all topics. */
  target?: Target;
}

/** A subscription as it is stored. */
export function storedForm(subscription: Subscription): StoredSubscription {
  const { entry: _entry, target: _target, ...stored } = subscription;
  return stored;
}

/** The target of a subscription alone. */
export function targetOf(subscription: Subscription): Target {
  return (subscription.target ??= new Target(subscription));
}

/** What overlapping subscriptions of one session add up to for one topic: one delivery, at the highest QoS [MQTT-3.3.4-2]. */
export class Target {
  readonly entry: Receiver;
  readonly #subscriptions: Subscription[];
  readonly #forms: (DeliveryForm | undefined)[] = [];
  #own: Target | undefined;
  qos: QoS;
  retainAsPublished: boolean;

  constructor(subscription: Subscription) {
    this.entry = subscription.entry;
    this.#subscriptions = [subscription];
    this.qos = subscription.qos;
    this.retainAsPublished = subscription.retainAsPublished;
  }

  /** The target of one more subscription: this one, but for that of a single subscription, which stays as it is. */
  and(subscription: Subscription): Target {
    const [first] = this.#subscriptions;
    if (first !== undefined && first.target === this) return new Target(first).and(subscription);
    this.#subscriptions.push(subscription);
    if (subscription.qos > this.qos) this.qos = subscription.qos;
    if (subscription.retainAsPublished) this.retainAsPublished = true;
    return this;
  }

  /** The target without subscriptions that exclude the session's own messages; undefined when all do [MQTT-3.8.3-3]. */
  forOwnMessages(): Target | undefined {
    const [first, ...others] = this.#subscriptions.filter(({ noLocal }) => !noLocal);
    if (first === undefined) return undefined;
    if (others.length + 1 === this.#subscriptions.length) return this;
    this.#own ??= others.reduce((own, other) => own.and(other), targetOf(first));
    return this.#own;
  }

  /** How this session is to see a message of this QoS; one object per form, shared by all messages. */
  form(messageQos: QoS, messageRetain: boolean): DeliveryForm {
    const qos = messageQos < this.qos ? messageQos : this.qos;
    const retain = messageRetain && this.retainAsPublished;
    const slot = qos * 2 + (retain ? 1 : 0);
    const known = this.#forms[slot];
    if (known !== undefined) return known;
    const subscriptionIdentifiers = this.#subscriptions
      .map((subscription) => subscription.subscriptionIdentifier)
      .filter((identifier) => identifier !== 0);
    const made = { qos, retain, subscriptionIdentifiers };
    this.#forms[slot] = made;
    return made;
  }
}

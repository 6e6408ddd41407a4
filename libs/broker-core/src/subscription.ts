import type { StoredSubscription } from '#libs/broker-ports';
import type { QoS } from '#libs/mqtt-codec';
import type { DeliveryForm } from '#libs/mqtt-engine';
import type { Receiver } from './receiver.ts';

/** A session's subscription in the index of its node. */
export interface Subscription extends StoredSubscription {
  readonly entry: Receiver;
}

/** What overlapping subscriptions of one session add up to for one topic: one delivery, at the highest QoS [MQTT-3.3.4-2]. */
export class Target {
  readonly entry: Receiver;
  readonly #forms: (DeliveryForm | undefined)[] = [];
  readonly #subscriptions: Subscription[] = [];
  #own: Target | undefined;
  qos: QoS = 0;
  retainAsPublished = false;

  constructor(entry: Receiver) {
    this.entry = entry;
  }

  add(subscription: Subscription): void {
    this.#subscriptions.push(subscription);
    if (subscription.qos > this.qos) this.qos = subscription.qos;
    if (subscription.retainAsPublished) this.retainAsPublished = true;
  }

  /** The target without subscriptions that exclude the session's own messages; undefined when all do [MQTT-3.8.3-3]. */
  forOwnMessages(): Target | undefined {
    const allowed = this.#subscriptions.filter((subscription) => !subscription.noLocal);
    if (allowed.length === this.#subscriptions.length) return this;
    if (allowed.length === 0) return undefined;
    if (this.#own === undefined) {
      this.#own = new Target(this.entry);
      for (const subscription of allowed) this.#own.add(subscription);
    }
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

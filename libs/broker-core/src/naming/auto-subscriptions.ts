import type { HubClient } from '#libs/broker-ports';
import type { SubscriptionRequest } from '#libs/mqtt-codec';
import type { AutoSubscription } from '../topic-settings.ts';
import type { ClientNames } from './client-names.ts';
import { NameTemplate, identityOf } from './name-template.ts';

/** What every client is subscribed to when it connects. */
export class AutoSubscriptions {
  readonly #subscriptions: readonly (AutoSubscription & { readonly template: NameTemplate })[];

  constructor(subscriptions: readonly AutoSubscription[]) {
    this.#subscriptions = subscriptions.map((subscription) => ({
      ...subscription,
      template: new NameTemplate(subscription.filter),
    }));
  }

  /** The requests of one client, by the broker's names; the filter of one that does not fit the client is empty. */
  of(client: HubClient, names: ClientNames | undefined): readonly SubscriptionRequest[] {
    const identity = identityOf(client.clientId, client.username, client.remoteAddress);
    return this.#subscriptions.map(({ template, ...request }) => {
      const filter = template.fill(identity) ?? '';
      return { ...request, filter: names === undefined ? filter : names.filter(filter) };
    });
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#subscriptions.length === 0;
  }
}

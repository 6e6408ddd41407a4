import type { QueuedMessage, QueuePosition } from '#libs/broker-ports';
import { SharedPublish, type Delivery } from '#libs/mqtt-engine';
import type { Offer } from './receiver.ts';
import { GroupPublish } from './share-group.ts';

/** A message of a stored queue on its way to its client. */
export function asDelivery(queued: QueuedMessage): Delivery & { readonly position: QueuePosition } {
  const { qos, retain, subscriptionIdentifiers, position, message, group } = queued;
  const publish =
    group === undefined
      ? new SharedPublish(message, false)
      : new GroupPublish(message, false, group);
  return { publish, qos, retain, subscriptionIdentifiers, position };
}

/** What is retained, or for a group, is not compared. */
export function isRouted({ obligations, shared }: Offer): boolean {
  return obligations !== undefined && !(shared instanceof GroupPublish);
}

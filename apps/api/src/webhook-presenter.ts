import type { Input, WebhookDeliveryView, WebhookView } from '#libs/api-contracts';
import { placeFault } from '#libs/webhook-client';
import { faulty } from './access-presenter.ts';
import type { StoredDelivery, StoredWebhook } from './webhooks/stored-webhook.ts';

type Wanted = Omit<Input<'replaceWebhook'>['body'], 'secret'>;

/** Each asks each node once a second. */
export const WEBHOOKS_MAX = 32;

/** @throws ProblemError when the URL leads where it may not, as far as that is known before its name is looked up. */
export function requirePlace(
  url: string,
  { allowPrivate }: { readonly allowPrivate: boolean },
): void {
  if (allowPrivate) return;
  const fault = placeFault(new URL(url));
  if (fault === undefined) return;
  throw faulty('/url', `The URL ${fault.problem}; api.webhooks.allowPrivate permits it`);
}

/** What a caller says of a webhook, as it is kept. */
export function wantedOf({ batch_events_max, timeout_seconds, ...wanted }: Wanted) {
  return { ...wanted, batchEventsMax: batch_events_max, timeoutSeconds: timeout_seconds };
}

/** A webhook as the API shows it: nothing of its secret. */
export function presentWebhook(webhook: StoredWebhook): WebhookView {
  const { id, url, description, events, enabled, batchEventsMax, timeoutSeconds } = webhook;
  return {
    ...{ id, url, description, events: [...events], enabled },
    ...{ batch_events_max: batchEventsMax, timeout_seconds: timeoutSeconds },
    ...{ created_at: momentOf(webhook.createdAtMs), created_by: webhook.createdBy },
  };
}

/** A request to a webhook as the API shows it. */
export function presentDelivery(delivery: StoredDelivery): WebhookDeliveryView {
  const { id, state, eventCount, nextAttemptAtMs, endedAtMs } = delivery;
  return {
    ...{ id, state, event_count: eventCount },
    attempts: delivery.attempts.map(({ atMs, status, detail, latencyMs }) => ({
      ...{ at: momentOf(atMs), status, detail, latency_ms: latencyMs },
    })),
    next_attempt_at: nextAttemptAtMs === undefined ? null : momentOf(nextAttemptAtMs),
    ended_at: endedAtMs === undefined ? null : momentOf(endedAtMs),
  };
}

function momentOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

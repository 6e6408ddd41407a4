import type { WebhookDeliveryView, WebhookView, WireEventPosition } from '#libs/api-contracts';

/** A webhook, as it is kept. */
export interface StoredWebhook {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly events: WebhookView['events'];
  readonly enabled: boolean;
  readonly batchEventsMax: number;
  readonly timeoutSeconds: number;
  /** Enciphered. */
  readonly secret: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
}

/** How far a webhook has been told of what happens; apart from it, so that its revision tells of changes only. */
export interface WebhookProgress {
  /** Of the webhook. */
  readonly id: string;
  /** What happened before is none of its business. */
  readonly sinceMs: number;
  /** Where it is at each node. */
  readonly positions: readonly (readonly [string, WireEventPosition])[];
  /** The request that is to be repeated. */
  readonly retrying?: StoredDelivery | undefined;
}

/** One time that a request was sent. */
export interface StoredAttempt {
  readonly atMs: number;
  readonly status: number | null;
  readonly detail: string;
  readonly latencyMs: number;
}

/** A request to a webhook, as it is kept. */
export interface StoredDelivery {
  readonly webhook: string;
  readonly id: string;
  readonly state: WebhookDeliveryView['state'];
  readonly eventCount: number;
  readonly attempts: readonly StoredAttempt[];
  readonly nextAttemptAtMs?: number;
  readonly endedAtMs?: number;
}

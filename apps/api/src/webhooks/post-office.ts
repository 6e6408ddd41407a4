import { WebhookClient, placeFault } from '#libs/webhook-client';
import { signedHeaders } from './signature.ts';
import type { StoredAttempt, StoredWebhook } from './stored-webhook.ts';
import type { WebhookSecrets } from './webhook-secrets.ts';

/** What requests are sent with. */
export interface PostOfficeOptions {
  readonly secrets: WebhookSecrets;
  /** Whether endpoints may be where the internet is not. */
  readonly allowPrivate: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A request to a webhook. */
export interface WebhookRequest {
  readonly id: string;
  readonly body: string;
  readonly signal?: AbortSignal | undefined;
}

/** What came of one time that a request was sent. */
export interface Attempted extends StoredAttempt {
  readonly isDelivered: boolean;
  /** What the endpoint asks for. */
  readonly retryAfterMs: number | undefined;
}

const RETRY_AFTER_MS_MAX = 60_000;

/** Sends signed requests to one webhook, on kept connections. */
export class PostOffice {
  readonly #webhook: StoredWebhook;
  readonly #options: PostOfficeOptions;
  readonly #client: WebhookClient;

  constructor(webhook: StoredWebhook, options: PostOfficeOptions) {
    this.#webhook = webhook;
    this.#options = options;
    this.#client = new WebhookClient({
      url: new URL(webhook.url),
      ca: undefined,
      allowPrivate: options.allowPrivate,
      timeoutMs: webhook.timeoutSeconds * 1_000,
    });
  }

  /** Sends a request once; never rejects. */
  async send({ id, body, signal }: WebhookRequest): Promise<Attempted> {
    const { allowPrivate, now, secrets } = this.#options;
    const atMs = now();
    const begun = performance.now();
    const came = (status: number | null, detail: string, retryAfter?: string): Attempted => ({
      ...{ atMs, status, detail, isDelivered: detail === '' },
      latencyMs: Math.round((performance.now() - begun) * 10) / 10,
      retryAfterMs: retryAfterMs(retryAfter, now()),
    });
    // The setting may have changed since the webhook was made.
    const fault = allowPrivate ? undefined : placeFault(new URL(this.#webhook.url));
    if (fault !== undefined) return came(null, `the URL ${fault.problem}`);
    try {
      const secret = await secrets.open(this.#webhook.secret);
      const timestamp = Math.floor(atMs / 1_000);
      const headers = signedHeaders({ id, timestamp, body }, secret);
      const post = { body, headers, signal, statusOnly: true };
      const { status, retryAfter } = await this.#client.post(post);
      const isDelivered = status >= 200 && status < 300;
      const moved = status >= 300 && status < 400 ? '; redirects are not followed' : '';
      return came(
        status,
        isDelivered ? '' : `the endpoint answered ${String(status)}${moved}`,
        retryAfter,
      );
    } catch (error) {
      return came(null, textOf(error));
    }
  }

  /** Ends its connections. */
  close(): void {
    this.#client.close();
  }
}

function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), RETRY_AFTER_MS_MAX);
}

/** Of many addresses that were tried, the first. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return textOf(error.errors[0]);
  const text = error instanceof Error ? error.message : '';
  return text === '' ? 'the endpoint does not answer' : text;
}

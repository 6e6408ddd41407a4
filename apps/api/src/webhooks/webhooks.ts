import type { WireEventPosition } from '#libs/api-contracts';
import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import { newId } from '../guard/key-secret.ts';
import { ProblemError } from '../http/problem-error.ts';
import { PostOffice, type Attempted } from './post-office.ts';
import type { StoredDelivery, StoredWebhook, WebhookProgress } from './stored-webhook.ts';
import { WebhookDispatcher, deliveriesOf, type DispatcherOptions } from './webhook-dispatcher.ts';
import { bodyOf } from './webhook-lane.ts';

/** A request to a webhook, and where it is in the list of them. */
export interface ListedDelivery {
  readonly delivery: StoredDelivery;
  /** Undefined for one that has not ended. */
  readonly at: string | undefined;
}

/** Which part of the list. */
export interface DeliveryQuery {
  readonly before: string | undefined;
  readonly limit: number;
  readonly state: StoredDelivery['state'] | undefined;
}

/** A page of the journal at a time. */
const PAGE = 1_000;

/** Whom the cluster tells of events by HTTP. */
export class Webhooks {
  readonly store: DefinitionStore<StoredWebhook>;
  readonly #options: DispatcherOptions;
  readonly #progress: DefinitionStore<WebhookProgress>;
  readonly #dispatcher: WebhookDispatcher;

  constructor(options: DispatcherOptions) {
    const { state } = options;
    this.#options = options;
    this.store = state.definitions<StoredWebhook>('webhooks');
    this.#progress = state.definitions<WebhookProgress>('webhook-progress');
    this.#dispatcher = new WebhookDispatcher(options);
  }

  /** Whether they may be anywhere, or at addresses of the internet alone. */
  get allowPrivate(): boolean {
    return this.#options.allowPrivate;
  }

  /** Begins to tell them. */
  start(): void {
    this.#dispatcher.start();
  }

  /** Lets another replica tell them. */
  async close(): Promise<void> {
    await this.#dispatcher.close();
  }

  /** What is kept of a secret. */
  async sealed(secret: string): Promise<string> {
    return await this.#options.secrets.seal(secret);
  }

  /** Makes one, which is told of what happens from now on; undefined when there are `max` already. */
  async create(
    webhook: Omit<StoredWebhook, 'id'> & { readonly id?: string },
    max: number,
  ): Promise<StoredDefinition<StoredWebhook> | undefined> {
    if ((await this.store.list()).length >= max) return undefined;
    const item = { ...webhook, id: webhook.id ?? newId() };
    await this.#beginNow(item.id);
    const result = await this.store.put(item, undefined);
    if (result.kind !== 'stored') throw new ProblemError('conflict', 'Its id has been taken');
    this.#dispatcher.look();
    return result.stored;
  }

  /** Changes one; what it has not got yet it gets as it is now. */
  async replace(before: StoredDefinition<StoredWebhook>, item: StoredWebhook) {
    if (item.enabled && !before.item.enabled) await this.#beginNow(item.id);
    const result = await this.store.put(item, before.revision);
    this.#dispatcher.look();
    return result;
  }

  /** Removes exactly this revision, and forgets where it was. */
  async remove(id: string, revision: number) {
    const result = await this.store.remove(id, revision);
    if (result.kind === 'stored') await this.#progress.remove(id, undefined);
    this.#dispatcher.look();
    return result;
  }

  /** Sends a request without events, once. */
  async test(webhook: StoredWebhook): Promise<Attempted> {
    const office = new PostOffice(webhook, this.#options);
    try {
      const body = bodyOf(webhook.id, { atMs: this.#options.now() });
      return await office.send({ id: `msg_test_${newId()}`, body });
    } finally {
      office.close();
    }
  }

  /** Requests to a webhook, the latest first; one more than asked for if there are more. */
  async deliveries(id: string, query: DeliveryQuery): Promise<readonly ListedDelivery[]> {
    const { limit, state } = query;
    const found: ListedDelivery[] = [];
    if (query.before === undefined && (state ?? 'retrying') === 'retrying') {
      const delivery = (await this.#progress.get(id))?.item.retrying;
      if (delivery !== undefined) found.push({ delivery, at: undefined });
    }
    if (state === 'retrying') return found;
    const journal = deliveriesOf(this.#options.state);
    for (let before = query.before; found.length <= limit;) {
      const page = await journal.page({ before, limit: PAGE });
      for (const { id: at, entry } of page) {
        const isWanted = entry.webhook === id && (state ?? entry.state) === entry.state;
        if (isWanted) found.push({ delivery: entry, at });
      }
      before = page.at(-1)?.id;
      if (page.length < PAGE) break;
    }
    return found.slice(0, limit + 1);
  }

  /** From now on, at every node that answers; of others what happens from this moment. */
  async #beginNow(id: string): Promise<void> {
    const sinceMs = this.#options.now();
    const positions = await this.#positions();
    const before = await this.#progress.get(id);
    await this.#progress.put({ id, sinceMs, positions }, before?.revision);
  }

  async #positions(): Promise<(readonly [string, WireEventPosition])[]> {
    const inquiry = this.#options.cluster.inquire();
    const nodes = await inquiry.nodes().catch(() => []);
    const { answered } = await inquiry.askAll<'events'>(nodes, { kind: 'events', waitMs: 0 });
    return answered.map(({ node, answer }) => [node.nodeId, answer.position] as const);
  }
}

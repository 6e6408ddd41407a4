import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  webhookReplaceSchema,
  type Input,
  type List,
  type WebhookDeliveryView,
  type WebhookTestView,
  type WebhookView,
} from '#libs/api-contracts';
import type { StoredDefinition } from '#libs/broker-ports';
import { knownCaller } from './guard/caller.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf } from './http/etag.ts';
import { mergePatch } from './http/merge-patch.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { checkedItem } from './http/request-check.ts';
import { Checked, Route } from './http/route.ts';
import { PAGES, WEBHOOKS } from './tokens.ts';
import {
  WEBHOOKS_MAX,
  presentDelivery,
  presentWebhook,
  requirePlace,
  wantedOf,
} from './webhook-presenter.ts';
import type { StoredWebhook } from './webhooks/stored-webhook.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

const WEBHOOKS_OF = new Definitions('webhook');

/** Whom the cluster tells of events by HTTP. */
@Controller()
export class WebhooksController {
  constructor(
    @Inject(WEBHOOKS) private readonly webhooks: Webhooks,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listWebhooks')
  async list(
    @Checked() { query }: Input<'listWebhooks'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<WebhookView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const found = await this.webhooks.store.page({ after, limit: query.limit + 1 });
    const items = found.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: items.map(({ item }) => presentWebhook(item)),
      after: found.length > items.length ? items.at(-1)?.item.id : undefined,
      unavailable: [],
    });
  }

  @Route('createWebhook')
  async create(
    @Checked() { body }: Input<'createWebhook'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookView> {
    const { secret, ...wanted } = body;
    requirePlace(wanted.url, this.webhooks);
    const made = await this.webhooks.create(
      {
        ...wantedOf(wanted),
        secret: await this.webhooks.sealed(secret),
        ...{ createdAtMs: Date.now(), createdBy: knownCaller(request).id },
      },
      WEBHOOKS_MAX,
    );
    if (made === undefined) {
      throw new ProblemError('limit-reached', `There may be ${WEBHOOKS_MAX} webhooks`);
    }
    void reply.header('location', `/api/v1/webhooks/${made.item.id}`);
    return shown(made, reply);
  }

  @Route('getWebhook')
  async get(
    @Checked() { path }: Input<'getWebhook'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookView | undefined> {
    const { item, revision } = await this.#find(path.webhook_id);
    return WEBHOOKS_OF.shownUnless(known, { revision, reply }, presentWebhook(item));
  }

  @Route('replaceWebhook')
  async replace(
    @Checked() { path, body }: Input<'replaceWebhook'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookView> {
    const before = WEBHOOKS_OF.own(await this.webhooks.store.get(path.webhook_id), ifMatch);
    return shown(await this.#change(before, body), reply);
  }

  @Route('patchWebhook')
  async patch(
    @Checked() { path, body }: Input<'patchWebhook'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebhookView> {
    const before = WEBHOOKS_OF.own(await this.webhooks.store.get(path.webhook_id), ifMatch);
    const { id: _, created_at: __, created_by: ___, ...now } = presentWebhook(before.item);
    const wanted = checkedItem(webhookReplaceSchema, mergePatch(now, body));
    return shown(await this.#change(before, wanted), reply);
  }

  @Route('deleteWebhook')
  async delete(
    @Checked() { path }: Input<'deleteWebhook'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const id = path.webhook_id;
    const { revision } = WEBHOOKS_OF.own(await this.webhooks.store.get(id), ifMatch);
    const result = await this.webhooks.remove(id, revision);
    if (result.kind !== 'stored') throw WEBHOOKS_OF.refused(result.kind);
  }

  @Route('testWebhook')
  async test(@Checked() { path }: Input<'testWebhook'>): Promise<WebhookTestView> {
    const { item } = await this.#find(path.webhook_id);
    const { isDelivered, status, detail, latencyMs } = await this.webhooks.test(item);
    return { delivered: isDelivered, status, detail, latency_ms: latencyMs };
  }

  @Route('listWebhookDeliveries')
  async deliveries(
    @Checked() { path, query }: Input<'listWebhookDeliveries'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<WebhookDeliveryView>> {
    const exchange = { request, reply };
    const { limit, state } = query;
    await this.#find(path.webhook_id);
    const before = this.pages.position<string>(exchange);
    const found = await this.webhooks.deliveries(path.webhook_id, { before, limit, state });
    const items = found.slice(0, limit);
    return this.pages.list(exchange, limit, {
      items: items.map(({ delivery }) => presentDelivery(delivery)),
      // One that has not ended stands before all: a page of it alone goes on with the latest.
      after: found.length > items.length ? (items.at(-1)?.at ?? LATEST) : undefined,
      unavailable: [],
    });
  }

  async #find(id: string): Promise<StoredDefinition<StoredWebhook>> {
    const stored = await this.webhooks.store.get(id);
    if (stored === undefined) throw WEBHOOKS_OF.refused('absent');
    return stored;
  }

  async #change(
    before: StoredDefinition<StoredWebhook>,
    { secret, ...wanted }: Input<'replaceWebhook'>['body'],
  ): Promise<StoredDefinition<StoredWebhook>> {
    requirePlace(wanted.url, this.webhooks);
    const sealed = secret === undefined ? {} : { secret: await this.webhooks.sealed(secret) };
    const item = { ...before.item, ...wantedOf(wanted), ...sealed };
    const result = await this.webhooks.replace(before, item);
    if (result.kind !== 'stored') throw WEBHOOKS_OF.refused(result.kind);
    return result.stored;
  }
}

/** Before this the latest entry is: ids of the journal begin with the time. */
const LATEST = '9999999999999-0';

function shown({ item, revision }: StoredDefinition<StoredWebhook>, reply: FastifyReply) {
  void reply.header('etag', etagOf(revision));
  return presentWebhook(item);
}

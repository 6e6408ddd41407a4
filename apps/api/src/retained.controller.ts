import { createHmac } from 'node:crypto';
import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Input,
  List,
  LongOperation,
  RetainedMessage,
  RetainedRemoval,
  WireRetained,
  WireRetainedQuery,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import type { Guard } from './guard/guard.ts';
import { namesTag } from './http/etag.ts';
import type { Exchange, Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { checkedWireMessage, refused } from './message-problem.ts';
import type { Operations } from './operations/operations.ts';
import { presentRetained } from './presenters.ts';
import {
  REMOVAL_BEGIN,
  RETAINED_REMOVALS,
  removePiece,
  shownRemoval,
} from './retained-removals.ts';
import { CLUSTER, CONFIG, GUARD, OPERATIONS_OF_API, PAGES } from './tokens.ts';

/** What is removed within the time of a request; more than that takes a long operation. */
const REMOVED_AT_ONCE_MAX = 5_000;
const AT_ONCE_MS = 1_000;

/** What the last retained message of each topic is. */
@Controller()
export class RetainedController {
  readonly #bytesMax: number;
  @Inject(GUARD) private readonly guard!: Guard;
  @Inject(OPERATIONS_OF_API) private readonly operations!: Operations;

  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(CONFIG) config: Config,
  ) {
    this.#bytesMax = config.limits.packetBytesMax;
  }

  @Route('listRetainedMessages')
  async list(
    @Checked() { query }: Input<'listRetainedMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<RetainedMessage>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const wanted: WireRetainedQuery = {
      filter: query.filter,
      limit: query.limit,
      payload: query.payload !== 'none',
      ...(after === undefined ? {} : { after }),
    };
    const { items, hasMore } = await this.cluster
      .inquire()
      .read({ kind: 'retained', query: wanted });
    return this.pages.list(exchange, query.limit, {
      items: items.map((message) => presentRetained(message, query.payload)),
      after: hasMore ? items.at(-1)?.topic : undefined,
      unavailable: [],
    });
  }

  @Route('deleteRetainedMessages')
  async deleteMany(
    @Checked() { query }: Input<'deleteRetainedMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RetainedRemoval | LongOperation | undefined> {
    const { topic, filter = '', dry_run: dryRun = false } = query;
    if (topic === undefined) return this.removeMatching(filter, dryRun, { request, reply });
    const inquiry = this.cluster.inquire();
    if (dryRun) {
      const isThere = (await messageOf(inquiry, topic)) !== undefined;
      void reply.status(200);
      const topics = isThere ? [topic] : [];
      return { dry_run: true, matched: topics.length, removed: 0, topics };
    }
    await this.remove(inquiry, topic);
    void reply.status(204);
    return undefined;
  }

  @Route('getRetainedMessage')
  async get(
    @Checked() { query }: Input<'getRetainedMessage'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RetainedMessage | undefined> {
    const message = await messageOf(this.cluster.inquire(), query.topic);
    if (message === undefined) throw absent();
    const tag = this.tagOf(message);
    void reply.header('etag', tag);
    if (known === undefined || !namesTag(known, tag))
      return presentRetained(message, query.payload);
    void reply.status(304);
    return undefined;
  }

  @Route('putRetainedMessage')
  async put(
    @Checked() { query, body }: Input<'putRetainedMessage'>,
    @Req() { headers }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RetainedMessage> {
    const { topic } = query;
    const message = checkedWireMessage({ ...body, topic, retain: true }, this.#bytesMax);
    const inquiry = this.cluster.inquire();
    const before = await messageOf(inquiry, topic);
    this.requireTag(headers['if-match'], before);
    if (headers['if-none-match'] === '*' && before !== undefined) throw this.changed(before);
    const outcome = await inquiry.change({ kind: 'publish', message });
    if (outcome.kind === 'refused') throw refused(outcome.code);
    const stored = await messageOf(inquiry, topic);
    if (stored === undefined) {
      throw new ProblemError('conflict', 'Published, and removed again by somebody else');
    }
    void reply.status(before === undefined ? 201 : 200).header('etag', this.tagOf(stored));
    return presentRetained(stored, 'none');
  }

  @Route('deleteRetainedMessage')
  async delete(
    @Checked() { query }: Input<'deleteRetainedMessage'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const { topic } = query;
    const inquiry = this.cluster.inquire();
    if (ifMatch !== undefined) this.requireTag(ifMatch, await messageOf(inquiry, topic));
    await this.remove(inquiry, topic);
  }

  /**
   * MQTT knows no revision of a retained message; whatever differs makes another tag. It is keyed: whoever may not see a
   * payload could find out by its tag whether it guesses right.
   */
  private tagOf(message: WireRetained): string {
    const mac = createHmac('sha256', `skein-retained-etag\0${this.guard.secret.value}`);
    return `"${mac.update(JSON.stringify(message)).digest('base64url').slice(0, 22)}"`;
  }

  /** @throws ProblemError when a tag is given and is not that of the message. */
  private requireTag(given: string | undefined, message: WireRetained | undefined): void {
    if (given === undefined) return;
    if (message === undefined || !namesTag(given, this.tagOf(message))) throw this.changed(message);
  }

  private changed(message: WireRetained | undefined): ProblemError {
    const detail = message ? 'The topic retains another message' : 'The topic retains no message';
    return new ProblemError('precondition-failed', detail, {
      ...(message === undefined ? {} : { headers: { etag: this.tagOf(message) } }),
    });
  }

  private async remove(inquiry: Inquiry, topic: string): Promise<void> {
    const { found } = await inquiry.change({ kind: 'clear-retained', topic });
    if (!found) throw absent();
  }

  /** Piece by piece, each with the time of a question; what is more than a reply can wait for goes on as an operation. */
  private async removeMatching(
    filter: string,
    dryRun: boolean,
    exchange: Exchange,
  ): Promise<RetainedRemoval | LongOperation> {
    const begunAtMs = performance.now();
    let walk = REMOVAL_BEGIN;
    for (let isDone = false; !isDone;) {
      const isLong = performance.now() - begunAtMs > AT_ONCE_MS;
      if (isLong || walk.matched >= REMOVED_AT_ONCE_MAX) {
        return this.operations.start(RETAINED_REMOVALS, { filter, dryRun, walk }, exchange);
      }
      ({ walk, isDone } = await removePiece(this.cluster.inquire(), { filter, dryRun }, walk));
    }
    void exchange.reply.status(200);
    return shownRemoval(walk, dryRun);
  }
}

async function messageOf(inquiry: Inquiry, topic: string): Promise<WireRetained | undefined> {
  const query = { filter: topic, limit: 1, payload: true };
  return (await inquiry.read({ kind: 'retained', query })).items[0];
}

function absent(): ProblemError {
  return new ProblemError('not-found', 'The topic has no retained message');
}

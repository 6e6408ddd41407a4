import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  AclSimulation,
  Input,
  InflightMessageView,
  List,
  QueuedMessageView,
  RememberedVerdictView,
  WireQueuePosition,
  WireVerdict,
} from '#libs/api-contracts';
import { presentVerdict, wireRequestOf } from './access-presenter.ts';
import { presentInflight, presentRemembered, presentWaiting } from './client-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText } from './cluster/merge.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** What belongs to one client: the messages that wait for it, and what it may do. */
@Controller()
export class ClientDetailsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listQueuedMessages')
  async queued(
    @Checked() { path, query }: Input<'listQueuedMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<QueuedMessageView>> {
    const exchange = { request, reply };
    const { limit, payload } = query;
    const after = this.pages.position<WireQueuePosition>(exchange);
    const { client_id: clientId } = path;
    const { answer } = await this.cluster.inquire().atOwner(clientId, {
      ...{ kind: 'queued', clientId, limit, after, payload: payload !== 'none' },
    });
    const { items, hasMore } = answer.page ?? gone();
    return this.pages.list(exchange, limit, {
      items: items.map((message) => presentWaiting(message, payload)),
      after: hasMore ? items.at(-1)?.position : undefined,
      unavailable: [],
    });
  }

  @Route('clearQueuedMessages')
  async clear(@Checked() { path }: Input<'clearQueuedMessages'>): Promise<void> {
    const { client_id: clientId } = path;
    const { answer } = await this.cluster
      .inquire()
      .atOwner(clientId, { kind: 'clear-queue', clientId });
    if (answer.removed === undefined) gone();
  }

  @Route('listInflightMessages')
  async inflight(
    @Checked() { path, query }: Input<'listInflightMessages'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<InflightMessageView>> {
    const exchange = { request, reply };
    const { limit, payload } = query;
    const after = this.pages.position<number>(exchange) ?? 0;
    const { client_id: clientId } = path;
    const { answer } = await this.cluster.inquire().atOwner(clientId, {
      ...{ kind: 'inflight', clientId, payload: payload !== 'none' },
    });
    const rest = (answer.items ?? gone())
      .filter(({ packetId }) => packetId > after)
      .toSorted((a, b) => a.packetId - b.packetId);
    const items = rest.slice(0, limit);
    return this.pages.list(exchange, limit, {
      items: items.map((message) => presentInflight(message, payload)),
      after: rest.length > limit ? items.at(-1)?.packetId : undefined,
      unavailable: [],
    });
  }

  @Route('listAuthorizationCache')
  async verdicts(
    @Checked() { path, query }: Input<'listAuthorizationCache'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<RememberedVerdictView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { client_id: clientId } = path;
    const { answer } = await this.cluster
      .inquire()
      .atOwner(clientId, { kind: 'verdicts', clientId });
    const rest = (answer.items ?? gone())
      .map((verdict) => ({ verdict, key: keyOf(verdict) }))
      .filter(({ key }) => key > after)
      .toSorted((a, b) => compareText(a.key, b.key));
    const items = rest.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: items.map(({ verdict }) => presentRemembered(verdict)),
      after: rest.length > query.limit ? items.at(-1)?.key : undefined,
      unavailable: [],
    });
  }

  @Route('clearAuthorizationCache')
  async forgetVerdicts(@Checked() { path }: Input<'clearAuthorizationCache'>): Promise<void> {
    const { client_id: clientId } = path;
    const { answer } = await this.cluster
      .inquire()
      .atOwner(clientId, { kind: 'forget-verdicts', clientId });
    if (!answer.found) gone();
  }

  @Route('checkAuthorization')
  async check(
    @Checked() { path, body }: Input<'checkAuthorization'>,
  ): Promise<AclSimulation['results'][number]> {
    const { client_id: clientId } = path;
    const { action, topic, qos, retain } = body;
    const check =
      action === 'subscribe'
        ? { action, topic_filter: topic, qos }
        : action === 'publish'
          ? { action, topic, qos, retain }
          : { action, topic, qos };
    const { answer } = await this.cluster.inquire().atOwner(clientId, {
      ...{ kind: 'check-access', clientId, requests: [wireRequestOf(check)] },
    });
    const [verdict = gone()] = answer.verdicts ?? [];
    return presentVerdict(verdict);
  }
}

/** The session was there a moment ago. */
function gone(): never {
  throw new ProblemError('not-found', 'The session has ended, or has gone to another node');
}

function keyOf({ topic, action, qos, retain }: WireVerdict): string {
  return `${topic}\0${action}${String(qos)}${String(retain)}`;
}

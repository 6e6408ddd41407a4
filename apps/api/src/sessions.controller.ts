import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  SESSION_FILTERS,
  conditionsOf,
  sparse,
  type Input,
  type List,
  type SessionView,
} from '#libs/api-contracts';
import { ADMINISTRATIVE_ACTION } from './client-selection.ts';
import { presentSession } from './client-presenter.ts';
import { listClients } from './client-list.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

const NEVER_EXPIRES = 0xffff_ffff;

/** Sessions: what the broker keeps of clients, on whichever node. */
@Controller()
export class SessionsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listSessions')
  async list(
    @Checked() { query }: Input<'listSessions'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Partial<SessionView> & Pick<SessionView, 'client_id'>>> {
    const exchange = { request, reply };
    const { items, after, unavailable } = await listClients(this.cluster.inquire(), {
      after: this.pages.position(exchange),
      limit: query.limit,
      ...{ node: query.node, order: 'client_id', descending: false },
      where: conditionsOf(SESSION_FILTERS, query),
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map(({ client, node }) =>
        sparse(presentSession(client, node), query.fields, 'client_id'),
      ),
      ...{ after, unavailable },
    });
  }

  @Route('getSession')
  async show(@Checked() { path }: Input<'getSession'>): Promise<SessionView> {
    const { client, node } = await this.cluster.inquire().findSession(path.client_id);
    return presentSession(client, node);
  }

  @Route('patchSession')
  async patch(@Checked() { path, body }: Input<'patchSession'>): Promise<SessionView> {
    const { client_id: clientId } = path;
    const inquiry = this.cluster.inquire();
    const seconds = body.expiry_seconds ?? NEVER_EXPIRES;
    const { node, answer } = await inquiry.atOwner(clientId, {
      ...{ kind: 'set-expiry', clientId, seconds },
    });
    if (answer.outcome === 'transient') {
      throw new ProblemError('conflict', 'The session ends with its connection');
    }
    const { client } = await inquiry.askOne(node, { kind: 'client', clientId });
    if (answer.outcome === 'absent' || client === undefined) throw noSession();
    return presentSession(client, node.nodeId);
  }

  @Route('deleteSession')
  async delete(@Checked() { path }: Input<'deleteSession'>): Promise<void> {
    await this.cluster.inquire().disconnect(path.client_id, {
      ...{ reasonCode: ADMINISTRATIVE_ACTION, withWill: true, endSession: true },
    });
  }
}

function noSession(): ProblemError {
  return new ProblemError('not-found', 'The session has ended');
}

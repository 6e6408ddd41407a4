import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  CLIENT_ORDERS,
  CLIENT_FILTERS,
  conditionsOf,
  sparse,
  type Client,
  type Input,
  type List,
} from '#libs/api-contracts';
import { listClients } from './client-list.ts';
import { presentClient } from './client-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** Clients and their sessions, on whichever node. */
@Controller()
export class ClientsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listClients')
  async list(
    @Checked() { query }: Input<'listClients'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<Partial<Client> & Pick<Client, 'client_id'>>> {
    const exchange = { request, reply };
    const { sort } = query;
    const { items, after, unavailable } = await listClients(this.cluster.inquire(), {
      after: this.pages.position(exchange),
      ...{ limit: query.limit, node: query.node },
      order: CLIENT_ORDERS.find((name) => sort.endsWith(name)) ?? 'client_id',
      descending: sort.startsWith('-'),
      where: conditionsOf(CLIENT_FILTERS, query),
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map(({ client, node }) =>
        sparse(presentClient(client, node), query.fields, 'client_id'),
      ),
      ...{ after, unavailable },
    });
  }

  @Route('getClient')
  async show(@Checked() { path }: Input<'getClient'>): Promise<Client> {
    const { client, node } = await this.cluster.inquire().findSession(path.client_id);
    return presentClient(client, node);
  }

  @Route('disconnectClient')
  async disconnect(@Checked() { path, query }: Input<'disconnectClient'>): Promise<void> {
    const { reason_code: reasonCode, publish_will: withWill, clear_session: endSession } = query;
    await this.cluster.inquire().disconnect(path.client_id, { reasonCode, withWill, endSession });
  }
}

import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Client, Input, List, WireClientQuery } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { compareText, mergePages } from './cluster/merge.ts';
import type { Pages } from './http/pages.ts';
import { Checked, Route } from './http/route.ts';
import { presentClient } from './presenters.ts';
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
  ): Promise<List<Client>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const inquiry = this.cluster.inquire();
    const nodes = (await inquiry.nodes()).filter(({ nodeId }) => (query.node ?? nodeId) === nodeId);
    const { answered, unavailable } = await inquiry.askSome(nodes, {
      kind: 'clients',
      query: wireQueryOf(query, after),
    });
    const pages = answered.map(({ node, answer }) => ({
      hasMore: answer.hasMore,
      items: answer.items.map((client) => presentClient(client, node.nodeId)),
    }));
    const { items, hasMore } = mergePages(pages, query.limit, (a, b) =>
      compareText(a.client_id, b.client_id),
    );
    return this.pages.list(exchange, query.limit, {
      items,
      after: hasMore ? items.at(-1)?.client_id : undefined,
      unavailable,
    });
  }

  @Route('getClient')
  async show(@Checked() { path }: Input<'getClient'>): Promise<Client> {
    const { node, answer } = await this.cluster.inquire().findClient(path.client_id);
    return presentClient(answer, node.nodeId);
  }

  @Route('disconnectClient')
  async disconnect(@Checked() { path, query }: Input<'disconnectClient'>): Promise<void> {
    await this.cluster.inquire().disconnect(path.client_id, query.clear_session);
  }
}

function wireQueryOf(
  query: Input<'listClients'>['query'],
  after: string | undefined,
): WireClientQuery {
  const { limit, client_id: clientId, 'client_id[like]': prefix, username, state } = query;
  return {
    limit,
    ...(after === undefined ? {} : { after }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(prefix === undefined ? {} : { clientIdPrefix: prefix }),
    ...(username === undefined ? {} : { username }),
    ...(state === undefined ? {} : { state }),
  };
}

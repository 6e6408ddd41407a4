import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  CERTIFICATE_FIELDS,
  LISTENER_FIELDS,
  conditionsOf,
  meets,
  type CertificateReloadView,
  type CertificateView,
  type FilterValue,
  type Input,
  type List,
  type ListenerReply,
  type ListenerView,
  type NodeListenersView,
  type WireNode,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { metaOf, type Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentCertificate, presentListener } from './system-presenter.ts';
import { CLUSTER, PAGES } from './tokens.ts';

type Switch = 'start' | 'stop' | 'restart' | 'drain';

/** Listeners and the certificates that they show. */
@Controller()
export class ListenersController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listListeners')
  async list(
    @Checked() { query }: Input<'listListeners'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<ListenerView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const conditions = conditionsOf(LISTENER_FIELDS, query);
    const { listeners, unavailable } = await this.#listeners();
    const wanted = listeners
      .map(({ id, nodes }) => ({
        id,
        nodes: nodes.filter((each) => meets(conditions, (field) => valueOf(each, field))),
      }))
      .filter(({ id, nodes }) => id > after && nodes.length > 0);
    const items = wanted.slice(0, query.limit);
    const last = wanted.length > items.length ? items.at(-1)?.id : undefined;
    return this.pages.list(exchange, query.limit, { items, after: last, unavailable });
  }

  @Route('startListener')
  start(
    @Checked() input: Input<'startListener'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerReply> {
    return this.#switch('start', input, reply);
  }

  @Route('stopListener')
  stop(
    @Checked() input: Input<'stopListener'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerReply> {
    return this.#switch(input.query.drain ? 'drain' : 'stop', input, reply);
  }

  @Route('restartListener')
  restart(
    @Checked() input: Input<'restartListener'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerReply> {
    return this.#switch('restart', input, reply);
  }

  @Route('listNodeListeners')
  async listOfNode(@Checked() { path }: Input<'listNodeListeners'>): Promise<NodeListenersView> {
    const answer = await this.cluster.inquire().askNode(path.node_id, { kind: 'listeners' });
    return { node: path.node_id, listeners: answer.listeners.map(presentListener) };
  }

  @Route('listCertificates')
  async certificates(
    @Checked() { query }: Input<'listCertificates'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<CertificateView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const conditions = conditionsOf(CERTIFICATE_FIELDS, query);
    const inquiry = this.cluster.inquire();
    const command = { kind: 'certificates' } as const;
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
    const wanted = answered
      .flatMap(({ node, answer }) =>
        answer.certificates.map((each) => ({
          view: presentCertificate(node.nodeId, each),
          expires_at: each.notAfterMs,
        })),
      )
      .filter(({ view, expires_at }) =>
        meets(conditions, (field) => (field === 'expires_at' ? expires_at : valueOf(view, field))),
      )
      .map(({ view }) => ({ view, key: keyOf(view) }))
      .filter(({ key }) => key > after)
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const page = wanted.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: page.map(({ view }) => view),
      after: wanted.length > page.length ? page.at(-1)?.key : undefined,
      unavailable,
    });
  }

  @Route('reloadCertificates')
  async reload(@Checked() { query }: Input<'reloadCertificates'>): Promise<CertificateReloadView> {
    const inquiry = this.cluster.inquire();
    const nodes = await nodesFor(inquiry, query.node);
    const { answered, unavailable } = await inquiry.askSome(nodes, { kind: 'reload-certificates' });
    const results = answered.flatMap(({ node, answer }) =>
      answer.results.map(({ listener, fault }) => ({
        ...{ node: node.nodeId, listener, detail: fault ?? null },
        status: fault === undefined ? ('reloaded' as const) : ('failed' as const),
      })),
    );
    return { results, meta: metaOf(unavailable) };
  }

  async #switch(
    action: Switch,
    { path, query }: Pick<Input<'startListener' | 'stopListener'>, 'path' | 'query'>,
    reply: FastifyReply,
  ): Promise<ListenerReply> {
    const inquiry = this.cluster.inquire();
    const nodes = await nodesFor(inquiry, query.node);
    const name = path.listener_id;
    const command = {
      kind: 'switch-listener' as const,
      name,
      action: action === 'drain' ? ('stop' as const) : action,
      ...(action === 'drain' && { drain: true }),
    };
    const { answered, unavailable } = await inquiry.askSome(nodes, command);
    const busy = answered.filter(({ answer }) => answer.isDraining === true);
    if (busy.length > 0) {
      const names = busy.map(({ node }) => node.nodeId).join(', ');
      throw new ProblemError('conflict', `Not stopped where clients are being sent away: ${names}`);
    }
    const places = answered.flatMap(({ node, answer: { listener } }) => {
      return listener === undefined ? [] : [placeOf(node, listener)];
    });
    if (places.length === 0) throw absent(unavailable);
    void reply.header('location', `/api/v1/listeners/${encodeURIComponent(path.listener_id)}`);
    return { id: path.listener_id, nodes: places, meta: metaOf(unavailable) };
  }

  async #listeners() {
    const inquiry = this.cluster.inquire();
    const command = { kind: 'listeners' } as const;
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
    const byId = new Map<string, ListenerView['nodes']>();
    for (const { node, answer } of answered) {
      for (const listener of answer.listeners) {
        const places = byId.get(listener.name) ?? [];
        byId.set(listener.name, [...places, placeOf(node, listener)]);
      }
    }
    const listeners = [...byId].map(([id, nodes]) => ({ id, nodes }));
    return { listeners: listeners.toSorted((a, b) => (a.id < b.id ? -1 : 1)), unavailable };
  }
}

function placeOf({ nodeId }: WireNode, listener: Parameters<typeof presentListener>[0]) {
  const { id: _id, ...place } = presentListener(listener);
  return { node: nodeId, ...place };
}

async function nodesFor(inquiry: Inquiry, node: string | undefined): Promise<readonly WireNode[]> {
  return node === undefined ? inquiry.nodes() : [await inquiry.requireNode(node)];
}

function valueOf(item: object, field: string): FilterValue | undefined {
  return Reflect.get(item, field) as FilterValue | undefined;
}

/** In the order in which certificates end. */
function keyOf({ expires_at, node, listener, fingerprint }: CertificateView): string {
  return `${expires_at} ${node} ${listener} ${fingerprint}`;
}

function absent(unavailable: readonly string[]): ProblemError {
  if (unavailable.length === 0) {
    return new ProblemError('not-found', 'No node has a listener of this name enabled');
  }
  const silent = unavailable.join(', ');
  return new ProblemError('node-unavailable', `No node that answers has it; silent: ${silent}`);
}

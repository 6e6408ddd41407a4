import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  BRIDGE_FILTERS,
  OPERATIONS,
  conditionsOf,
  type BridgeView,
  type CommandOf,
  type ConnectivityTest,
  type Input,
  type List,
  type WireStoredBridge,
} from '#libs/api-contracts';
import { draftOf, faultyBridge } from './bridge-draft.ts';
import { BRIDGES, findOwn, found, storedOf, survey } from './bridge-survey.ts';
import { meetsInState } from './bridge-filter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { etagOf } from './http/etag.ts';
import { mergePatch } from './http/merge-patch.ts';
import type { Pages } from './http/pages.ts';
import { checkRequest } from './http/request-check.ts';
import { Checked, Route } from './http/route.ts';
import { presentBridge, presentTest } from './presenters.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** The part of its time that an operation leaves to the tests of nodes: the rest is for the way there and back. */
const TEST_SHARE = 0.75;

/** What bridge rules carry to or from: bridges of the configuration can be seen, those made here can be changed. */
@Controller()
export class BridgesController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listBridges')
  async list(
    @Checked() { query }: Input<'listBridges'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BridgeView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const { bridges, unavailable } = await survey(this.cluster.inquire());
    const conditions = conditionsOf(BRIDGE_FILTERS, query);
    const rest = bridges
      .map(({ view }) => view)
      .filter((view) => view.id > after && meetsInState(conditions, view));
    const items = rest.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items,
      after: rest.length > items.length ? items.at(-1)?.id : undefined,
      unavailable,
    });
  }

  @Route('createBridge')
  async create(
    @Checked() { body }: Input<'createBridge'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeView> {
    const connector = draftOf(body);
    const change = await this.cluster.inquire().change({ kind: 'put-bridge', connector });
    if (change.kind === 'conflict' || change.kind === 'read-only') {
      throw BRIDGES.exists();
    }
    const stored = storedOf(change);
    void reply.header('location', `/api/v1/bridges/${stored.connector.id}`);
    return shown(stored, reply);
  }

  @Route('getBridge')
  async show(
    @Checked() { path }: Input<'getBridge'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeView | undefined> {
    const { stored, view } = found(await survey(this.cluster.inquire()), path.bridge_id);
    return BRIDGES.shownUnless(known, { revision: stored.revision, reply }, view);
  }

  @Route('replaceBridge')
  async replace(
    @Checked() { path, body }: Input<'replaceBridge'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeView> {
    const { bridge_id: id } = path;
    BRIDGES.requireSame(body.id, id);
    const inquiry = this.cluster.inquire();
    const connector = draftOf({ ...body, id });
    if (BRIDGES.createsOnly(request)) {
      const change = await inquiry.change({ kind: 'put-bridge', connector });
      if (change.kind === 'read-only') throw BRIDGES.refused('conflict');
      const view = shown(storedOf(change), reply);
      void reply.status(201);
      return view;
    }
    const { revision } = await findOwn(inquiry, id, request.headers['if-match']);
    return shown(
      storedOf(await inquiry.change({ kind: 'put-bridge', connector, revision })),
      reply,
    );
  }

  @Route('patchBridge')
  async patch(
    @Checked() { path, body }: Input<'patchBridge'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BridgeView> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    const stored = await findOwn(inquiry, id, ifMatch);
    const { source: _, states: __, ...settings } = presentBridge(stored);
    // What comes of the patch has to be what PUT would take.
    const { body: checked } = checkRequest(OPERATIONS.replaceBridge, {
      params: path,
      query: {},
      body: mergePatch(settings, body),
    });
    const wanted = checked as Input<'replaceBridge'>['body'];
    BRIDGES.requireSame(wanted.id, id);
    const { revision } = stored;
    const connector = draftOf({ ...wanted, id });
    return shown(
      storedOf(await inquiry.change({ kind: 'put-bridge', connector, revision })),
      reply,
    );
  }

  @Route('deleteBridge')
  async delete(
    @Checked() { path }: Input<'deleteBridge'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const { bridge_id: id } = path;
    const inquiry = this.cluster.inquire();
    const { revision } = await findOwn(inquiry, id, ifMatch);
    storedOf(await inquiry.change({ kind: 'remove-bridge', id, revision }));
  }

  @Route('testBridge')
  test(@Checked() { path, body }: Input<'testBridge'>): Promise<ConnectivityTest> {
    return this.#test({ id: path.bridge_id, target: body.target });
  }

  @Route('testUnsavedBridge')
  testUnsaved(@Checked() { body }: Input<'testUnsavedBridge'>): Promise<ConnectivityTest> {
    return this.#test({ connector: draftOf(body.bridge), target: body.target });
  }

  async #test(
    subject: WithoutFrame<Extract<TestCommand, { id: string }>> | WithoutFrame<UnsavedTest>,
  ): Promise<ConnectivityTest> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askSome(nodes, {
      kind: 'test-bridge',
      ...subject,
      withinMs: inquiry.leftMs * TEST_SHARE,
    });
    for (const { answer } of answered) {
      if (answer.faults !== undefined) {
        throw faultyBridge(answer.faults, 'connector' in subject ? '/bridge' : '');
      }
    }
    const results = answered.flatMap(({ node, answer: { steps } }) =>
      steps === undefined ? [] : [presentTest(node.nodeId, steps)],
    );
    if (results.length === 0) throw BRIDGES.refused('absent');
    const meta = { partial: unavailable.length > 0, unavailable_nodes: [...unavailable] };
    return { ok: results.every(({ ok }) => ok), results, meta };
  }
}

type TestCommand = CommandOf<'test-bridge'>;
type UnsavedTest = Extract<TestCommand, { connector: unknown }>;
type WithoutFrame<Command> = Omit<Command, 'kind' | 'withinMs'>;

function shown(stored: WireStoredBridge, reply: FastifyReply): BridgeView {
  void reply.header('etag', etagOf(stored.revision));
  return presentBridge(stored);
}

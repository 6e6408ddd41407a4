import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Input,
  ListenerDetail,
  WireListenerChange,
  WireListenerSettings,
  WireNode,
  WireSettingFault,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf, requireMatch } from './http/etag.ts';
import { mergePatch } from './http/merge-patch.ts';
import { metaOf } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { presentListener } from './system-presenter.ts';
import { CLUSTER } from './tokens.ts';

const LISTENERS = new Definitions('listener');

type Settings = WireListenerSettings['settings'];

/** What is known of a listener before nodes are asked how it stands. */
interface Known {
  readonly configured: boolean;
  readonly stored: WireListenerSettings | undefined;
}

/** Listeners that are made, changed and removed while nodes run. */
@Controller()
export class ListenerChangesController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('getListener')
  async show(
    @Checked() { path }: Input<'getListener'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerDetail | undefined> {
    const inquiry = this.cluster.inquire();
    const found = await knownOf(inquiry, path.listener_id);
    const view = await describe(inquiry, path.listener_id, found);
    if (isNowhere(found) && view.nodes.length === 0) throw LISTENERS.refused('absent');
    const revision = found.stored?.revision ?? 0;
    return LISTENERS.shownUnless(known, { revision, reply }, view);
  }

  @Route('createListener')
  async create(
    @Checked() { body }: Input<'createListener'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerDetail> {
    const inquiry = this.cluster.inquire();
    const known = await knownOf(inquiry, body.id);
    if (!isNowhere(known)) throw LISTENERS.exists();
    void reply.header('location', `/api/v1/listeners/${body.id}`);
    return put(inquiry, { known, name: body.id, settings: body.settings }, reply);
  }

  @Route('replaceListener')
  async replace(
    @Checked() { path, body }: Input<'replaceListener'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerDetail> {
    const inquiry = this.cluster.inquire();
    const name = path.listener_id;
    const known = await knownOf(inquiry, name);
    const wanted = { known, name, settings: body.settings };
    if (LISTENERS.createsOnly(request)) {
      if (!isNowhere(known)) throw LISTENERS.refused('conflict');
      const made = await put(inquiry, wanted, reply);
      void reply.status(201);
      return made;
    }
    requireKnown(known, request.headers['if-match']);
    return put(inquiry, wanted, reply);
  }

  @Route('patchListener')
  async patch(
    @Checked() { path, body }: Input<'patchListener'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListenerDetail> {
    const inquiry = this.cluster.inquire();
    const name = path.listener_id;
    const known = await knownOf(inquiry, name);
    requireKnown(known, ifMatch);
    const settings = mergePatch(known.stored?.settings ?? {}, body.settings) as Settings;
    return put(inquiry, { known, name, settings }, reply);
  }

  @Route('deleteListener')
  async delete(
    @Checked() { path }: Input<'deleteListener'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const inquiry = this.cluster.inquire();
    const known = await knownOf(inquiry, path.listener_id);
    requireKnown(known, ifMatch);
    if (known.stored === undefined) {
      const detail =
        'A listener of the configuration cannot be removed; close it with {"settings": {"enabled": false}}';
      throw new ProblemError('conflict', detail);
    }
    const { name, revision } = known.stored;
    storedOf(await inquiry.change({ kind: 'remove-listener', name, revision }));
    await inquiry.askAll(await inquiry.nodes(), { kind: 'refresh-listeners' });
  }
}

async function knownOf(inquiry: Inquiry, name: string): Promise<Known> {
  const { stored, configured } = await inquiry.read({ kind: 'listener-settings' });
  return {
    configured: configured.includes(name),
    stored: stored.find((each) => each.name === name),
  };
}

function isNowhere({ configured, stored }: Known): boolean {
  return !configured && stored === undefined;
}

/** @throws ProblemError when there is none, or its author has not seen it as it is. */
function requireKnown(known: Known, ifMatch: string | undefined): void {
  if (isNowhere(known)) throw LISTENERS.refused('absent');
  requireMatch(ifMatch, known.stored?.revision ?? 0);
}

/** Stores a listener, has every node open it at once, and says how it stands. */
async function put(
  inquiry: Inquiry,
  { known, name, settings }: { known: Known; name: string; settings: Settings },
  reply: FastifyReply,
): Promise<ListenerDetail> {
  const revision = known.stored?.revision;
  const stored = storedOf(
    await inquiry.change({
      ...{ kind: 'put-listener', name, settings },
      ...(revision !== undefined && { revision }),
    }),
  );
  void reply.header('etag', etagOf(stored.revision));
  return describe(inquiry, name, { ...known, stored });
}

/** How a listener stands on every node, once they all have read what is stored. */
async function describe(inquiry: Inquiry, id: string, known: Known): Promise<ListenerDetail> {
  // Each node on its own: one that is silent leaves no less time to the others.
  const asked = (await inquiry.nodes()).map((node) => standing(inquiry, node, id));
  const answers = await Promise.all(asked);
  return {
    id,
    nodes: answers.flatMap(({ places }) => places),
    configured: known.configured,
    settings: { ...known.stored?.settings },
    refused: answers.flatMap(({ refused }) => refused),
    meta: metaOf(answers.flatMap(({ unavailable }) => unavailable)),
  };
}

async function standing(
  inquiry: Inquiry,
  node: WireNode,
  id: string,
): Promise<{
  readonly places: ListenerDetail['nodes'];
  readonly refused: ListenerDetail['refused'];
  readonly unavailable: readonly string[];
}> {
  const refreshed = await inquiry.askAll([node], { kind: 'refresh-listeners' });
  const isSilent = refreshed.unavailable.length > 0;
  const { answered, unavailable } = isSilent
    ? refreshed
    : await inquiry.askAll([node], { kind: 'listeners' });
  const listeners = answered.flatMap(({ answer }) =>
    'listeners' in answer ? answer.listeners : [],
  );
  return {
    places: listeners
      .filter(({ name }) => name === id)
      .map((listener) => {
        const { id: _id, ...place } = presentListener(listener);
        return { node: node.nodeId, ...place };
      }),
    refused: refreshed.answered.flatMap(({ answer }) =>
      answer.refusals
        .filter(({ name }) => name === id)
        .map(({ detail }) => ({ node: node.nodeId, detail })),
    ),
    unavailable,
  };
}

function storedOf(change: WireListenerChange): WireListenerSettings {
  switch (change.kind) {
    case 'stored':
      return change.stored;
    case 'invalid':
      throw invalid(change.faults);
    case 'full':
      throw new ProblemError(
        'limit-reached',
        'There are 64 listeners that were made or changed here',
      );
    case 'conflict':
    case 'absent':
      throw LISTENERS.refused(change.kind);
  }
}

function invalid(faults: readonly WireSettingFault[]): ProblemError {
  const errors = faults.map(({ kind, field, problem, fix }) => ({
    pointer: `/${field.replace(/^listeners\.[^.]+/, 'settings').replaceAll('.', '/')}`,
    ...{ code: kind, detail: `${field} ${problem}; ${fix}` },
  }));
  const detail = errors.map((error) => error.detail).join('. ');
  return new ProblemError('unprocessable', detail.slice(0, 2_000), { errors });
}

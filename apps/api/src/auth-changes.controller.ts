import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  authBackendReplaceSchema,
  type AuthBackendCreate,
  type AuthBackendView,
  type AuthChainView,
  type Input,
  type WireAuth,
  type WireMadeBackend,
} from '#libs/api-contracts';
import { faulty } from './access-presenter.ts';
import {
  AUTH_BACKENDS,
  chainsBy,
  editAuth,
  givenSettingsOf,
  madeBackendOf,
  presentBackend,
  settledOf,
  type AuthEdited,
} from './auth-draft.ts';
import type { Cluster } from './cluster/cluster.ts';
import { etagOf, requireMatch } from './http/etag.ts';
import { mergePatch } from './http/merge-patch.ts';
import { ProblemError } from './http/problem-error.ts';
import { checkedItem } from './http/request-check.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER } from './tokens.ts';

const BACKENDS_MAX = 32;
/** As in the contract of creating one. */
const ID = /^(?!order$)[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/;

/** What a body says of a backend besides its id. */
type Wanted = Pick<AuthBackendCreate, 'kind' | 'settings'>;

interface Replacement {
  readonly query: Input<'replaceAuthBackend'>['query'];
  readonly ifMatch: string | undefined;
  readonly reply: FastifyReply;
}

/** Changes who is asked who a client is. */
@Controller()
export class AuthChangesController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('replaceAuthChain')
  async replaceChain(
    @Checked() { path, query, body }: Input<'replaceAuthChain'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthChainView> {
    const { listener } = path;
    const edited = await editAuth(
      this.cluster,
      (auth) => {
        const { chains, ...settled } = settledOf(auth);
        const others = Object.entries(chains).filter(([name]) => name !== listener);
        if (body.backends !== null) {
          requireKnown(body.backends, settled.order, '/backends');
          others.push([listener, body.backends]);
        }
        return { ...settled, chains: Object.fromEntries(others) };
      },
      {
        dryRun: query.dry_run === true,
        requireSeen: (auth) => {
          if (!auth.chains.some((chain) => chain.listener === listener)) {
            throw new ProblemError('not-found', 'There is no such listener');
          }
          requireMatch(ifMatch, auth.revision);
        },
      },
    );
    tag(edited, reply);
    const chain = chainsBy(edited.document, edited.before).find(
      (each) => each.listener === listener,
    );
    if (chain === undefined) throw new ProblemError('not-found', 'There is no such listener');
    return chain;
  }

  @Route('createAuthBackend')
  async create(
    @Checked() { query, body }: Input<'createAuthBackend'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthBackendView> {
    const { id } = body;
    const dryRun = query.dry_run === true;
    const edited = await editAuth(
      this.cluster,
      (auth) => {
        if (auth.backends.some((backend) => backend.id === id)) throw AUTH_BACKENDS.exists();
        return withAnother(auth, madeBackendOf(id, body));
      },
      { dryRun, backend: id },
    );
    if (!dryRun) void reply.status(201).header('location', `/api/v1/auth/backends/${id}`);
    return this.#shown(id, edited, reply);
  }

  @Route('orderAuthBackends')
  async order(
    @Checked() { query, body }: Input<'orderAuthBackends'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ ids: string[] }> {
    const edited = await editAuth(
      this.cluster,
      (auth) => {
        const settled = settledOf(auth);
        requireKnown(body.ids, settled.order, '/ids');
        const missing = settled.order.find((id) => !body.ids.includes(id));
        if (missing !== undefined) throw faulty('/ids', `The backend ${missing} is missing`);
        return { ...settled, order: body.ids };
      },
      {
        dryRun: query.dry_run === true,
        requireSeen: ({ revision }) => requireMatch(ifMatch, revision),
      },
    );
    tag(edited, reply);
    return { ids: [...edited.document.order] };
  }

  @Route('replaceAuthBackend')
  async replace(
    @Checked() { path, query, body }: Input<'replaceAuthBackend'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthBackendView> {
    const { backend_id: id } = path;
    AUTH_BACKENDS.requireSame(body.id, id);
    if (!AUTH_BACKENDS.createsOnly(request)) {
      const change = { query, reply, ifMatch: request.headers['if-match'] };
      return await this.#replace(id, change, () => body);
    }
    if (!ID.test(id)) throw faulty('/path/backend_id', 'That is no id of a backend');
    const dryRun = query.dry_run === true;
    const edited = await editAuth(
      this.cluster,
      (auth) => {
        if (auth.backends.some((each) => each.id === id)) throw AUTH_BACKENDS.refused('conflict');
        return withAnother(auth, madeBackendOf(id, body));
      },
      { dryRun, backend: id },
    );
    if (!dryRun) void reply.status(201);
    return this.#shown(id, edited, reply);
  }

  @Route('patchAuthBackend')
  async patch(
    @Checked() { path, query, body }: Input<'patchAuthBackend'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthBackendView> {
    return await this.#replace(path.backend_id, { query, ifMatch, reply }, (made) =>
      checkedItem(authBackendReplaceSchema, mergePatch(givenSettingsOf(made), body)),
    );
  }

  @Route('deleteAuthBackend')
  async delete(
    @Checked() { path, query }: Input<'deleteAuthBackend'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ chains: AuthChainView[] } | undefined> {
    const { backend_id: id } = path;
    const dryRun = query.dry_run === true;
    const { document, before } = await editAuth(
      this.cluster,
      (auth) => {
        const { backends, order, chains } = settledOf(auth);
        const left = Object.entries(chains).map(([listener, ids]) => {
          const others = ids.filter((each) => each !== id);
          if (others.length > 0) return [listener, others] as const;
          const detail = `The listener ${listener} would ask nobody: change its chain first`;
          throw new ProblemError('conflict', detail);
        });
        return {
          backends: backends.filter((each) => each.id !== id),
          order: order.filter((each) => each !== id),
          chains: Object.fromEntries(left),
        };
      },
      { dryRun, requireSeen: (auth) => void own(auth, id, ifMatch) },
    );
    if (dryRun) return { chains: [...chainsBy(document, before)] };
    void reply.status(204);
    return undefined;
  }

  async #replace(
    id: string,
    { query, ifMatch, reply }: Replacement,
    wanted: (made: WireMadeBackend) => Wanted,
  ): Promise<AuthBackendView> {
    const edited = await editAuth(
      this.cluster,
      (auth) => {
        const made = madeBackendOf(id, wanted(own(auth, id, ifMatch)));
        const settled = settledOf(auth);
        const backends = settled.backends.map((each) => (each.id === id ? made : each));
        return { ...settled, backends };
      },
      {
        ...{ dryRun: query.dry_run === true, backend: id },
        requireSeen: (auth) => void own(auth, id, ifMatch),
      },
    );
    return this.#shown(id, edited, reply);
  }

  /** The backend as nodes have it; after a dry run as it was given, without defaults. */
  async #shown(id: string, edited: AuthEdited, reply: FastifyReply): Promise<AuthBackendView> {
    tag(edited, reply);
    if (edited.revision !== undefined) {
      const { backends } = await this.cluster.inquire().read({ kind: 'auth' });
      const backend = backends.find((each) => each.id === id);
      if (backend !== undefined) return presentBackend(backend);
    }
    const made = edited.document.backends.find((each) => each.id === id);
    if (made === undefined) throw AUTH_BACKENDS.refused('absent');
    const { kind, settings } = givenSettingsOf(made);
    return presentBackend({ id, kind: kind as Wanted['kind'], source: 'api', settings });
  }
}

function withAnother(auth: WireAuth, made: WireMadeBackend) {
  if (auth.backends.length >= BACKENDS_MAX) {
    throw new ProblemError('limit-reached', `There may be ${String(BACKENDS_MAX)} backends`);
  }
  const { backends, order, chains } = settledOf(auth);
  return { backends: [...backends, made], order: [...order, made.id], chains };
}

/** One that was made here, and of which the caller has seen the state. @throws ProblemError otherwise. */
function own(
  { backends, document, revision }: WireAuth,
  id: string,
  ifMatch: string | undefined,
): WireMadeBackend {
  const shown = backends.find((each) => each.id === id);
  AUTH_BACKENDS.own(shown && { source: shown.source, revision }, ifMatch);
  const made = document.backends.find((each) => each.id === id);
  if (made === undefined) throw AUTH_BACKENDS.refused('absent');
  return made;
}

function requireKnown(ids: readonly string[], known: readonly string[], pointer: string): void {
  for (const [index, id] of ids.entries()) {
    const place = `${pointer}/${String(index)}`;
    if (!known.includes(id)) throw faulty(place, `There is no backend ${JSON.stringify(id)}`);
    if (ids.indexOf(id) !== index) throw faulty(place, `The backend ${id} is named twice`);
  }
}

function tag({ revision }: AuthEdited, reply: FastifyReply): void {
  if (revision !== undefined) void reply.header('etag', etagOf(revision));
}

import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  AuthBackendView,
  AuthChainView,
  AuthTest,
  Input,
  List,
  WireAuth,
  WireLoginTrial,
} from '#libs/api-contracts';
import { AUTH_BACKENDS, presentBackend, presentChain } from './auth-draft.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Exchange, Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** What of the time of a call is left to the node for its answer. */
const REST_MS = 250;

/** Who is asked who a client is. */
@Controller()
export class AuthController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listAuthChains')
  async chains(
    @Checked() { query }: Input<'listAuthChains'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<AuthChainView>> {
    return this.#page({ request, reply }, query.limit, chainsOf(await this.#auth()));
  }

  @Route('getAuthChain')
  async chain(
    @Checked() { path }: Input<'getAuthChain'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthChainView | undefined> {
    const auth = await this.#auth();
    const chain = chainsOf(auth).find(({ listener }) => listener === path.listener);
    if (chain === undefined) throw new ProblemError('not-found', 'There is no such listener');
    return AUTH_BACKENDS.shownUnless(known, { revision: auth.revision, reply }, chain);
  }

  @Route('listAuthBackends')
  async backends(
    @Checked() { query }: Input<'listAuthBackends'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<AuthBackendView>> {
    return this.#page({ request, reply }, query.limit, backendsOf(await this.#auth()));
  }

  @Route('getAuthBackend')
  async backend(
    @Checked() { path }: Input<'getAuthBackend'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuthBackendView | undefined> {
    const auth = await this.#auth();
    const backend = backendsOf(auth).find(({ id }) => id === path.backend_id);
    if (backend === undefined) throw noBackend();
    return AUTH_BACKENDS.shownUnless(known, { revision: auth.revision, reply }, backend);
  }

  @Route('testAuthBackend')
  async test(@Checked() { path, body }: Input<'testAuthBackend'>): Promise<AuthTest> {
    const { client_id: clientId, username, address, listener } = body;
    const password =
      body.password === undefined
        ? body.password_base64
        : Buffer.from(body.password).toString('base64');
    const inquiry = this.cluster.inquire();
    await inquiry.nodes();
    // Not read(): a second node would be asked as well, and what a backend counts would count twice.
    const trial = await inquiry.change({
      ...{ kind: 'try-login', backend: path.backend_id },
      login: {
        ...{ clientId, username, password, address, listener },
        certificateName: body.certificate_name,
      },
      withinMs: Math.max(inquiry.leftMs - REST_MS, REST_MS),
    });
    return presentTrial(trial);
  }

  async #auth(): Promise<WireAuth> {
    return await this.cluster.inquire().read({ kind: 'auth' });
  }

  #page<Item>(exchange: Exchange, limit: number, all: readonly Item[]): List<Item> {
    const from = this.pages.position<number>(exchange) ?? 0;
    const end = from + limit;
    return this.pages.list(exchange, limit, {
      items: all.slice(from, end),
      after: end < all.length ? end : undefined,
      unavailable: [],
    });
  }
}

function chainsOf(auth: WireAuth): readonly AuthChainView[] {
  return auth.chains.map((chain) => presentChain(chain, auth));
}

function backendsOf({ backends }: WireAuth): readonly AuthBackendView[] {
  return backends.map((backend) => presentBackend(backend));
}

function presentTrial(trial: WireLoginTrial): AuthTest {
  if (trial.kind === 'absent') throw noBackend();
  const { latencyMs: latency_ms } = trial;
  switch (trial.kind) {
    case 'allowed':
      return {
        ...{ decision: 'allowed', latency_ms, user: trial.user ?? null },
        ...{ groups: [...trial.groups], rule_count: trial.ruleCount },
        expires_at:
          trial.expiresAtMs === undefined ? null : new Date(trial.expiresAtMs).toISOString(),
      };
    case 'denied':
    case 'failed':
      return { decision: trial.kind, latency_ms, detail: trial.detail };
    case 'not-mine':
      return { decision: 'not_mine', latency_ms };
    case 'busy':
    case 'silent':
      return { decision: trial.kind, latency_ms };
  }
}

function noBackend(): ProblemError {
  return AUTH_BACKENDS.refused('absent');
}

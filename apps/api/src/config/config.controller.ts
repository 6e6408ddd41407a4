import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  ConfigChangeView,
  ConfigValidationView,
  ConfigVersionView,
  ConfigView,
  Input,
  List,
} from '#libs/api-contracts';
import { SETTINGS } from '#libs/config';
import { knownCaller } from '../guard/caller.ts';
import { Definitions } from '../http/definitions.ts';
import { etagOf } from '../http/etag.ts';
import { mergePatch } from '../http/merge-patch.ts';
import type { Pages } from '../http/pages.ts';
import { ProblemError } from '../http/problem-error.ts';
import { Checked, Route } from '../http/route.ts';
import { CONFIG_SERVICE, PAGES } from '../tokens.ts';
import { absent, presentVersion, type ConfigService } from './config-service.ts';

const CONFIGURATION = new Definitions('configuration');
const SECTIONS = new Set(SETTINGS.map(({ path }) => path.split('.', 1)[0] ?? ''));

type Overrides = Readonly<Record<string, unknown>>;

/** Settings of nodes that change while they run. */
@Controller()
export class ConfigController {
  constructor(
    @Inject(CONFIG_SERVICE) private readonly service: ConfigService,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('getConfig')
  async show(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConfigView | undefined> {
    const view = await this.service.show(undefined);
    return CONFIGURATION.shownUnless(known, { revision: view.version, reply }, view);
  }

  @Route('getConfigSection')
  async showSection(
    @Checked() { path }: Input<'getConfigSection'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConfigView | undefined> {
    const view = await this.service.show(path.section);
    return CONFIGURATION.shownUnless(known, { revision: view.version, reply }, view);
  }

  @Route('patchConfig')
  patch(
    @Checked() { body }: Input<'patchConfig'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConfigChangeView> {
    return this.#patch(body, request, reply);
  }

  @Route('patchConfigSection')
  async patchSection(
    @Checked() { path, body }: Input<'patchConfigSection'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConfigChangeView> {
    if (!SECTIONS.has(path.section)) throw absent();
    return this.#patch({ [path.section]: body }, request, reply);
  }

  @Route('validateConfig')
  validate(@Checked() { body }: Input<'validateConfig'>): ConfigValidationView {
    return this.service.validate(body.settings);
  }

  @Route('listConfigHistory')
  async history(
    @Checked() { query }: Input<'listConfigHistory'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<ConfigVersionView>> {
    const exchange = { request, reply };
    const before = this.pages.position<string>(exchange);
    const stored = await this.service.stored();
    // One more than is shown tells whether there are more.
    const found = await this.service.versions.page(stored, { before, limit: query.limit + 1 });
    const items = found.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: items.map(({ kept }) => presentVersion(kept)),
      after: found.length > items.length ? items.at(-1)?.position : undefined,
      unavailable: [],
    });
  }

  @Route('rollBackConfig')
  async rollBack(
    @Checked() { body }: Input<'rollBackConfig'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConfigChangeView> {
    const author = { by: knownCaller(request).id, ifMatch: request.headers['if-match'] };
    return tagged(await this.service.rollBack(body.version, author), reply);
  }

  async #patch(
    patch: Overrides,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<ConfigChangeView> {
    const ifMatch = request.headers['if-match'];
    if (ifMatch === undefined) {
      throw new ProblemError('precondition-required', 'Send If-Match with the ETag last read');
    }
    const author = { by: knownCaller(request).id, ifMatch };
    const make = (overrides: Overrides) => mergePatch(overrides, patch) as Overrides;
    return tagged(await this.service.change(make, author), reply);
  }
}

function tagged(change: ConfigChangeView, reply: FastifyReply): ConfigChangeView {
  void reply.header('etag', etagOf(change.version));
  return change;
}

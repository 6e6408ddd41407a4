import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { subjectOfBanId } from '#libs/access';
import {
  BAN_FILTERS,
  banWishSchema,
  conditionsOf,
  type AutoBanConfigView,
  type BanView,
  type BulkResults,
  type Input,
  type List,
  type WireBan,
  type WireBanChange,
  type WireBanWish,
} from '#libs/api-contracts';
import {
  banRefused,
  endOf,
  presentBan,
  presentFlapping,
  wireBanOf,
  wireFlappingOf,
} from './bans-presenter.ts';
import { faulty } from './access-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import {
  bulkResults,
  refusedItem,
  splitBulk,
  type BulkItem,
  type BulkResult,
} from './http/bulk.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf, requireMatch } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

const BANS = new Definitions('ban');
const SETTINGS = new Definitions('configuration');

/** Who may not connect. */
@Controller()
export class BansController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listBans')
  async list(
    @Checked() { query }: Input<'listBans'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BanView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const conditions = conditionsOf(BAN_FILTERS, query);
    const { items, hasMore } = await this.cluster.inquire().read({
      ...{ kind: 'bans', limit: query.limit, conditions },
      ...(after !== undefined && { after }),
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map((ban) => presentBan(ban)),
      after: hasMore ? items.at(-1)?.id : undefined,
      unavailable: [],
    });
  }

  @Route('createBan')
  async create(
    @Checked() { body }: Input<'createBan'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BanView> {
    const wishes: WireBanWish[] = [{ kind: 'add', ban: wireBanOf(body) }];
    const { changes } = await this.cluster.inquire().change({ kind: 'change-bans', wishes });
    const [change] = changes;
    if (change?.kind !== 'stored') throw problemOf(change, body.kind);
    void reply.header('location', `/api/v1/bans/${encodeURIComponent(change.ban.id)}`);
    return shown(change.ban, reply);
  }

  @Route('changeBans')
  async change(@Checked() { query, body }: Input<'changeBans'>): Promise<BulkResults> {
    const { items, refused } = splitBulk(banWishSchema, body, (wish): WireBanWish =>
      wish.op === 'delete'
        ? { kind: 'remove', id: wish.id }
        : { kind: 'add', ban: wireBanOf(wish) },
    );
    if (items.length === 0) return bulkResults(refused);
    const { changes } = await this.cluster.inquire().change({
      ...{ kind: 'change-bans', dryRun: query.dry_run },
      wishes: items.map(({ wanted }) => wanted),
    });
    return bulkResults([...refused, ...items.map((item, index) => resultOf(item, changes[index]))]);
  }

  @Route('getBan')
  async show(
    @Checked() { path }: Input<'getBan'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BanView | undefined> {
    const ban = await this.#find(path.ban_id);
    if (ban === undefined) throw BANS.refused('absent');
    return BANS.shownUnless(known, { revision: ban.revision, reply }, presentBan(ban));
  }

  @Route('replaceBan')
  async replace(
    @Checked() { path, body }: Input<'replaceBan'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BanView> {
    const subject = subjectOfBanId(path.ban_id);
    const creates = BANS.createsOnly(request);
    if (subject === undefined) {
      if (!creates) throw BANS.refused('absent');
      throw faulty('/path/ban_id', 'No ban can have this id: it is made of what the ban is on');
    }
    const ban = { ...subject, reason: body.reason, ...endOf(body.until) };
    const revision = creates
      ? undefined
      : await this.#own(path.ban_id, request.headers['if-match']);
    const change = await this.cluster.inquire().change({
      ...{ kind: 'put-ban', ban },
      ...(revision !== undefined && { revision }),
    });
    if (change.kind === 'stored') {
      if (creates) void reply.status(201);
      return shown(change.ban, reply);
    }
    if (change.kind === 'conflict' || change.kind === 'absent') throw BANS.refused(change.kind);
    throw banRefused({ kind: change.kind }, subject.kind);
  }

  @Route('deleteBan')
  async lift(
    @Checked() { path }: Input<'deleteBan'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const id = path.ban_id;
    const revision = ifMatch === undefined ? undefined : await this.#own(id, ifMatch);
    const { kind } = await this.cluster.inquire().change({
      ...{ kind: 'remove-ban', id },
      ...(revision !== undefined && { revision }),
    });
    if (kind !== 'stored') throw BANS.refused(kind);
  }

  @Route('getAutoBanConfig')
  async flapping(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AutoBanConfigView | undefined> {
    const stored = await this.cluster.inquire().read({ kind: 'flapping' });
    return SETTINGS.shownUnless(
      known,
      { revision: stored.revision, reply },
      presentFlapping(stored),
    );
  }

  @Route('replaceAutoBanConfig')
  async replaceFlapping(
    @Checked() { body }: Input<'replaceAutoBanConfig'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AutoBanConfigView> {
    const inquiry = this.cluster.inquire();
    const { revision } = await inquiry.read({ kind: 'flapping' });
    requireMatch(ifMatch, revision);
    const settings = wireFlappingOf(body);
    const change = await inquiry.change({ kind: 'put-flapping', settings, revision });
    if (change.kind === 'conflict') throw SETTINGS.refused('conflict');
    void reply.header('etag', etagOf(change.stored.revision));
    return presentFlapping(change.stored);
  }

  async #find(id: string): Promise<WireBan | undefined> {
    return (await this.cluster.inquire().read({ kind: 'ban', id })).ban;
  }

  /** The revision of a ban that its author has seen. */
  async #own(id: string, ifMatch: string | undefined): Promise<number> {
    const ban = await this.#find(id);
    return BANS.own(ban && { source: 'api' as const, revision: ban.revision }, ifMatch).revision;
  }
}

function shown(ban: WireBan, reply: FastifyReply): BanView {
  void reply.header('etag', etagOf(ban.revision));
  return presentBan(ban);
}

/** The problem of a change that was not made. */
function problemOf(change: WireBanChange | undefined, on: string): ProblemError {
  if (change?.kind === 'exists') return new ProblemError('already-exists', 'There is a ban on it');
  if (change?.kind === 'absent') return BANS.refused('absent');
  if (change?.kind === 'full' || change?.kind === 'costly' || change?.kind === 'invalid') {
    return banRefused(change, on);
  }
  return new ProblemError('internal', 'The node did not say what came of it');
}

function resultOf(
  { index, wanted }: BulkItem<WireBanWish>,
  change: WireBanChange | undefined,
): BulkResult {
  const done = wanted.kind === 'remove' ? 204 : 201;
  if (change?.kind === 'stored') return { index, status: done, id: change.ban.id };
  if (change?.kind === 'removed' || change?.kind === 'possible') {
    return { index, status: done, id: change.id };
  }
  const on = wanted.kind === 'add' ? wanted.ban.kind : '';
  const own = wanted.kind === 'remove' ? wanted.id : undefined;
  const id = change?.kind === 'exists' ? change.ban.id : own;
  return refusedItem(index, problemOf(change, on), id);
}

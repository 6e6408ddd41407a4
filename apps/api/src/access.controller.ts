import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AclRulesView, AclSimulation, BanView, Input, List } from '#libs/api-contracts';
import {
  presentAcl,
  presentBan,
  presentVerdict,
  wireBanOf,
  wireRequestOf,
  wireRuleOf,
} from './access-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { etagOf, namesTag, requireMatch } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

/** Who may do what, and who may not connect. */
@Controller()
export class AccessController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listAclRules')
  async rules(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AclRulesView | undefined> {
    const acl = await this.cluster.inquire().read({ kind: 'acl' });
    const tag = etagOf(acl.revision);
    void reply.header('etag', tag);
    if (known === undefined || !namesTag(known, tag)) return presentAcl(acl);
    void reply.status(304);
    return undefined;
  }

  @Route('replaceAclRules')
  async replaceRules(
    @Checked() { body }: Input<'replaceAclRules'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AclRulesView> {
    const inquiry = this.cluster.inquire();
    const acl = await inquiry.read({ kind: 'acl' });
    requireMatch(ifMatch, acl.revision);
    const rules = body.rules.map((rule) => wireRuleOf(rule));
    const change = await inquiry.change({ kind: 'put-acl', rules, revision: acl.revision });
    if (change.kind === 'conflict') {
      throw new ProblemError('precondition-failed', 'The rules have changed');
    }
    if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
    void reply.header('etag', etagOf(change.revision));
    return presentAcl({ ...acl, stored: rules });
  }

  @Route('simulateAcl')
  async simulate(@Checked() { body }: Input<'simulateAcl'>): Promise<AclSimulation> {
    const { client_id: clientId, username, groups, address, certificate_name } = body;
    const { verdicts } = await this.cluster.inquire().read({
      kind: 'simulate-access',
      subject: { clientId, username, groups, address, certificateName: certificate_name },
      requests: body.checks.map((check) => wireRequestOf(check)),
    });
    return { results: verdicts.map((verdict) => presentVerdict(verdict)) };
  }

  @Route('listBans')
  async bans(
    @Checked() { query }: Input<'listBans'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<BanView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const { items, hasMore } = await this.cluster.inquire().read({
      ...{ kind: 'bans', limit: query.limit },
      ...(after !== undefined && { after }),
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map((ban) => presentBan(ban)),
      after: hasMore ? items.at(-1)?.id : undefined,
      unavailable: [],
    });
  }

  @Route('createBan')
  async ban(
    @Checked() { body }: Input<'createBan'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BanView> {
    const { subject, untilMs } = wireBanOf(body);
    const change = await this.cluster.inquire().change({
      ...{ kind: 'add-ban', subject, reason: body.reason },
      ...(untilMs !== undefined && { untilMs }),
    });
    switch (change.kind) {
      case 'stored':
        void reply.header('location', `/api/v1/bans/${encodeURIComponent(change.ban.id)}`);
        return presentBan(change.ban);
      case 'exists':
        throw new ProblemError('already-exists', 'There is a ban on it');
      case 'full':
        throw new ProblemError('limit-reached', 'There are as many bans as limits.bansMax');
      case 'invalid':
        throw invalidValue();
    }
  }

  @Route('getBan')
  async showBan(@Checked() { path }: Input<'getBan'>): Promise<BanView> {
    const { ban } = await this.cluster.inquire().read({ kind: 'ban', id: path.ban_id });
    if (ban === undefined) throw noBan();
    return presentBan(ban);
  }

  @Route('deleteBan')
  async liftBan(@Checked() { path }: Input<'deleteBan'>): Promise<void> {
    const { found } = await this.cluster.inquire().change({ kind: 'remove-ban', id: path.ban_id });
    if (!found) throw noBan();
  }
}

function noBan(): ProblemError {
  return new ProblemError('not-found', 'There is no ban with this id');
}

function invalidValue(): ProblemError {
  const detail = 'Nobody can have this name or address';
  const errors = [{ pointer: '/value', code: 'invalid', detail }];
  return new ProblemError('unprocessable', detail, { errors });
}

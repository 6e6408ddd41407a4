import { Controller, Headers, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { AclRulesView, AclSimulation, Input } from '#libs/api-contracts';
import { presentAcl, presentVerdict, wireRequestOf, wireRuleOf } from './access-presenter.ts';
import type { Cluster } from './cluster/cluster.ts';
import { etagOf, namesTag, requireMatch } from './http/etag.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER } from './tokens.ts';

/** Who may do what. */
@Controller()
export class AccessController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

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
}

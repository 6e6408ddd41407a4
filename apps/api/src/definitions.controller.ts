import { Controller, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { DefinitionsImported, DefinitionsView, Input } from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import { sectionsOf } from './definition-sections.ts';
import { importSection } from './definition-import.ts';
import { roleSection, webhookSection } from './definition-own-sections.ts';
import { knownCaller, requireScope, type Caller } from './guard/caller.ts';
import type { Guard } from './guard/guard.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, CONFIG, GUARD, WEBHOOKS } from './tokens.ts';
import { requirePlace } from './webhook-presenter.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

/** All that is defined over REST, as one document. */
@Controller()
export class DefinitionsController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(GUARD) private readonly guard: Guard,
    @Inject(WEBHOOKS) private readonly webhooks: Webhooks,
  ) {}

  @Route('exportDefinitions')
  async export(@Req() request: FastifyRequest): Promise<DefinitionsView> {
    const { roles, webhooks } = this.#own(knownCaller(request));
    const { users, acl_rules, bans, bridges, bridge_rules } = sectionsOf(this.cluster);
    return {
      format: 'skein-definitions',
      version: 1,
      exported_at: new Date().toISOString(),
      users: (await users.present()).map(({ item }) => item),
      acl_rules: (await acl_rules.present()).flatMap(({ item }) => item),
      bans: (await bans.present()).map(({ item }) => item),
      bridges: (await bridges.present()).map(({ item }) => item),
      bridge_rules: (await bridge_rules.present()).map(({ item }) => item),
      roles: (await roles.present()).map(({ item }) => item),
      webhooks: (await webhooks.present()).map(({ item }) => item),
    };
  }

  @Route('importDefinitions')
  async import(
    @Checked() { query, body }: Input<'importDefinitions'>,
    @Req() request: FastifyRequest,
  ): Promise<DefinitionsImported> {
    const caller = knownCaller(request);
    if (body.roles !== undefined) requireScope(caller, 'roles:write');
    if (body.webhooks !== undefined) requireScope(caller, 'webhooks:write');
    const { roles, webhooks } = this.#own(caller);
    const dryRun = query.dry_run === true;
    const how = { dryRun, replaces: query.mode === 'replace' };
    const sections = sectionsOf(this.cluster);
    // Rules name bridges: those come first, and go last.
    const { finish, results: bridges } = await importSection(sections.bridges, body.bridges, how);
    const results = [
      ...bridges,
      ...(await importSection(sections.bridge_rules, body.bridge_rules, how).then(finished)),
      ...(await finish()),
      ...(await importSection(
        sections.acl_rules,
        body.acl_rules && [
          how.replaces ? body.acl_rules : await sections.mergedAcl(body.acl_rules),
        ],
        { ...how, replaces: false },
      ).then(finished)),
      ...(await importSection(sections.users, body.users, how).then(finished)),
      ...(await importSection(sections.bans, body.bans, how).then(finished)),
      ...(await importSection(roles, body.roles, how).then(finished)),
      ...(await importSection(webhooks, body.webhooks, how).then(finished)),
    ];
    return { dry_run: dryRun, results };
  }

  /** What is the API's own. */
  #own(caller: Caller) {
    return {
      roles: roleSection(this.guard, caller),
      webhooks: webhookSection(this.webhooks, caller, (url) => requirePlace(url, this.config)),
    };
  }
}

async function finished({
  results,
  finish,
}: Awaited<ReturnType<typeof importSection>>): Promise<DefinitionsImported['results']> {
  return [...results, ...(await finish())];
}

import { Controller, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type {
  AuthDefinition,
  DefinitionsImported,
  DefinitionsView,
  Input,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { sectionsOf } from './definition-sections.ts';
import { importSection, type ImportOptions } from './definition-import.ts';
import { authSection, mergedAuth, ruleOrderSection } from './definition-order-sections.ts';
import { roleSection, webhookSection } from './definition-own-sections.ts';
import { knownCaller, requireScope, type Caller } from './guard/caller.ts';
import type { Guard } from './guard/guard.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, GUARD, WEBHOOKS } from './tokens.ts';
import { requirePlace } from './webhook-presenter.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

type Results = DefinitionsImported['results'];

/** All that is defined over REST, as one document. */
@Controller()
export class DefinitionsController {
  constructor(
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
      bridge_rule_order: (await ruleOrderSection(this.cluster).present()).flatMap(
        ({ item }) => item,
      ),
      auth: (await authSection(this.cluster).present())[0]?.item ?? null,
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
    if (body.auth) requireScope(caller, 'auth:write');
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
      ...(await this.#importRuleOrder(body.bridge_rule_order ?? [], how)),
      ...(await this.#importAuth(body.auth ?? undefined, how)),
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

  async #importRuleOrder(ids: readonly string[], how: ImportOptions): Promise<Results> {
    if (ids.length === 0) return [];
    const section = ruleOrderSection(this.cluster);
    return await importSection(section, [ids], { ...how, replaces: false }).then(finished);
  }

  async #importAuth(wanted: AuthDefinition | undefined, how: ImportOptions): Promise<Results> {
    if (wanted === undefined) return [];
    const section = authSection(this.cluster);
    const item = how.replaces ? wanted : await mergedAuth(section, wanted);
    return await importSection(section, [item], { ...how, replaces: false }).then(finished);
  }

  /** What is the API's own. */
  #own(caller: Caller) {
    return {
      roles: roleSection(this.guard, caller),
      webhooks: webhookSection(this.webhooks, caller, (url) => requirePlace(url, this.webhooks)),
    };
  }
}

async function finished({
  results,
  finish,
}: Awaited<ReturnType<typeof importSection>>): Promise<Results> {
  return [...results, ...(await finish())];
}

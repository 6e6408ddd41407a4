import { Controller, Inject } from '@nestjs/common';
import type { DefinitionsImported, DefinitionsView, Input } from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { sectionsOf } from './definition-sections.ts';
import { importSection } from './definition-import.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER } from './tokens.ts';

/** All that is defined over REST, as one document. */
@Controller()
export class DefinitionsController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('exportDefinitions')
  async export(): Promise<DefinitionsView> {
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
    };
  }

  @Route('importDefinitions')
  async import(
    @Checked() { query, body }: Input<'importDefinitions'>,
  ): Promise<DefinitionsImported> {
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
    ];
    return { dry_run: dryRun, results };
  }
}

async function finished({
  results,
  finish,
}: Awaited<ReturnType<typeof importSection>>): Promise<DefinitionsImported['results']> {
  return [...results, ...(await finish())];
}

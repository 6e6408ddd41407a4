import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ClusterChangeView, ClusterView, Input, SettingView } from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from '../cluster/cluster.ts';
import { knownCaller } from '../guard/caller.ts';
import { etagOf } from '../http/etag.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { ProblemError } from '../http/problem-error.ts';
import { Checked, Route } from '../http/route.ts';
import { CLUSTER, CONFIG, CONFIG_SERVICE } from '../tokens.ts';
import type { ConfigService } from './config-service.ts';

type Overrides = Readonly<Record<string, unknown>>;

/** The cluster, its members and what is set of it. */
@Controller()
export class ClusterSettingsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CONFIG_SERVICE) private readonly service: ConfigService,
  ) {}

  // Members come and go without a new version of the settings: known ETags are not answered with 304.
  @Route('getCluster')
  async show(@Res({ passthrough: true }) reply: FastifyReply): Promise<ClusterView> {
    const inquiry = this.cluster.inquire();
    const nodes = await inquiry.nodes();
    const { mode } = await inquiry.read({ kind: 'status' });
    const { version, settings, meta } = await this.service.show(undefined);
    const hot = settings.filter(({ change }) => change === 'hot');
    void reply.header('etag', etagOf(version));
    return {
      name: this.config.node.clusterName,
      mode,
      nodes: nodes.map(({ nodeId, state, version: release, startedAtMs }) => ({
        ...{ id: nodeId, state, version: release },
        started_at: new Date(startedAtMs).toISOString(),
      })),
      settings: treeOf(hot),
      differing: hot.filter((each) => each.nodes.length > 0).map(({ key }) => key),
      meta,
    };
  }

  @Route('patchCluster')
  async patch(
    @Checked() { body, query }: Input<'patchCluster'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ClusterChangeView> {
    const ifMatch = request.headers['if-match'];
    if (ifMatch === undefined) {
      throw new ProblemError('precondition-required', 'Send If-Match with the ETag last read');
    }
    const dryRun = query.dry_run === true;
    const make = (overrides: Overrides) => mergePatch(overrides, body.settings) as Overrides;
    const author = { by: knownCaller(request).id, ifMatch, dryRun, at: '/settings' };
    const change = await this.service.change(make, author);
    void reply.header('etag', etagOf(change.version));
    return { ...change, dry_run: dryRun };
  }
}

/** Settings as the configuration file has them: a merge patch has the same shape. */
function treeOf(settings: readonly SettingView[]): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const { key, value } of settings) {
    const names = key.split('.');
    const last = names.pop() ?? key;
    let section = tree;
    // Keys are those of the schema, where a name is a section or a value, never both.
    for (const name of names) {
      section = (section[name] ??= {}) as Record<string, unknown>;
    }
    section[last] = value;
  }
  return tree;
}

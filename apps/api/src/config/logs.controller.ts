import { Controller, Inject } from '@nestjs/common';
import type { Input, LogLevelsView } from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';
import { metaOf } from '../http/pages.ts';
import { ProblemError } from '../http/problem-error.ts';
import { Checked, Route } from '../http/route.ts';
import { CLUSTER } from '../tokens.ts';
import { presentLevels } from './config-presenter.ts';

/** What nodes write to their logs. */
@Controller()
export class LogsController {
  constructor(@Inject(CLUSTER) private readonly cluster: Cluster) {}

  @Route('getLogLevels')
  async levels(): Promise<LogLevelsView> {
    const inquiry = this.cluster.inquire();
    const command = { kind: 'log-levels' } as const;
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
    const nodes = answered.map(({ node, answer }) => presentLevels(node.nodeId, answer.levels));
    return { nodes, meta: metaOf(unavailable) };
  }

  @Route('setLogLevel')
  async setLevel(@Checked() { body }: Input<'setLogLevel'>): Promise<LogLevelsView> {
    const { component, level, node, ttl_seconds: seconds } = body;
    const inquiry = this.cluster.inquire();
    const nodes = node === undefined ? await inquiry.nodes() : [await inquiry.requireNode(node)];
    const { answered, unavailable } = await inquiry.askSome(nodes, {
      ...{ kind: 'set-log-level', component, level: level ?? undefined },
      forMs: seconds === undefined ? undefined : seconds * 1_000,
    });
    if (answered.every(({ answer }) => !answer.isKnown)) {
      const names = answered[0]?.answer.levels.map((each) => each.component).join(', ') ?? '';
      const detail = `Nodes have no such component, but ${names}`;
      const errors = [{ pointer: '/component', code: 'unknown', detail }];
      throw new ProblemError('unprocessable', detail, { errors });
    }
    const shown = answered.map((each) => presentLevels(each.node.nodeId, each.answer.levels));
    return { nodes: shown, meta: metaOf(unavailable) };
  }
}

import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  CLIENT_FILTERS,
  SESSION_FILTERS,
  bodyConditionsOf,
  type Condition,
  type DisconnectResults,
  type Input,
  type LongOperation,
} from '#libs/api-contracts';
import { ADMINISTRATIVE_ACTION } from '../client-selection.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { knownCaller, requireScope } from '../guard/caller.ts';
import { Checked, Route } from '../http/route.ts';
import type { Operations } from '../operations/operations.ts';
import { CLUSTER, OPERATIONS_OF_API } from '../tokens.ts';
import { CLIENT_DISCONNECTS, SESSION_PURGES } from './client-work-kinds.ts';
import { disconnectAll, type DisconnectHow } from './disconnects.ts';

const PER_SECOND = 1_000;

const CONNECTED: Condition = { field: 'state', operator: 'eq', value: 'connected' };

/** What is done to many clients at once. */
@Controller()
export class ClientWorkController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(OPERATIONS_OF_API) private readonly operations: Operations,
  ) {}

  @Route('disconnectClients')
  async disconnect(
    @Checked() { body }: Input<'disconnectClients'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DisconnectResults | LongOperation> {
    if (body.ban_for_seconds !== undefined) requireScope(knownCaller(request), 'bans:write');
    const how: DisconnectHow = {
      ...{ reasonCode: body.reason_code, withWill: body.publish_will },
      ...{ endSession: body.clear_session, dryRun: body.dry_run },
      banSeconds: body.ban_for_seconds,
    };
    const { client_ids: ids, filter = {} } = body;
    if (ids === undefined) {
      const where = bodyConditionsOf(CLIENT_FILTERS, filter);
      const input = {
        ...{ how, node: filter.node, perSecond: body.per_second ?? PER_SECOND },
        where: body.clear_session ? where : [...where, CONNECTED],
      };
      return this.operations.start(CLIENT_DISCONNECTS, input, { request, reply });
    }
    const unique = [...new Set(ids)];
    const results = await disconnectAll(this.cluster.inquire(), unique, how);
    const byId = new Map(unique.map((id, index) => [id, results[index]]));
    const items = ids.flatMap((id, index) => {
      const { isBanned: _, ...result } = byId.get(id) ?? { isBanned: false };
      return 'was' in result ? [{ index, ...result }] : [];
    });
    return { dry_run: body.dry_run, items };
  }

  @Route('purgeSessions')
  async purge(
    @Checked() { body }: Input<'purgeSessions'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { filter, per_second: perSecond = PER_SECOND, dry_run: dryRun } = body;
    const how = { reasonCode: ADMINISTRATIVE_ACTION, withWill: true, endSession: true, dryRun };
    const where = bodyConditionsOf(SESSION_FILTERS, filter);
    const input = { how, node: filter.node, perSecond, where };
    return this.operations.start(SESSION_PURGES, input, { request, reply });
  }
}

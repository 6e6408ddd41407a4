import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Input, LongOperation } from '#libs/api-contracts';
import { Checked, Route } from '../http/route.ts';
import type { Operations } from '../operations/operations.ts';
import { OPERATIONS_OF_API } from '../tokens.ts';
import { BAN_IMPORTS } from './ban-import.ts';
import { USER_EXPORTS } from './user-export.ts';
import { USER_IMPORTS } from './user-import.ts';

/** Many users and bans, from files and into them. */
@Controller()
export class ImportsController {
  constructor(@Inject(OPERATIONS_OF_API) private readonly operations: Operations) {}

  @Route('importUsers')
  importUsers(
    @Checked() { query, body: rows }: Input<'importUsers'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { existing, dry_run: dryRun } = query;
    return this.operations.start(USER_IMPORTS, { rows, existing, dryRun }, { request, reply });
  }

  @Route('exportUsers')
  exportUsers(
    @Checked() { body }: Input<'exportUsers'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { format, filter = {} } = body;
    const input = { format, namePrefix: filter.username?.like, group: filter.group };
    return this.operations.start(USER_EXPORTS, input, { request, reply });
  }

  @Route('importBans')
  importBans(
    @Checked() { query, body: rows }: Input<'importBans'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { existing, dry_run: dryRun } = query;
    return this.operations.start(BAN_IMPORTS, { rows, existing, dryRun }, { request, reply });
  }
}

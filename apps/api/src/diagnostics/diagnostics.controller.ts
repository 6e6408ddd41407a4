import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Input, LongOperation } from '#libs/api-contracts';
import { Checked, Route } from '../http/route.ts';
import type { Operations } from '../operations/operations.ts';
import { OPERATIONS_OF_API } from '../tokens.ts';
import { DIAGNOSTICS } from './diagnostics-kind.ts';

/** What helps to find a cause. */
@Controller()
export class DiagnosticsController {
  constructor(@Inject(OPERATIONS_OF_API) private readonly operations: Operations) {}

  @Route('gatherDiagnostics')
  gather(
    @Checked() { body }: Input<'gatherDiagnostics'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LongOperation> {
    const { nodes, heap_snapshot: withHeap } = body;
    return this.operations.start(DIAGNOSTICS, { nodes, withHeap }, { request, reply });
  }
}

import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  LONG_OPERATION_FILTERS,
  conditionsOf,
  meets,
  type Input,
  type List,
  type LongOperation,
  type LongOperationSummary,
} from '#libs/api-contracts';
import { knownCaller } from '../guard/caller.ts';
import type { Pages } from '../http/pages.ts';
import { Checked, Route } from '../http/route.ts';
import { OPERATIONS_OF_API, PAGES } from '../tokens.ts';
import type { Operations } from './operations.ts';

/** Where a page ends. */
interface Position {
  readonly createdAt: string;
  readonly id: string;
}

/** Long operations: how far they are, and what they came to. */
@Controller()
export class OperationsController {
  constructor(
    @Inject(OPERATIONS_OF_API) private readonly operations: Operations,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listOperations')
  async list(
    @Checked() { query }: Input<'listOperations'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<LongOperationSummary>> {
    const exchange = { request, reply };
    const position = this.pages.position<Position>(exchange);
    const conditions = conditionsOf(LONG_OPERATION_FILTERS, query);
    const sign = query.sort === 'created_at' ? 1 : -1;
    const wanted = (await this.operations.list())
      .filter((each) => meets(conditions, (field) => valueOf(each, field)))
      .filter((each) => position === undefined || sign * compare(positionOf(each), position) > 0)
      .toSorted((one, other) => sign * compare(positionOf(one), positionOf(other)));
    const items = wanted.slice(0, query.limit);
    const last = wanted.length > items.length ? items.at(-1) : undefined;
    const after = last && positionOf(last);
    return this.pages.list(exchange, query.limit, { items, after, unavailable: [] });
  }

  @Route('getOperation')
  async show(
    @Checked() { path }: Input<'getOperation'>,
    @Req() request: FastifyRequest,
  ): Promise<LongOperation> {
    const job = await this.operations.get(path.operation_id);
    return this.operations.present(job, knownCaller(request));
  }

  @Route('cancelOperation')
  async cancel(
    @Checked() { path }: Input<'cancelOperation'>,
    @Req() request: FastifyRequest,
  ): Promise<LongOperation> {
    const job = await this.operations.cancel(path.operation_id);
    return this.operations.present(job, knownCaller(request));
  }
}

function valueOf(operation: LongOperationSummary, field: string): string | number {
  if (field === 'created_at') return Date.parse(operation.created_at);
  return operation[field as 'kind' | 'state' | 'actor'];
}

function positionOf({ created_at: createdAt, id }: LongOperationSummary): Position {
  return { createdAt, id };
}

function compare(one: Position, other: Position): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1;
  return one.id === other.id ? 0 : one.id < other.id ? -1 : 1;
}

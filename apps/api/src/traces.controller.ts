import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TRACE_SECONDS_MAX, type Input, type List, type TraceView } from '#libs/api-contracts';
import { knownCaller, requireScope } from './guard/caller.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { PAGES, TRACES } from './tokens.ts';
import { presentTrace } from './traces/trace-presenter.ts';
import type { Traces } from './traces/traces.ts';

/** How long a trace runs that does not say it. */
const SECONDS_DEFAULT = 600;

/** Traces of clients, topics and addresses. */
@Controller()
export class TracesController {
  constructor(
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(TRACES) private readonly traces: Traces,
  ) {}

  @Route('listTraces')
  async list(
    @Checked() { query }: Input<'listTraces'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<TraceView>> {
    const exchange = { request, reply };
    const after = this.pages.position<{ readonly createdAtMs: number; readonly id: string }>(
      exchange,
    );
    const rest = (await this.traces.list()).filter(
      ({ createdAtMs, id }) =>
        after === undefined ||
        createdAtMs < after.createdAtMs ||
        (createdAtMs === after.createdAtMs && id > after.id),
    );
    const items = rest.slice(0, query.limit);
    const last = rest.length > items.length ? items.at(-1) : undefined;
    return this.pages.list(exchange, query.limit, {
      items: items.map((trace) => presentTrace(trace)),
      after: last && { createdAtMs: last.createdAtMs, id: last.id },
      unavailable: [],
    });
  }

  @Route('createTrace')
  async create(
    @Checked() { body }: Input<'createTrace'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TraceView> {
    const caller = knownCaller(request);
    const { client_id: clientId, topic, ip, payload } = body;
    if (payload !== 'none') requireScope(caller, 'payloads:read');
    const nowMs = Date.now();
    const untilMs =
      body.until === undefined ? nowMs + SECONDS_DEFAULT * 1_000 : Date.parse(body.until);
    requireUntil(untilMs, nowMs);
    const { trace, unavailable } = await this.traces.create({
      ...(clientId !== undefined && { clientId }),
      ...(topic !== undefined && { topic }),
      ...(ip !== undefined && { ip }),
      ...{ payload, untilMs, createdBy: caller.id },
    });
    void reply.header('location', `/api/v1/traces/${trace.id}`);
    return presentTrace(trace, unavailable);
  }

  @Route('getTrace')
  async get(@Checked() { path }: Input<'getTrace'>): Promise<TraceView> {
    return presentTrace(await this.traces.get(path.trace_id));
  }

  @Route('stopTrace')
  async stop(@Checked() { path }: Input<'stopTrace'>): Promise<TraceView> {
    const { trace, unavailable } = await this.traces.stop(path.trace_id);
    return presentTrace(trace, unavailable);
  }

  @Route('deleteTrace')
  async delete(@Checked() { path }: Input<'deleteTrace'>): Promise<void> {
    await this.traces.remove(path.trace_id);
  }
}

function requireUntil(untilMs: number, nowMs: number): void {
  if (untilMs > nowMs && untilMs <= nowMs + TRACE_SECONDS_MAX * 1_000) return;
  const detail = 'until has to be ahead, by seven days at most';
  const errors = [{ pointer: '/until', code: 'out-of-range', detail }];
  throw new ProblemError('unprocessable', detail, { errors });
}

import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ALARM_FILTERS,
  conditionsOf,
  meets,
  type AlarmAcknowledgementView,
  type AlarmView,
  type Input,
  type List,
  type WireAcknowledgement,
  type WireAlarm,
  type WireNode,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { compareText } from './cluster/merge.ts';
import { knownCaller } from './guard/caller.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CLUSTER, PAGES } from './tokens.ts';

interface FoundAlarm {
  readonly alarm: WireAlarm;
  readonly node: WireNode;
}

interface Position {
  readonly sinceMs: number;
  readonly id: string;
}

/** What nodes find wrong with themselves. */
@Controller()
export class AlarmsController {
  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listAlarms')
  async list(
    @Checked() { query }: Input<'listAlarms'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<AlarmView>> {
    const exchange = { request, reply };
    const after = this.pages.position<Position>(exchange);
    const conditions = conditionsOf(ALARM_FILTERS, query);
    const { alarms, unavailable } = await alarmsOf(this.cluster.inquire());
    const wanted = alarms
      .filter(({ alarm }) => stateOf(alarm) === query.state)
      .filter((found) => meets(conditions, (field) => valueOf(found, field)))
      .toSorted((a, b) => compare(a.alarm, b.alarm))
      .filter(({ alarm }) => after === undefined || compare(alarm, after) > 0);
    const items = wanted.slice(0, query.limit);
    const last = wanted.length > items.length ? items.at(-1)?.alarm : undefined;
    return this.pages.list(exchange, query.limit, {
      items: items.map((found) => present(found)),
      after: last && { sinceMs: last.sinceMs, id: last.id },
      unavailable,
    });
  }

  @Route('getAlarm')
  async show(@Checked() { path }: Input<'getAlarm'>): Promise<AlarmView> {
    return present(await find(this.cluster.inquire(), path.alarm_id));
  }

  @Route('deleteAlarm')
  async remove(@Checked() { path }: Input<'deleteAlarm'>): Promise<void> {
    const id = path.alarm_id;
    const inquiry = this.cluster.inquire();
    const { node } = await find(inquiry, id);
    const { kind } = await inquiry.change({ kind: 'remove-alarm', id }, { node });
    if (kind === 'absent') throw absent();
    if (kind === 'active')
      throw new ProblemError('conflict', 'The alarm holds: its cause is there');
  }

  @Route('acknowledgeAlarm')
  async acknowledge(
    @Checked() { path, body }: Input<'acknowledgeAlarm'>,
    @Req() request: FastifyRequest,
  ): Promise<AlarmAcknowledgementView> {
    const id = path.alarm_id;
    const inquiry = this.cluster.inquire();
    const { node } = await find(inquiry, id);
    const { comment } = body;
    const { acknowledgement } = await inquiry.change(
      { kind: 'acknowledge-alarm', id, by: knownCaller(request).id, comment },
      { node },
    );
    if (acknowledgement === undefined) throw absent();
    return presentAcknowledgement(acknowledgement);
  }
}

async function alarmsOf(inquiry: Inquiry): Promise<{
  readonly alarms: readonly FoundAlarm[];
  readonly unavailable: readonly string[];
}> {
  const nodes = await inquiry.nodes();
  const { answered, unavailable } = await inquiry.askSome<'alarms'>(nodes, { kind: 'alarms' });
  const alarms = answered.flatMap(({ node, answer }) =>
    answer.alarms.map((alarm) => ({ alarm, node })),
  );
  return { alarms, unavailable };
}

async function find(inquiry: Inquiry, id: string): Promise<FoundAlarm> {
  const { alarms, unavailable } = await alarmsOf(inquiry);
  const found = alarms.find(({ alarm }) => alarm.id === id);
  if (found !== undefined) return found;
  if (unavailable.length === 0) throw absent();
  const who = `Not found on the nodes that answer; silent: ${unavailable.join(', ')}`;
  throw new ProblemError('node-unavailable', who, { nothingDone: true });
}

function absent(): ProblemError {
  return new ProblemError(
    'not-found',
    'There is no such alarm: nodes keep the latest of their life',
  );
}

function stateOf({ clearedAtMs }: WireAlarm): AlarmView['state'] {
  return clearedAtMs === undefined ? 'active' : 'history';
}

/** The latest first. */
function compare(a: Position, b: Position): number {
  return b.sinceMs - a.sinceMs || compareText(a.id, b.id);
}

function valueOf({ alarm, node }: FoundAlarm, field: string): string | number | undefined {
  const values: Readonly<Record<string, string | number>> = {
    ...{ name: alarm.name, severity: alarm.severity, since: alarm.sinceMs, node: node.nodeId },
  };
  return values[field];
}

function present({ alarm, node }: FoundAlarm): AlarmView {
  const { id, name, subject, severity, summary, clearedAtMs, acknowledgements } = alarm;
  return {
    ...{ id, name, node: node.nodeId, subject: subject === '' ? null : subject, severity },
    ...{ state: stateOf(alarm), summary, since: new Date(alarm.sinceMs).toISOString() },
    cleared_at: clearedAtMs === undefined ? null : new Date(clearedAtMs).toISOString(),
    acknowledged: acknowledgements.length > 0,
    acknowledgements: acknowledgements.map((each) => presentAcknowledgement(each)),
  };
}

function presentAcknowledgement(one: WireAcknowledgement): AlarmAcknowledgementView {
  const { by, comment, atMs } = one;
  return { by, comment: comment ?? null, time: new Date(atMs).toISOString() };
}

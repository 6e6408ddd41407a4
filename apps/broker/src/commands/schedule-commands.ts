import type { CommandOf, NodeAnswers, ScheduleCommand, WireSchedule } from '#libs/api-contracts';
import { decodeMessage, type MessageSchedule, type NodeAdmin } from '#libs/broker-ports';
import { matches, topicNameFault } from '#libs/topic-index';
import type { Schedules } from '../schedules/schedules.ts';
import { bounded } from './bounded.ts';
import { injectedOf, wireRetainedOf } from './wire.ts';

/** What commands on scheduled messages work on. */
export interface ScheduleCommandsOptions {
  readonly admin: Pick<NodeAdmin, 'identify'>;
  readonly schedules: Pick<Schedules, 'add' | 'get' | 'list' | 'remove'>;
  /** Whether anything falls due. */
  readonly isOn: () => boolean;
  readonly topicLevelsMax: number;
}

/** A page ends after this many bytes of payload, and holds one message at least. */
const PAGE_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

/** Scheduled messages as the API makes and sees them. */
export class ScheduleCommands {
  readonly #options: ScheduleCommandsOptions;

  constructor(options: ScheduleCommandsOptions) {
    this.#options = options;
  }

  /** Carries a command out. */
  async answer(command: ScheduleCommand): Promise<NodeAnswers[ScheduleCommand['kind']]> {
    const { schedules } = this.#options;
    switch (command.kind) {
      case 'schedules':
        return this.#list(command);
      case 'scheduled-message': {
        const found = await schedules.get(command.id);
        return { message: found && wireOf(found, command.payload) };
      }
      case 'schedule':
        return this.#add(command);
      case 'cancel-schedule':
        return { found: await schedules.remove(command.id) };
    }
  }

  async #list({ query }: CommandOf<'schedules'>): Promise<NodeAnswers['schedules']> {
    const { after, limit, filter, dueBeforeMs = Infinity, payload } = bounded(query);
    const all = (await this.#options.schedules.list())
      .flatMap((each) => wireOf(each, payload) ?? [])
      .filter(({ topic, dueAtMs }) => dueAtMs <= dueBeforeMs && (!filter || matches(filter, topic)))
      .toSorted(inOrder);
    const items: WireSchedule[] = [];
    let bytes = 0;
    for (const each of all) {
      if (after !== undefined && inOrder(each, after) <= 0) continue;
      bytes += payload ? each.payloadBytes : 0;
      const last = items.at(-1);
      if (last !== undefined && (items.length === limit || bytes > PAGE_PAYLOAD_BYTES_MAX)) {
        return { items, next: { dueAtMs: last.dueAtMs, id: last.id } };
      }
      items.push(each);
    }
    return { items };
  }

  async #add({ message, times }: CommandOf<'schedule'>): Promise<NodeAnswers['schedule']> {
    const { admin, isOn, schedules, topicLevelsMax } = this.#options;
    if (!isOn()) return { kind: 'disabled' };
    const fault = topicNameFault(message.topic, topicLevelsMax);
    if (fault !== undefined) return { kind: 'invalid', detail: fault };
    if (/^\$(?:SYS|delayed)\//u.test(message.topic)) {
      return { kind: 'invalid', detail: 'The topic is not one that can be published to later' };
    }
    const added = await schedules.add(admin.identify(injectedOf(message)), times);
    const shown = added && wireOf(added, false);
    return shown === undefined ? { kind: 'full' } : { kind: 'stored', message: shown };
  }
}

/** Undefined for one that a later version has written. */
function wireOf(schedule: MessageSchedule, withPayload: boolean): WireSchedule | undefined {
  const { id, cron, createdAtMs, nextAtMs, lastAtMs, count } = schedule;
  const message = decodeMessage(Buffer.from(schedule.message, 'base64'));
  if (message === undefined) return undefined;
  return {
    ...wireRetainedOf(message, withPayload),
    ...{ id, cron, count, retain: message.retain, receivedAtMs: createdAtMs },
    ...{ isDone: nextAtMs === undefined, dueAtMs: nextAtMs ?? lastAtMs ?? createdAtMs },
    lastDueAtMs: lastAtMs,
  };
}

function inOrder(
  one: { readonly dueAtMs: number; readonly id: string },
  other: { readonly dueAtMs: number; readonly id: string },
): number {
  if (one.dueAtMs !== other.dueAtMs) return one.dueAtMs - other.dueAtMs;
  return one.id < other.id ? -1 : Number(one.id > other.id);
}

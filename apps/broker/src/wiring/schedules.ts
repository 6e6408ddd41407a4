import type { Log, Meter, NodeAdmin } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { ScheduleCommands } from '../commands/schedule-commands.ts';
import { Schedules } from '../schedules/schedules.ts';
import type { Stores } from './stores.ts';

/** Messages that are published at their times. */
export function openSchedules({ delayed }: Config, ...parts: [Log, Meter, Stores]): Schedules {
  const [log, meter, stores] = parts;
  return new Schedules({
    store: stores.schedules,
    delayed: stores.delayed,
    bounds: () => (delayed.enabled ? delayed : undefined),
    ...{ meter, log, nowMs: Date.now },
  });
}

/** What the API asks of them. */
export function scheduleCommandsOf(
  { delayed, limits }: Config,
  on: { readonly admin: Pick<NodeAdmin, 'identify'>; readonly schedules: Schedules },
): ScheduleCommands {
  const { topicLevelsMax } = limits;
  return new ScheduleCommands({ ...on, isOn: () => delayed.enabled, topicLevelsMax });
}

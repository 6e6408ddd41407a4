import { LocalDefinitionStore, LocalDelayedStore } from '#libs/store-local';
import type { MessageSchedule, NodeAdmin } from '#libs/broker-ports';
import { messageOf, silentLog } from '#libs/testkit';
import { ScheduleCommands } from '../../apps/broker/src/commands/schedule-commands.ts';
import { Schedules } from '../../apps/broker/src/schedules/schedules.ts';

/** The scheduled messages of a real node, in memory; nothing falls due. */
export function fakeSchedules(isOn = () => true): ScheduleCommands {
  const schedules = new Schedules({
    store: new LocalDefinitionStore<MessageSchedule>('schedules'),
    delayed: new LocalDelayedStore({ clock: Date.now }),
    bounds: () => ({ messagesMax: 1_000, bytesMax: 1_000_000 }),
    ...{ meter: { delayed: () => undefined }, log: silentLog, nowMs: Date.now },
  });
  const identify: NodeAdmin['identify'] = ({ properties, ...message }) =>
    messageOf({ ...message, publisher: '', ...(properties && { properties }) });
  return new ScheduleCommands({ admin: { identify }, schedules, isOn, topicLevelsMax: 128 });
}

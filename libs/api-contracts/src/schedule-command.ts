import type { WireDelayed, WireDelayedQuery } from './message-command.ts';
import type { WireMessage } from './wire-message.ts';

/** Most scheduled messages of a cluster. */
export const SCHEDULED_MESSAGES_MAX = 1_000;

/** What all of them may have in bytes, as they are stored: every node holds them all, and reads them anew when one changes. */
export const SCHEDULED_BYTES_MAX = 16 * 1024 * 1024;

/** A message that is published at its times; `dueAtMs` is the next one, or the last one of a message that is done. */
export interface WireSchedule extends WireDelayed {
  /** Absent: once. */
  readonly cron?: string | undefined;
  readonly isDone: boolean;
  /** When it fell due last. */
  readonly lastDueAtMs?: number | undefined;
  /** How often it fell due. */
  readonly count: number;
}

/** What the API asks of a node about scheduled messages. */
export type ScheduleCommand =
  | { readonly kind: 'schedules'; readonly query: WireDelayedQuery }
  | { readonly kind: 'scheduled-message'; readonly id: string; readonly payload: boolean }
  /** At a time, or at those of a cron expression. */
  | {
      readonly kind: 'schedule';
      readonly message: WireMessage;
      readonly times: { readonly cron: string } | { readonly atMs: number };
    }
  | { readonly kind: 'cancel-schedule'; readonly id: string };

/** The answers by kind of command. */
export interface ScheduleAnswers {
  readonly schedules: {
    readonly items: readonly WireSchedule[];
    /** Where the next page begins; absent on the last one. */
    readonly next?: { readonly dueAtMs: number; readonly id: string } | undefined;
  };
  readonly 'scheduled-message': { readonly message?: WireSchedule | undefined };
  readonly schedule:
    | { readonly kind: 'stored'; readonly message: WireSchedule }
    | { readonly kind: 'full' | 'disabled' }
    | { readonly kind: 'invalid'; readonly detail: string };
  readonly 'cancel-schedule': { readonly found: boolean };
}

const KINDS: Readonly<Record<ScheduleCommand['kind'], true>> = {
  schedules: true,
  'scheduled-message': true,
  schedule: true,
  'cancel-schedule': true,
};

/** Whether a command is about scheduled messages. */
export function isScheduleCommand(command: { readonly kind: string }): command is ScheduleCommand {
  return command.kind in KINDS;
}

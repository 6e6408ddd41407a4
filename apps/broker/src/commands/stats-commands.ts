import type { NodeAnswers, StatsCommand } from '#libs/api-contracts';
import type { StatsLog } from '../insight/stats-log.ts';

/** What commands on figures work on. */
export type StatsCommandsOptions = Pick<StatsLog, 'current' | 'history'>;

/** Carries out what the API asks about figures. */
export function answerOnStats(
  stats: StatsCommandsOptions,
  command: StatsCommand,
): NodeAnswers[StatsCommand['kind']] {
  return command.kind === 'stats' ? stats.current() : stats.history(command.windowMs);
}

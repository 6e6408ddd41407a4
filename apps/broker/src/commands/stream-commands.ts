import type { NodeCommand, StreamAnswers, StreamCommand } from '#libs/api-contracts';
import type { EventLog } from '../streams/event-log.ts';
import type { MessageWatches } from '../streams/message-watches.ts';

/** What those who follow a node over REST read. */
export interface StreamCommandsOptions {
  readonly events: EventLog;
  readonly watches: MessageWatches;
}

const KINDS: Readonly<Record<StreamCommand['kind'], true>> = {
  events: true,
  'watch-messages': true,
  'end-watch': true,
};

/** Whether a command is one of those who follow what happens. */
export function isStreamCommand(command: NodeCommand): command is StreamCommand {
  return command.kind in KINDS;
}

/** Carries out what those ask who follow what happens. */
export async function answerStream(
  { events, watches }: StreamCommandsOptions,
  command: StreamCommand,
): Promise<StreamAnswers[StreamCommand['kind']]> {
  switch (command.kind) {
    case 'events':
      return events.read(command);
    case 'watch-messages':
      return watches.read(command);
    case 'end-watch':
      watches.end(command.watch);
      return {};
  }
}

import type { NodeCommand, TraceAnswers, TraceCommand } from '#libs/api-contracts';
import type { NodeTraces } from '../streams/node-traces.ts';

const KINDS: Readonly<Record<TraceCommand['kind'], true>> = {
  'sync-traces': true,
  'trace-content': true,
};

/** Whether a command is about traces. */
export function isTraceCommand(command: NodeCommand): command is TraceCommand {
  return command.kind in KINDS;
}

/** Carries out what is asked about traces. */
export async function answerTrace(
  traces: Pick<NodeTraces, 'sync' | 'read'>,
  command: TraceCommand,
): Promise<TraceAnswers[TraceCommand['kind']]> {
  if (command.kind === 'trace-content') return traces.read(command);
  traces.sync(command.traces);
  return {};
}

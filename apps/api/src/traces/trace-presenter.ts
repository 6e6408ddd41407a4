import type { TraceView } from '#libs/api-contracts';
import { isRunning, type StoredTrace } from './traces.ts';

/** A trace as the API shows it. */
export function presentTrace(trace: StoredTrace, unavailable?: readonly string[]): TraceView {
  const { id, clientId, topic, ip, payload, createdAtMs, createdBy, stoppedAtMs } = trace;
  const untilMs = Math.min(stoppedAtMs ?? Infinity, trace.untilMs);
  const over = stoppedAtMs === undefined ? 'ended' : 'stopped';
  return {
    ...{ id, state: isRunning(trace, Date.now()) ? 'running' : over },
    ...(clientId !== undefined && { client_id: clientId }),
    ...(topic !== undefined && { topic }),
    ...(ip !== undefined && { ip }),
    ...{ payload, created_at: new Date(createdAtMs).toISOString(), created_by: createdBy },
    until: new Date(untilMs).toISOString(),
    ...(unavailable !== undefined && { unavailable_nodes: [...unavailable] }),
  };
}

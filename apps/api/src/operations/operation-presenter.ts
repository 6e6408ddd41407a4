import type { ItemProblem, LongOperationSummary } from '#libs/api-contracts';
import type { Job } from '#libs/broker-ports';

/** A long operation without its result. */
export function presentOperation(job: Job): LongOperationSummary {
  const { id, kind, state, actor, progress, attempts, endedAtMs } = job;
  return {
    ...{ id, kind, state, actor },
    created_at: timeOf(job.createdAtMs),
    updated_at: timeOf(job.updatedAtMs),
    ended_at: endedAtMs === undefined ? null : timeOf(endedAtMs),
    progress: { done: progress.done, total: progress.total ?? null },
    cancel_requested: job.isCancelRequested,
    attempts,
    // A worker has made it of a ProblemError.
    problem: (job.problem as ItemProblem | undefined) ?? null,
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

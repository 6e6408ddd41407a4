import type { Scope } from '#libs/api-contracts';
import type { ApiState, JobProgress, Log } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import type { Cluster } from '../cluster/cluster.ts';
import type { Guard } from '../guard/guard.ts';

/** What long operations are carried out with. */
export interface OperationParts {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly state: ApiState;
  readonly guard: Guard;
  readonly log: Log;
}

/** What long operations of one kind do; all kinds stand in kinds.ts. */
export interface OperationKind<Input> {
  readonly kind: string;
  /** What a caller needs to see the result, besides `operations:read`; absent: nothing. */
  readonly resultScope?: Scope;
  /** Its input holds secrets, and is kept enciphered. */
  readonly isSecret?: boolean;
  /**
   * Does it, and says what it came to, as plain JSON.
   *
   * @remarks It may be carried out again from its last checkpoint, also when it was done already. A ProblemError is shown as it is.
   */
  run(input: Input, run: OperationRun, parts: OperationParts): Promise<unknown>;
}

/** What a worker tells of how far it is. */
export interface OperationUpdate {
  readonly progress?: JobProgress;
  /** From where another worker goes on; it is stored when report() resolves. Keep it small. */
  readonly checkpoint?: unknown;
}

/** A long operation that is being carried out. */
export interface OperationRun {
  readonly id: string;
  readonly actor: string;
  /** Of the worker before, after a crash or restart; undefined when there was none, or it has stored none. */
  readonly checkpoint: unknown;
  /** It was cancelled, or another worker may have it, or the API stops: end soon. */
  readonly signal: AbortSignal;
  /**
   * Tells how far it is; what has no checkpoint is stored about once a second.
   *
   * @throws OperationEnded as the signal.
   */
  report(update: OperationUpdate): Promise<void>;
}

/** Why a worker must not go on. */
export type EndReason = 'cancelled' | 'lost' | 'stopped';

/** A long operation must not go on. */
export class OperationEnded extends Error {
  override readonly name = 'OperationEnded';
  readonly reason: EndReason;

  constructor(reason: EndReason) {
    super(`the operation was ${reason}`);
    this.reason = reason;
  }
}

import {
  PROBLEMS,
  type FieldError,
  type ItemProblem,
  type Problem,
  type ProblemCode,
} from '#libs/api-contracts';

/** What a problem may say beyond its code and detail. */
export interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  readonly mqttReasonCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Nothing was changed for certain. A node that was asked and did not answer may have done it. */
  readonly nothingDone?: boolean;
}

/** A call that failed in a way the contract knows; becomes the reply. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.code = code;
    this.extras = extras;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** Whether it failed without any effect, so that the same may be asked again. What was refused (4xx) is an answer. */
  get changedNothing(): boolean {
    const { nothingDone = this.code === 'overloaded' } = this.extras;
    return this.status >= 500 && nothingDone;
  }

  /** As the problem of one item of many. */
  item(): ItemProblem {
    const { type: _, instance: __, request_id: ___, ...problem } = this.body('', '');
    return problem;
  }

  /** The body of the reply. */
  body(instance: string, requestId: string): Problem {
    const { title, status } = PROBLEMS[this.code];
    const { errors, mqttReasonCode } = this.extras;
    return {
      type: `/api/problems/${this.code}`,
      title,
      status,
      code: this.code,
      detail: this.message,
      instance,
      request_id: requestId,
      ...(errors === undefined ? {} : { errors: [...errors] }),
      ...(mqttReasonCode === undefined ? {} : { mqtt_reason_code: mqttReasonCode }),
    };
  }
}

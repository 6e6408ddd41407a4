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
}

/** How details begin that say so: a node that was asked, and did not answer, may have done it. */
const NOTHING_DONE = /^(?:Not done|No node answers)/;

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

  /** Whether it is certain that nothing was done, so that the same may be asked again. Details say so in these words. */
  get changedNothing(): boolean {
    return this.code === 'overloaded' || NOTHING_DONE.test(this.message);
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

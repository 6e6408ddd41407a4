/**
 * Why an expression gave no result for a message.
 *
 * @remarks `PAYLOAD_*`: the expression asked for the payload as JSON or text and it is neither, or it is larger, deeper
 * or named otherwise than expressions may see. `LIMIT_*`: the evaluation asked for too much. `EXPRESSION_FAILED`: the
 * values do not fit, for instance a text compared with a number, or the expression called $error or $assert.
 * `RESULT_MISSING`: it gave nothing, mostly because a path leads nowhere. `RESULT_TYPE`: the result is of the wrong
 * kind.
 */
export type TransformFaultCode =
  | 'PAYLOAD_NOT_JSON'
  | 'PAYLOAD_NOT_TEXT'
  | 'PAYLOAD_REFUSED'
  | 'LIMIT_STEPS'
  | 'LIMIT_TIME'
  | 'LIMIT_SIZE'
  | 'LIMIT_DEPTH'
  | 'EXPRESSION_FAILED'
  | 'RESULT_MISSING'
  | 'RESULT_TYPE';

/** The fault of one message in one expression: a value, since messages are hostile and nothing is thrown on their path. */
export class TransformFault {
  /** The field of the rule, such as `where`. */
  readonly field: string;
  /** The field, or `payload` when it is the payload that could not be read. */
  readonly stage: string;
  readonly code: TransformFaultCode;
  /** Says what is wrong without repeating the payload. */
  readonly message: string;
  /** Characters of the expression up to and including what failed, where known. */
  readonly position: number | undefined;

  constructor(field: string, why: Why) {
    this.field = field;
    this.stage = why.code.startsWith('PAYLOAD_') ? 'payload' : field;
    this.code = why.code;
    this.message = why.message;
    this.position = why.position;
  }
}

/** What a fault says besides its stage. */
export interface Why {
  readonly code: TransformFaultCode;
  readonly message: string;
  readonly position?: number | undefined;
}

/** Ends an evaluation from inside; never leaves this lib. */
export class Stop extends Error {
  override readonly name = 'Stop';
  readonly code: TransformFaultCode;

  constructor(code: TransformFaultCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** An expression that cannot be compiled; the message names field, position and what to do about it. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly code = 'EXPRESSION_INVALID';
  /** The field of the rule. */
  readonly field: string;
  /** Characters of the expression up to and including what is wrong, where known. */
  readonly position: number | undefined;

  constructor(field: string, problem: string, position?: number) {
    super(`${field}${position === undefined ? '' : `, character ${position}`}: ${problem}`);
    this.field = field;
    this.position = position;
  }
}

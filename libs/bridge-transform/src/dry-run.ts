import { isUtf8 } from 'node:buffer';
import { ExpressionError, TransformFault, type TransformFaultCode } from './faults.ts';
import { Expression } from './expression.ts';
import type { TransformLimits } from './limits.ts';
import type { MessageDocument } from './message-document.ts';

/** The expressions of a rule by field. `where` filters, `value` may give anything, the others give text. */
export type RuleExpressions = Readonly<Record<string, string>>;

/** What became of one expression for a sample message. */
export type DryRunStep =
  | {
      readonly ok: true;
      readonly stage: string;
      /** Whether the message passes, or what was made; in base64 when it is not text. */
      readonly result: boolean | string;
      readonly encoding?: 'base64';
    }
  | {
      readonly ok: false;
      /** The field, or `payload`. */
      readonly stage: string;
      readonly field: string;
      readonly code: TransformFaultCode | ExpressionError['code'];
      readonly message: string;
      readonly position: number | undefined;
    };

/**
 * Compiles and evaluates the expressions of a rule for a sample message and tells what each gives, the filter first.
 *
 * @returns a step for each expression; only the filter's when the message does not pass.
 */
export function dryRun(
  expressions: RuleExpressions,
  sample: MessageDocument,
  limits?: TransformLimits,
): readonly DryRunStep[] {
  const { where, ...others } = expressions;
  const steps: DryRunStep[] = [];
  if (where !== undefined) {
    const step = stepOf({ field: 'where', source: where, limits }, sample);
    steps.push(step);
    if (!step.ok || step.result === false) return steps;
  }
  for (const [field, source] of Object.entries(others)) {
    steps.push(stepOf({ field, source, limits }, sample));
  }
  return steps;
}

interface Trial {
  readonly field: string;
  readonly source: string;
  readonly limits: TransformLimits | undefined;
}

function stepOf({ field, source, limits }: Trial, sample: MessageDocument): DryRunStep {
  const made = attempt(() => new Expression(source, { field, ...(limits && { limits }) }));
  if (made instanceof ExpressionError) return { ok: false, stage: field, ...errorOf(made, field) };
  const result = resultOf(made, sample);
  if (result instanceof TransformFault) {
    return { ok: false, stage: result.stage, ...errorOf(result, field) };
  }
  if (!Buffer.isBuffer(result)) return { ok: true, stage: field, result };
  return isUtf8(result)
    ? { ok: true, stage: field, result: result.toString() }
    : { ok: true, stage: field, result: result.toString('base64'), encoding: 'base64' };
}

function resultOf(
  expression: Expression,
  sample: MessageDocument,
): boolean | string | Buffer | TransformFault {
  if (expression.field === 'where') return expression.test(sample);
  return expression.field === 'value' ? expression.bytes(sample) : expression.text(sample);
}

function attempt(make: () => Expression): Expression | ExpressionError {
  try {
    return make();
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}

function errorOf(
  { code, message, position }: ExpressionError | TransformFault,
  field: string,
): Omit<Extract<DryRunStep, { ok: false }>, 'ok' | 'stage'> {
  return { field, code, message, position };
}

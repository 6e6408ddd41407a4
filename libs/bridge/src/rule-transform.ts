import type { BridgeRule, Meter } from '#libs/broker-ports';
import {
  Expression,
  MESSAGES,
  RECORDS,
  type TransformFault,
  type DocumentKind,
  type ExpressionDocument,
} from '#libs/bridge-transform';

/**
 * What the expressions of a rule make of a message or record: its value, undefined where the payload is to stay as it is;
 * `filtered` when it is not of the rule; or why there is no answer.
 */
export type Transformed = Buffer | undefined | 'filtered' | TransformFault;

type TransformMeter = Pick<Meter, 'bridgeTransformed'>;

/** How a failure of each expression is counted. */
export type TransformReason = 'where_error' | 'value_error';

/** The expressions of a rule, `where` and `value`, compiled once. */
export class RuleTransform {
  readonly #rule: string;
  readonly #where: Expression | undefined;
  readonly #value: Expression | undefined;
  readonly #meter: TransformMeter | undefined;

  private constructor({ id, direction, where, value }: BridgeRule, meter?: TransformMeter) {
    const kind = direction === 'kafka-to-mqtt' ? RECORDS : MESSAGES;
    this.#rule = id;
    this.#where = compiled('where', where, kind);
    this.#value = compiled('value', value, kind);
    this.#meter = meter;
  }

  /**
   * Compiles the expressions of a rule, and counts what they take if there is a meter.
   *
   * @returns undefined for a rule without any, which is to cost nothing.
   * @throws ExpressionError naming field, position and what to write instead.
   */
  static of(rule: BridgeRule, meter?: TransformMeter): RuleTransform | undefined {
    if (rule.where === undefined && rule.value === undefined) return undefined;
    return new RuleTransform(rule, meter);
  }

  /** Evaluates them: the value only for what passes the filter. */
  run(document: ExpressionDocument): Transformed {
    const startMs = performance.now();
    const transformed = this.#evaluate(document);
    this.#meter?.bridgeTransformed(this.#rule, (performance.now() - startMs) / 1_000);
    return transformed;
  }

  #evaluate(document: ExpressionDocument): Transformed {
    const passes = this.#where?.test(document) ?? true;
    if (passes === false) return 'filtered';
    return passes === true ? this.#value?.bytes(document) : passes;
  }
}

/** How a fault is counted. */
export function reasonOf({ field }: TransformFault): TransformReason {
  return field === 'where' ? 'where_error' : 'value_error';
}

/** What is wrong, for logs and dead letters; holds no part of the payload. */
export function detailOf({ field, code, message, position }: TransformFault): string {
  const place = position === undefined ? field : `${field}, character ${position}`;
  return `${place}: ${message} (${code})`;
}

function compiled(
  field: string,
  source: string | undefined,
  kind: DocumentKind,
): Expression | undefined {
  return source === undefined ? undefined : new Expression(source, { field, kind });
}

import { checkExpression, type ExpressionTraits } from './expression-check.ts';
import { ExpressionError, Stop, TransformFault, type Why } from './faults.ts';
import { guardFunctions } from './functions.ts';
import { parse, type JsonataError, type ParsedExpression } from './jsonata-door.ts';
import { DEFAULT_TRANSFORM_LIMITS, type TransformLimits } from './limits.ts';
import { payForSearches } from './linear-reg-exp.ts';
import { Bytes, isFunction, measure } from './measure.ts';
import { takeToHand, type DocumentKind, type ExpressionDocument } from './expression-document.ts';
import { MESSAGES } from './message-document.ts';
import { Meter } from './meter.ts';
import { quickExpression, UNDECIDED, type QuickExpression } from './quick-expression.ts';
import { failureText, syntaxText } from './problem-text.ts';

/** How an expression is compiled. */
export interface ExpressionOptions {
  /** The field of the rule, such as `where` or `headers.site`: errors and faults name it. */
  readonly field: string;
  /** What it is to read. @defaultValue MESSAGES */
  readonly kind?: DocumentKind;
  /** @defaultValue DEFAULT_TRANSFORM_LIMITS */
  readonly limits?: TransformLimits;
  /** Milliseconds that were spent, by a clock that never goes back. @defaultValue what this thread has had of the processor */
  readonly clock?: () => number;
}

const SOURCE_LENGTH_MAX = 8_192;
const NO_BINDINGS = Object.freeze({});

/**
 * A JSONata expression of a rule, compiled once and evaluated for each message, synchronously and in order.
 *
 * @remarks The language is JSONata 1.8 without `$eval`, `$clone`, `$formatInteger`, `$parseInteger`, the update
 * operator `| | |` and partial application; pictures are restricted, regular expressions are those of RE2, and
 * `$bytes(base64)` makes bytes. What it sees is in {@link MessageFields}
 * or {@link RecordFields}. Payloads are hostile: an evaluation is
 * bounded by {@link TransformLimits}, changes nothing outside it and throws nothing.
 *
 * @example
 * ```ts
 * const where = new Expression('payload.temperature > 30', { field: 'where' });
 * const pass = where.test(new MessageDocument(message));
 * ```
 */
export class Expression {
  readonly field: string;
  readonly #limits: TransformLimits;
  readonly #meter: Meter;
  readonly #pay: (steps: number) => void;
  readonly #parsed: ParsedExpression;
  readonly #quick: QuickExpression | undefined;
  readonly #changesInput: boolean;

  /** @throws ExpressionError naming field, position and what to do. */
  constructor(source: string, options: ExpressionOptions) {
    const { field, kind = MESSAGES, limits = DEFAULT_TRANSFORM_LIMITS } = options;
    const { clock = processorMs } = options;
    this.field = field;
    this.#limits = limits;
    this.#meter = new Meter(limits, clock);
    const { parsed, traits, quick } = compile(source, field, kind);
    this.#parsed = parsed;
    this.#changesInput = traits.changesInput;
    this.#quick = quick;
    const meter = this.#meter;
    this.#pay = (steps) => meter.spend(steps);
    guardFunctions(this.#parsed, meter);
    this.#parsed.assign('__evaluate_entry', () => meter.enter());
    this.#parsed.assign('__evaluate_exit', (_node: unknown, _input: unknown, ...rest: unknown[]) =>
      meter.leave(rest[1]),
    );
  }

  /** Whether the message passes. Nothing counts as false; every result that is not a truth value is a fault. */
  test(document: ExpressionDocument): boolean | TransformFault {
    return this.#attempt(document, (result) => {
      if (result === undefined) return false;
      if (typeof result === 'boolean') return result;
      return this.#wrong(
        `gives ${kindOf(result)}, not true or false; compare it, or write $boolean( )`,
      );
    });
  }

  /** The result as bytes: a text as UTF-8, what `$bytes` gives as it is, all else as JSON. They are the caller's. */
  bytes(document: ExpressionDocument): Buffer | TransformFault {
    return this.#attempt(document, (result) => {
      if (result === undefined) return this.#missing();
      if (result instanceof Bytes) return result.value;
      const encoded = typeof result === 'string' ? result : this.#encode(result);
      return encoded instanceof TransformFault ? encoded : Buffer.from(encoded);
    });
  }

  #encode(result: unknown): string | TransformFault {
    measure(result, this.#limits);
    const misfit = misfitOf(result);
    if (misfit !== undefined) return this.#wrong(`holds ${misfit}, which JSON cannot`);
    return JSON.stringify(result);
  }

  #attempt<Result>(
    document: ExpressionDocument,
    convert: (result: unknown) => Result | TransformFault,
  ): Result | TransformFault {
    document.limit(this.#limits);
    this.#meter.begin(document);
    payForSearches(this.#pay);
    takeToHand(document);
    try {
      const quick = this.#quick === undefined ? UNDECIDED : this.#quick(document);
      if (quick !== UNDECIDED) {
        this.#meter.touch(quick);
        return convert(quick);
      }
      const result = convert(this.#parsed.evaluate(document.kind.atHand, NO_BINDINGS));
      if (this.#changesInput) document.forget();
      return result;
    } catch (error) {
      document.forget();
      return new TransformFault(this.field, reasonOf(error));
    } finally {
      takeToHand(undefined);
    }
  }

  #missing(): TransformFault {
    return new TransformFault(this.field, {
      code: 'RESULT_MISSING',
      message: 'the expression gives nothing; give a default, as in $exists(a) ? a : "none"',
    });
  }

  #wrong(problem: string): TransformFault {
    return new TransformFault(this.field, {
      code: 'RESULT_TYPE',
      message: `the expression ${problem}`,
    });
  }
}

interface Compiled {
  readonly parsed: ParsedExpression;
  readonly traits: ExpressionTraits;
  readonly quick: QuickExpression | undefined;
}

function compile(source: string, field: string, kind: DocumentKind): Compiled {
  if (source.length > SOURCE_LENGTH_MAX) {
    throw new ExpressionError(field, `use at most ${SOURCE_LENGTH_MAX} characters`);
  }
  try {
    const parsed = parse(source);
    const ast = parsed.ast();
    return { parsed, traits: checkExpression(ast, field, kind), quick: quickExpression(ast) };
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    throw new ExpressionError(field, syntaxText(error), positionOf(error));
  }
}

/** The evaluator adds positions to whatever passes through it. */
function positionOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { position } = error as JsonataError;
  return typeof position === 'number' ? position : undefined;
}

/** Everything that ends an evaluation is a fault of this message, since it is what differs between evaluations. */
function reasonOf(error: unknown): Why {
  const position = positionOf(error);
  if (error instanceof Stop) return { code: error.code, message: error.message, position };
  if (error instanceof RangeError && /^(Maximum call|Invalid (string|array))/.test(error.message)) {
    const message = 'the evaluation nests too deeply, or a value is too large';
    return { code: 'LIMIT_DEPTH', message, position };
  }
  return { code: 'EXPRESSION_FAILED', message: failureText(error), position };
}

/** The kind of the first part that JSON has no form for. */
function misfitOf(value: unknown): string | undefined {
  if (isFunction(value) || value instanceof Bytes || isOutOfRange(value)) return kindOf(value);
  if (typeof value !== 'object' || value === null) return undefined;
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    const misfit = misfitOf(part);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

const isOutOfRange = (value: unknown): boolean =>
  typeof value === 'number' && !Number.isFinite(value);

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (isFunction(value)) return 'a function';
  if (value instanceof Bytes) return 'bytes';
  if (isOutOfRange(value)) return 'a number out of range';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** So that neither a pause nor other processes decide what becomes of a message. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

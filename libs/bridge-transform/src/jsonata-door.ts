import jsonata from 'jsonata';
import type { ExpressionNode } from './expression-node.ts';
import { LinearRegExp } from './linear-reg-exp.ts';

/** What calls a function of the language: `this` holds what it was called on. */
export type Implementation = (this: unknown, ...args: unknown[]) => unknown;

/** A function of the language as its evaluator keeps it. */
export interface FunctionDefinition {
  readonly implementation: Implementation;
  readonly signature: { readonly definition: string };
}

/** A parsed expression. */
export interface ParsedExpression {
  evaluate(input: unknown, bindings: Readonly<Record<string, unknown>>): unknown;
  assign(name: string, value: unknown): void;
  registerFunction(name: string, implementation: Implementation, signature?: string): void;
  ast(): ExpressionNode;
}

/** What the parser and the evaluator throw. */
export interface JsonataError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly position?: unknown;
  readonly token?: unknown;
}

// The types of version 1 do not know the options, nor that messages are left out of errors.
const open = jsonata as unknown as (
  source: string,
  options: { readonly RegexEngine: typeof LinearRegExp },
) => ParsedExpression;

/**
 * Parses an expression of JSONata 1.8, the line whose evaluation is synchronous.
 *
 * @throws JsonataError, which is no Error, when the source is not in the language.
 */
export function parse(source: string): ParsedExpression {
  return open(source, { RegexEngine: LinearRegExp });
}

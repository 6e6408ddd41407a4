import {
  JSON_TYPE,
  OPERATIONS,
  type CallOf,
  type Operation,
  type OperationId,
  type ReplyOf,
} from '#libs/api-contracts';

export type { OperationId, Problem, ProblemCode } from '#libs/api-contracts';

/**
 * What each operation is called with and what it answers.
 *
 * @remarks In the package for others the same is generated from the OpenAPI document, so that it needs none of Skein.
 */
export type Operations = {
  readonly [Id in OperationId]: {
    readonly call: CallOf<(typeof OPERATIONS)[Id]>;
    readonly reply: ReplyOf<(typeof OPERATIONS)[Id]>;
  };
};

/** What of an operation decides the request. */
export interface OperationRoute {
  /** Upper-case. */
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  /** The content type of a body. */
  readonly bodyType: string;
  /** The content type of the usual reply. */
  readonly replyType: string;
}

/** Where each operation is. */
export const ROUTES: Readonly<Record<OperationId, OperationRoute>> = Object.fromEntries(
  Object.entries<Operation>(OPERATIONS).map(([id, operation]) => [id, routeOf(operation)]),
) as Record<OperationId, OperationRoute>;

function routeOf({ method, path, bodyType, replies }: Operation): OperationRoute {
  const [usual] = Object.values(replies);
  return {
    method: method.toUpperCase(),
    path,
    bodyType: bodyType ?? JSON_TYPE,
    replyType: usual?.contentType ?? JSON_TYPE,
  };
}

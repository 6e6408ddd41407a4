import {
  HttpCode,
  RequestMapping,
  RequestMethod,
  SetMetadata,
  UseGuards,
  applyDecorators,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { OPERATIONS, type Operation, type OperationId } from '#libs/api-contracts';
import { requireContent } from '../guard/content.ts';
import { callerOf } from '../guard/caller.ts';
import { requireTopics } from '../guard/topics.ts';
import { checkRequest, requireBodyType, type CheckedRequest } from './request-check.ts';

/** Under this key a handler holds its operationId. */
export const OPERATION_ID = 'skein:operation';

const METHODS = {
  get: RequestMethod.GET,
  post: RequestMethod.POST,
  put: RequestMethod.PUT,
  patch: RequestMethod.PATCH,
  delete: RequestMethod.DELETE,
};

/** The template of an operation as the router writes it. */
export function routeOf(operation: Operation): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
}

const checked = new WeakMap<FastifyRequest, CheckedRequest>();

/**
 * Holds a request to the contract of its operation and to what its caller may name, once.
 *
 * @throws ProblemError 400, 403 or 415.
 */
export function requireContract(request: FastifyRequest, operation: Operation): void {
  if (checked.has(request)) return;
  requireBodyType(operation, request.headers['content-type']);
  const input = checkRequest(operation, request);
  const caller = callerOf(request);
  if (caller !== undefined) {
    requireTopics(operation, input, caller);
    requireContent(operation, input, caller);
  }
  checked.set(request, input);
}

/** Holds a request to its contract before the handler runs, also one whose handler takes no input. */
class ContractGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const id = Reflect.getMetadata(OPERATION_ID, context.getHandler()) as OperationId;
    requireContract(context.switchToHttp().getRequest<FastifyRequest>(), OPERATIONS[id]);
    return true;
  }
}

/** Makes a method the handler of an operation: method, path, checks and usual status come from the contract. */
export function Route(id: OperationId): MethodDecorator {
  const operation: Operation = OPERATIONS[id];
  return applyDecorators(
    SetMetadata(OPERATION_ID, id),
    RequestMapping({ method: METHODS[operation.method], path: routeOf(operation) }),
    HttpCode(Number(Object.keys(operation.replies)[0])),
    UseGuards(new ContractGuard()),
  );
}

/** The request after its check; the parameter's type is `Input<operationId>`. */
export const Checked = createParamDecorator((_: unknown, context: ExecutionContext) =>
  checked.get(context.switchToHttp().getRequest<FastifyRequest>()),
);

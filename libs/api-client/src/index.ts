export {
  ApiClient,
  type ApiClientOptions,
  type Call,
  type CallOptions,
  type ItemOf,
  type ListId,
  type PageOf,
  type Reply,
  type StreamOptions,
} from './client.ts';
export { ApiError, type ApiErrorKind, type ApiErrorOptions } from './error.ts';
export type { ServerEvent } from './event-stream.ts';
export { prepare, type CallParts, type PreparedRequest, type QueryValue } from './request.ts';
export {
  ROUTES,
  type OperationId,
  type OperationRoute,
  type Operations,
  type Problem,
  type ProblemCode,
} from './operations.ts';

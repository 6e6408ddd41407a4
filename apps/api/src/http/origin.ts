import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WireOrigin } from '#libs/api-contracts';

const origins = new AsyncLocalStorage<WireOrigin>();

/** The request that is served; undefined where none has asked. */
export function currentOrigin(): WireOrigin | undefined {
  return origins.getStore();
}

/** What the log and the nodes are told of a request. */
export function originOf({ id, headers }: Pick<FastifyRequest, 'id' | 'headers'>): WireOrigin {
  const traceparent = traceparentOf(headers);
  return { requestId: id, ...(traceparent !== undefined && { traceparent }) };
}

/** Has whatever a request leads to know of it. */
export function installOrigins(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => origins.run(originOf(request), done));
  // A body is read outside of what its request has begun.
  server.addHook('preValidation', (request, _reply, done) => origins.run(originOf(request), done));
}

/** A header that is not as W3C Trace Context says is as good as none. */
function traceparentOf({ traceparent }: IncomingHttpHeaders): string | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const found = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}$/.exec(traceparent);
  const [, traceId = '0', parentId = '0'] = found ?? [];
  return /^0+$/.test(traceId) || /^0+$/.test(parentId) ? undefined : traceparent;
}
